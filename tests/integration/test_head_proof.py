"""A tenant proves its own head under the registry: over HTTP, with the client, and offline from a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from eventlog.anchors.registry import REGISTRY
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.heads import HeadRows
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.heads import KnownHead, encode_heads, read_heads
from eventlog_client import EventLog, evidence
from eventlog_client.cli import main
from eventlog_client.errors import KeyNeededError, LogMisbehavedError
from tests.support.anchoring import KEY, put_anchor, put_heads
from tests.support.factories import draft
from tests.support.serving import served

HEAD = "/api/v1/chains/b/head"


@pytest.fixture
def tenants(store: MongoStore) -> MongoStore:
    """Three chains, anchored and committed to; one of them has a later anchor, and a fourth has none yet."""
    for chain in ("a", "b", "c", "new"):
        store.append(chain, [draft(chain=chain) for _ in range(3)])
    put_heads(store, *(put_anchor(store, 2, chain) for chain in ("a", "b", "c")))
    put_anchor(store, 3, "b")
    return store


@pytest.fixture
def url(api: TestClient) -> Iterator[str]:
    with served(api.app, quiet=True) as found:
        yield found


def vkey(store: MongoStore, chain: str = "b") -> str:
    return format_vkey(pinned(store, chain))


def pinned(store: MongoStore, chain: str) -> VerifierKey:
    found = store.chain(chain)
    assert found is not None
    return KEY.verifier(found.origin, chain)


def test_a_tenant_proves_its_head_and_somebody_else_verifies_it_offline(
    tenants: MongoStore, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EventLog(url, key=vkey(tenants)) as log:
        shown, proven = log.head("b")
        assert (proven.anchor.checkpoint.size, proven.anchor.seal.number, proven.commitment.count) == (2, 1, 3)
        assert proven.anchor.data == next(CheckpointStore(tenants).scan("b")).note
    file, key = tmp_path / "head.json", ["--key", vkey(tenants)]
    assert main(["--url", url, "prove-head", "--chain", "b", *key, "--out", str(file)]) == 0
    assert orjson.loads(file.read_bytes()) == shown
    assert main(["verify-head", str(file), *key]) == 0
    assert "Verified: size 2 of" in capsys.readouterr().out
    assert main(["--json", "verify-head", str(file), *key]) == 0
    assert orjson.loads(capsys.readouterr().out)["heads"] == 3
    file.write_bytes(orjson.dumps(shown | {"index": 0}))
    assert main(["verify-head", str(file), *key]) == 3
    assert main(["verify-head", str(file), "--key", vkey(tenants, "a")]) == 3
    with EventLog(url, key=vkey(tenants, "a")) as log, pytest.raises(KeyNeededError):
        log.head("b")


def test_what_can_not_be_proven_yet_is_said(tenants: MongoStore, api: TestClient) -> None:
    for chain, words in (("new", "does not commit to a head of chain new yet"), ("ghost", "There is no chain ghost")):
        answer = api.get(f"/api/v1/chains/{chain}/head")
        assert (answer.status_code, words in answer.json()["detail"]) == (404, True)
    known = read_heads(codec.decode(HeadRows(tenants).get() or b""))
    known.event_id = "eventlog.anchored-000000000000001"
    HeadRows(tenants).save(encode_heads(known, {}))
    answer = api.get(HEAD)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def broken(store: MongoStore, name: str) -> None:
    rows, operations = HeadRows(store), operations_of(store)
    if name == "another list":
        known = read_heads(codec.decode(rows.get() or b""))
        known.heads["a"] = KnownHead(7, bytes(32))
        rows.save(encode_heads(known, {}))
    elif name == "no copy":
        operations.checkpoints.delete_many({"chain": "b"})
    elif name == "junk":
        operations.heads.replace_one({}, {"_id": "newest"})
    elif name == "another event":
        operations.events.update_many({"chain": REGISTRY}, {"$set": {"payload": "{}"}})


@pytest.mark.parametrize("name", ["another list", "no copy", "junk", "another event"])
def test_what_is_damaged_is_no_proof(tenants: MongoStore, api: TestClient, name: str) -> None:
    broken(tenants, name)
    answer = api.get(HEAD)
    assert (answer.status_code, answer.json()["detail"].startswith("Stored data is damaged")) == (500, True)


def test_a_log_that_shows_another_head_misbehaves(tenants: MongoStore, api: TestClient) -> None:
    lie: Any = api.get(HEAD).json() | {"chain": "c"}
    with pytest.raises(LogMisbehavedError, match="another log or chain"):
        evidence.head(lie, "b", [pinned(tenants, "c")])
    with pytest.raises(LogMisbehavedError, match="about chain b"):
        evidence.head(api.get(HEAD).json(), "c", [pinned(tenants, "b")])
