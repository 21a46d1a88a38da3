"""What is left of an erased payload on the disks of a replica set, and that nothing is once each member synced anew.

The procedure is docs/erasure.md's. The members compress nothing, as a search for bytes would miss what is compressed.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from pymongo.errors import NotPrimaryError, PyMongoError
from pymongo.write_concern import WriteConcern
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.http.audits import run_scheduled
from eventlog.http.governance import carry_out
from eventlog.http.wired import wiring_of
from eventlog.store.mongo.store import connect
from eventlog.stored.bodies import APART_FROM
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.erase import EraseWiring
from functions.erase.app import routers as erase_routers
from local.mongod.embedded import EmbeddedMongo, replica_set_uri, start_set, wait_until
from tests.support.access import ROUTERS
from tests.support.anchored import new_key
from tests.support.failovers import primary_of
from tests.support.governed import governed_settings

COUNT, ERASED = 12, (1, 4, 7, 10)
"""Events, and which of them are erased; of these, and of the others, some have payloads that are stored apart."""
LARGE = (2, 4)
ZEROS = bytes(1 << 20)


class Readable(EmbeddedMongo):
    """A mongod whose files have each document and each key as it is."""

    def _arguments(self) -> list[str]:
        plain = {
            "--wiredTigerCollectionBlockCompressor": "none",
            "--wiredTigerJournalCompressor": "none",
            "--wiredTigerIndexPrefixCompression": "false",
        }
        return [*super()._arguments(), *(part for option in plain.items() for part in option)]

    def files(self) -> dict[str, bytes]:
        """All of its data: collections (the oplog is one), indexes, the storage engine's own files, the journal."""
        db = self._db_path
        with self.client() as client:
            client.admin.command("fsync")  # a checkpoint: what is in memory alone is in no file
        return {str(path.relative_to(db)): written(path) for path in db.rglob("*") if path.is_file()}

    def sync_anew(self) -> None:
        """Stop it, remove its data, and start it; return when it has copied all of it from another member."""
        self.stop()
        shutil.rmtree(self._db_path)
        self.launch()  # it learns from the others which set it is of
        wait_until("the member to sync", self._is_secondary, 90)

    def _is_secondary(self) -> bool:
        with self.client() as client, suppress(PyMongoError):
            return bool(client.admin.command("replSetGetStatus")["myState"] == 2)
        return False


def written(path: Path) -> bytes:
    """What a file has, without the stretches of zeros: a journal is 100 MB of them from the start."""
    with path.open("rb") as file:
        return b"".join(part for part in iter(partial(file.read, len(ZEROS)), b"") if part != ZEROS[: len(part)])


@dataclass(frozen=True)
class Secret:
    """What an event has that must be gone once it is erased: as random as can be, so that nothing else has it."""

    payload: bytes
    key: bytes
    salt: bytes

    def found(self, files: dict[str, bytes], kind: str = "") -> set[str]:
        """Which of its parts are in the files whose names begin with ``kind``."""
        data = [content for name, content in files.items() if name.startswith(kind)]
        return {name for name in ("payload", "key", "salt") if any(getattr(self, name) in content for content in data)}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Readable]]:
    nodes = [Readable(tmp_path / name, journal_millis=25) for name in "abc"]
    start_set(nodes)
    yield nodes
    for node in nodes:
        node.kill()


@pytest.fixture
def app(nodes: list[Readable], tmp_path: Path) -> Iterator[FastAPI]:
    new_key(tmp_path / "key")
    settings = governed_settings(replica_set_uri(nodes), "log", tmp_path, search_fields="user=/user")
    app = create_app(*ROUTERS, *erase_routers, title="x", settings=settings, anonymous=True)
    with closing(app.state.connection):
        yield app


def append(app: FastAPI, api: TestClient) -> list[Secret]:
    """Append events, with what has to be gone once they are erased."""
    audit(app)  # it declares the search fields, and makes their indexes
    found = []
    for seq in range(COUNT):
        payload, key = secrets.token_hex(24), secrets.token_hex(12)
        more = {"more": secrets.token_hex(APART_FROM)} if seq in LARGE else {}
        event = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "event_id": f"e{seq}"}
        body = event | {"payload": {"user": key, "secret": payload} | more}
        assert api.post("/api/v1/events", json=body).status_code == 201
        stored = wiring_of(app, EraseWiring).log.get("main", f"e{seq}")
        assert stored is not None
        found.append(Secret(payload.encode(), key.encode(), stored.entry.salt))
    audit(app)
    return found


def audit(app: FastAPI, mode: str = "incremental") -> None:
    audits = run_scheduled(wiring_of(app, AuditWiring), mode)["audits"]
    assert {each["status"] for each in audits} <= {"intact"}


def all_on_disk(uri: str, nodes: list[Readable], secrets: list[Secret]) -> None:
    """Wait until each member has all of it in its files; each part where it belongs."""
    with connect(uri) as client:
        client.get_database("other", write_concern=WriteConcern(w=3)).all.insert_one({})

    def is_there(node: Readable) -> bool:
        files = node.files()
        parts = [secret.found(files, "collection-") | secret.found(files, "index-") & {"key"} for secret in secrets]
        keys = [secret.found(files, "index-") for secret in secrets]
        return all(part == {"payload", "key", "salt"} for part in parts) and all("key" in key for key in keys)

    for node in nodes:
        wait_until("all of it to be on disk", partial(is_there, node))


def test_no_file_has_anything_of_an_erased_payload_once_each_member_synced_anew(
    app: FastAPI, nodes: list[Readable]
) -> None:
    with TestClient(app) as api:
        secrets = append(app, api)
        all_on_disk(replica_set_uri(nodes), nodes, secrets)
        order = {"events": [f"e{seq}" for seq in ERASED], "basis": "gdpr-art-17", "reason": "request 118"}
        assert api.post("/api/v1/chains/main/erasures", json=order).status_code == 202
        audit(app)
        assert carry_out(wiring_of(app, EraseWiring), 60)["emptied"] == len(ERASED)
        gone, kept = ([s for seq, s in enumerate(secrets) if (seq in ERASED) is erased] for erased in (True, False))
        for node in nodes:  # it is emptied, and still in the journal and in the oplog
            assert all(secret.found(node.files()) == {"payload", "key", "salt"} for secret in gone)

        first = primary_of(list(nodes))
        for node in nodes:
            if node is not first:
                node.sync_anew()
        with first.client() as client, suppress(NotPrimaryError):  # or another is primary by now: that one is clean
            client.admin.command("replSetStepDown", 60)
        assert isinstance(first, Readable)
        first.sync_anew()

        all_on_disk(replica_set_uri(nodes), nodes, kept)
        for node in nodes:
            files = node.files()
            assert [secret.found(files) for secret in gone] == [set()] * len(ERASED), node.data_dir.name
        audit(app, "full")
        found = api.get("/api/v1/audits", params={"chain": "main"}).json()["audits"][0]
        assert (found["mode"], found["status"], found["erased"]) == ("full", "intact", len(ERASED))
