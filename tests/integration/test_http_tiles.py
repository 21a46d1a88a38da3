"""Tiles over HTTP (C2SP tlog-tiles), read as a client of any log would: by our own folding and by another library."""

import base64
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from eventlog.formats import hashing, merkle
from eventlog.formats.checkpoint import Checkpoint, verify_checkpoint
from eventlog.formats.tiles import decode_entries
from eventlog.http.app import create_app, lambda_handler
from eventlog.settings import Settings
from eventlog.store.mongo.store import connect, operations_of
from functions.query.app import routers
from tests.infrastructure.invoke import Context
from tests.integration.conftest import MakeApi
from tests.support.anchoring import KEY, put_anchor
from tests.support.factories import draft

LOG = "/api/v1/chains/main/tlog"
PIN = [KEY.verifier("localhost/eventlog")]


@pytest.fixture(scope="module")
def full(make_api: MakeApi, mongo_uri: str) -> Iterator[TestClient]:
    """A chain of 600 events under a checkpoint of 590, of which the last are pending."""
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        store = api.app.state.connection.log  # type: ignore[attr-defined]
        for count in (500, 60):
            store.append("main", [draft() for _ in range(count)])
        store.settle("main")
        assert operations_of(store).push("main", [draft().entry for _ in range(40)], None) is not None
        put_anchor(store, 590)
        yield api
    with connect(mongo_uri) as client:
        client.drop_database(name)


def checkpoint(api: TestClient) -> Checkpoint:
    return verify_checkpoint(api.get(f"{LOG}/checkpoint").content, PIN)[0]


def get(api: TestClient, path: str) -> bytes:
    answer = api.get(f"{LOG}/tile/{path}")
    assert answer.status_code == 200
    return answer.content


def split(tile: bytes) -> list[bytes]:
    return [tile[at : at + 32] for at in range(0, len(tile), 32)]


def fold(hashes: list[bytes]) -> bytes:
    frontier: list[bytes] = []
    for index, value in enumerate(hashes):
        merkle.append_leaf(frontier, index, value)
    return merkle.root(frontier)


def test_the_tiles_of_level_0_lead_to_the_checkpoint_s_root(full: TestClient) -> None:
    found = checkpoint(full)
    hashes = [value for path in ("0/000", "0/001", "0/002.p/78") for value in split(get(full, path))]
    assert (found.size, len(hashes)) == (590, 590)
    assert fold(hashes) == found.root


def test_a_tile_of_level_1_has_the_roots_of_full_tiles(full: TestClient) -> None:
    assert split(get(full, "1/000.p/2")) == [fold(split(get(full, path))) for path in ("0/000", "0/001")]


def test_entries_are_the_leaves_that_the_tiles_have_the_hashes_of(full: TestClient) -> None:
    leaves: list[bytes] = []
    for path in ("000", "001", "002.p/78"):
        entries = decode_entries(get(full, f"entries/{path}"))
        assert [hashing.leaf_hash(entry) for entry in entries] == split(get(full, f"0/{path}"))
        leaves += entries
    assert {len(leaf) for leaf in leaves} == {72}
    assert [int.from_bytes(leaf[:8], "big") for leaf in leaves] == list(range(590))
    assert all(leaf[8:40] == hashing.leaf_hash(before) for before, leaf in pairwise(leaves))


@pytest.mark.parametrize("path", ["0/000", "0/000.p/1", "entries/002.p/77"])
def test_a_tile_is_binary_and_never_changes(full: TestClient, path: str) -> None:
    answer = full.get(f"{LOG}/tile/{path}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["0/002", "0/002.p/79", "0/003", "1/000", "1/000.p/3", "2/000.p/1", "entries/002"])
def test_what_the_checkpoint_does_not_cover_is_not_served(full: TestClient, path: str) -> None:
    answer = full.get(f"{LOG}/tile/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "does not cover this tile: its size is 590" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "0/0",
            "0/0000",
            "0/x000/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "64/000",
            "-1/000",
            "00/000",
            "a/000",
        ),
        *("0/000.p/", "0/000/", "0/x001", "entries/1", "data/000", "0/x999/x999/x999/x999/x999/x999/x999/999", "0/%00"),
    ],
)
def test_a_path_that_names_no_tile_is_not_found(full: TestClient, path: str) -> None:
    answer = full.get(f"{LOG}/tile/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_without_a_checkpoint_there_are_no_tiles(api: TestClient) -> None:
    store = api.app.state.connection.log  # type: ignore[attr-defined]
    store.append("main", [draft()])
    answer = api.get(f"{LOG}/tile/0/000.p/1")
    assert (answer.status_code, "there is none" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize("field", ["content_hash", "prev_hash"])
def test_a_bundle_of_entries_with_a_damaged_leaf_is_an_error(api: TestClient, field: str) -> None:
    store = api.app.state.connection.log  # type: ignore[attr-defined]
    store.append("main", [draft() for _ in range(3)])
    store.settle("main")
    put_anchor(store)
    operations_of(store).events.update_one({"chain": "main", "seq": 1}, {"$unset": {field: 1}})
    assert api.get(f"{LOG}/tile/entries/000.p/3").status_code == 500
    assert api.get(f"{LOG}/tile/entries/000.p/1").status_code == 200


def test_behind_lambda_a_tile_is_sent_as_base64_and_a_checkpoint_as_text(full: TestClient) -> None:
    settings: Settings = full.app.state.connection.settings  # type: ignore[attr-defined]
    handler: Any = lambda_handler(create_app(*routers, title="query", settings=settings))
    event = json.loads((Path(__file__).parents[2] / "events" / "get-log-tile.json").read_text(encoding="utf-8"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"{LOG}/tile/0/000"
    answer = handler(event, Context(1))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert base64.b64decode(answer["body"]) == get(full, "0/000")
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"{LOG}/checkpoint"
    event["routeKey"] = "GET /api/v1/chains/{chain}/tlog/checkpoint"
    answer = handler(event, Context(2))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["body"].encode() == full.get(f"{LOG}/checkpoint").content


if sys.version_info >= (3, 12):
    from aics_tlog import VerifiedTileReader, audit_tiles, parse_note, parse_vkey, verify_note
    from aics_tlog.tiles import entry_bundle_path, tile_path

    class Tiles:
        """The other library's idea of where tiles are, over our HTTP."""

        def __init__(self, api: TestClient) -> None:
            self._api = api

        def read_tile(self, level: int, index: int, width: int | None) -> bytes | None:
            return self._read(tile_path(level, index, width))

        def read_entry_bundle(self, index: int, width: int | None) -> bytes | None:
            return self._read(entry_bundle_path(index, width))

        def _read(self, path: str) -> bytes | None:
            answer = self._api.get(f"{LOG}/{path}")
            return answer.content if answer.status_code == 200 else None

    def test_another_library_reads_and_verifies_every_tile_and_entry(full: TestClient) -> None:
        found = checkpoint(full)
        report = audit_tiles(Tiles(full), found.size, found.root)
        assert report is not None
        reader = VerifiedTileReader(Tiles(full), found.size, found.root)
        event = full.get("/api/v1/events?sort=seq&from_seq=589&limit=1").json()["events"][0]
        assert hashing.leaf_hash(reader.entry(589)).hex() == event["hash"]

    def test_another_library_verifies_the_checkpoint_s_signature(full: TestClient) -> None:
        vkey = full.get("/api/v1/chains/main").json()["keys"][0]
        note = parse_note(full.get(f"{LOG}/checkpoint").content)
        assert verify_note(note, [parse_vkey(vkey)])
