"""Proofs, roots and checkpoints over HTTP, verified by the formats alone with a key that the test pins."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from eventlog.formats import hashing
from eventlog.formats.anchor import verify_anchor
from eventlog.formats.checkpoint import verify_checkpoint
from eventlog.formats.proof import verify_consistency, verify_inclusion
from eventlog.formats.tlog_proof import verify_tlog_proof
from eventlog.store.mongo.store import MongoStore, connect, operations_of
from eventlog.stored.anchor_copies import AnchorCopy
from tests.integration.conftest import MakeApi
from tests.support.anchoring import KEY, put_anchor
from tests.support.factories import draft

ORIGIN = "localhost/eventlog"
PIN = [KEY.verifier(ORIGIN)]
CHAIN = "/api/v1/chains/main"
SIZES = (1, 7, 20, 24)
"""Checkpoints are at these sizes of a chain of 30 events, of which 26 are settled."""


def store_of(api: TestClient) -> MongoStore:
    found: MongoStore = api.app.state.connection.log  # type: ignore[attr-defined]
    return found


def fill(store: MongoStore, settled: int, pending: int) -> None:
    """Events e0, e1, ..., of which the last ones are pending."""
    drafts = [draft(f"e{n}") for n in range(settled + pending)]
    store.append("main", drafts[:settled])
    store.settle("main")
    if pending:
        assert operations_of(store).push("main", [found.entry for found in drafts[settled:]], None) is not None


@pytest.fixture(scope="module")
def full(make_api: MakeApi, mongo_uri: str) -> Iterator[TestClient]:
    """A chain of 30 events with four checkpoints."""
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        fill(store_of(api), 26, 4)
        for size in SIZES:
            put_anchor(store_of(api), size)
        yield api
    with connect(mongo_uri) as client:
        client.drop_database(name)


def proof(api: TestClient, event_id: str, **parameters: Any) -> Any:
    return api.get(f"/api/v1/events/{event_id}/proof", params=parameters)


def hashes(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem document that it must be."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("seq", [0, 6, 7, 23])
def test_an_event_is_proven_under_the_newest_checkpoint(full: TestClient, seq: int) -> None:
    found = proof(full, f"e{seq}").json()
    checkpoint, _ = verify_checkpoint(found["checkpoint"].encode(), PIN)
    assert (found["chain"], found["leaf_index"], found["tree_size"]) == ("main", seq, SIZES[-1])
    assert (checkpoint.size, checkpoint.root.hex()) == (found["tree_size"], found["root"])
    event = full.get(f"/api/v1/events/e{seq}").json()
    assert found["leaf_hash"] == event["hash"] == hashing.leaf_hash(bytes.fromhex(found["leaf"])).hex()
    leaf = hashing.leaf(seq, bytes.fromhex(event["prev_hash"]), bytes.fromhex(event["content_hash"]))
    assert found["leaf"] == leaf.hex()
    verify_inclusion(bytes.fromhex(event["hash"]), seq, checkpoint.size, hashes(found["hashes"]), checkpoint.root)


@pytest.mark.parametrize("seq", [0, 25, 26, 29])
def test_an_event_settled_or_pending_is_proven_at_every_size_that_has_it(full: TestClient, seq: int) -> None:
    event = full.get(f"/api/v1/events/e{seq}").json()
    for size in range(seq + 1, 31):
        found = proof(full, f"e{seq}", size=size).json()
        root = full.get(f"{CHAIN}/root", params={"size": size}).json()["root"]
        assert (found["tree_size"], found["root"]) == (size, root)
        assert (found["checkpoint"] is not None) == (size in SIZES)
        path = hashes(found["hashes"])
        verify_inclusion(bytes.fromhex(event["hash"]), seq, size, path, bytes.fromhex(root))


def test_a_client_that_wants_text_gets_a_proof_file(full: TestClient) -> None:
    event = full.get("/api/v1/events/e3").json()
    for size in (None, 7):
        parameters = {} if size is None else {"size": size}
        answer = full.get("/api/v1/events/e3/proof", params=parameters, headers={"accept": "text/plain"})
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.content.startswith(b"c2sp.org/tlog-proof@v1\n")
        checkpoint = verify_tlog_proof(answer.content, bytes.fromhex(event["hash"]), PIN)
        assert checkpoint.size == (size or SIZES[-1])


@pytest.mark.parametrize(
    "accept", ["application/json, text/plain", "*/*", "application/json", "text/html, */*;q=0.1", ""]
)
def test_everybody_else_gets_json(full: TestClient, accept: str) -> None:
    answer = full.get("/api/v1/events/e3/proof", headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"


def test_a_proof_file_needs_a_checkpoint_of_its_size(full: TestClient) -> None:
    answer = full.get("/api/v1/events/e3/proof?size=8", headers={"accept": "text/plain"})
    assert "no checkpoint of chain main at size 8" in problem(answer, 404)["detail"]


def test_an_event_that_no_checkpoint_covers_yet_says_what_to_do(full: TestClient) -> None:
    assert "ask with size=25..30 for a proof without one" in problem(proof(full, "e24"), 404)["detail"]


def test_without_any_checkpoint_a_proof_says_what_to_do(api: TestClient) -> None:
    fill(store_of(api), 3, 0)
    assert "ask with size=2..3 for a proof without one" in problem(proof(api, "e1"), 404)["detail"]
    assert proof(api, "e1", size=3).status_code == 200


@pytest.mark.parametrize(
    ("event_id", "parameters"), [("none", {}), ("none", {"size": 3}), ("e1", {"chain": "other"})], ids=str
)
def test_what_is_not_there_has_no_proof(full: TestClient, event_id: str, parameters: dict[str, Any]) -> None:
    assert "There is no" in problem(proof(full, event_id, **parameters), 404)["detail"]


@pytest.mark.parametrize("size", ["0", "5", "31", "-1", "x", "", str(2**63)])
def test_a_size_that_cannot_prove_the_event_is_refused(full: TestClient, size: str) -> None:
    (error,) = problem(proof(full, "e5", size=size), 422)["errors"]
    assert error["pointer"] == "/query/size"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/events/e1/proof?sise=3",
        f"{CHAIN}/consistency?first=1&second=2&third=3",
        f"{CHAIN}/root?sise=3",
        f"{CHAIN}/checkpoint?sise=3",
        f"{CHAIN}/tlog/checkpoint?size=3",
        f"{CHAIN}/tlog/tile/0/000.p/1?size=3",
        "/api/v1/export?form_seq=1",
    ],
)
def test_an_unknown_parameter_is_refused(full: TestClient, path: str) -> None:
    (error,) = problem(full.get(path), 422)["errors"]
    assert error["pointer"] == f"/query/{path.rpartition('?')[2].rpartition('&')[2].partition('=')[0]}"


def test_every_size_is_consistent_with_every_smaller_one(full: TestClient) -> None:
    roots = [bytes.fromhex(full.get(f"{CHAIN}/root?size={size}").json()["root"]) for size in range(31)]
    for second in range(31):
        for first in range(second + 1):
            found = full.get(f"{CHAIN}/consistency", params={"first": first, "second": second}).json()
            assert (found["first"], found["second"]) == (first, second)
            assert hashes([found["first_root"], found["second_root"]]) == [roots[first], roots[second]]
            verify_consistency(first, second, hashes(found["hashes"]), roots[first], roots[second])


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"first": 3, "second": 2}, "/query/first"),
        ({"first": 3, "second": 31}, "/query/second"),
        ({"first": -1, "second": 31}, "/query/first"),
        ({"first": 3}, "/query/second"),
        ({"second": 3}, "/query/first"),
        ({"first": 3, "second": "x"}, "/query/second"),
    ],
    ids=str,
)
def test_sizes_that_have_no_consistency_proof_are_refused(
    full: TestClient, parameters: dict[str, Any], pointer: str
) -> None:
    errors = problem(full.get(f"{CHAIN}/consistency", params=parameters), 422)["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


@pytest.mark.parametrize("path", ["consistency?first=0&second=0", "root", "checkpoint", "tlog/checkpoint"])
def test_a_chain_that_is_not_there_is_not_found(full: TestClient, path: str) -> None:
    assert "chain nothing" in problem(full.get(f"/api/v1/chains/nothing/{path}"), 404)["detail"]


def test_the_root_is_by_default_that_of_the_chain_now(full: TestClient) -> None:
    shown = full.get(CHAIN).json()
    assert full.get(f"{CHAIN}/root").json() == {"chain": "main", "size": 30, "root": shown["root"]}
    (error,) = problem(full.get(f"{CHAIN}/root?size=31"), 422)["errors"]
    assert error == {"pointer": "/query/size", "detail": "the chain has 30 events"}


@pytest.mark.parametrize("path", ["checkpoint", "checkpoint?size=24", "tlog/checkpoint"])
def test_the_newest_checkpoint_comes_byte_for_byte(full: TestClient, path: str) -> None:
    answer = full.get(f"{CHAIN}/{path}")
    anchor = verify_anchor(answer.content, [KEY.public_key])
    assert (anchor.checkpoint.size, anchor.seal.number) == (24, 4)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


def test_an_older_checkpoint_is_found_by_its_size(full: TestClient) -> None:
    assert verify_anchor(full.get(f"{CHAIN}/checkpoint?size=7").content, [KEY.public_key]).checkpoint.size == 7
    assert "at size 8" in problem(full.get(f"{CHAIN}/checkpoint?size=8"), 404)["detail"]


def test_a_chain_shows_its_newest_checkpoint(full: TestClient) -> None:
    shown = full.get(CHAIN).json()
    found = shown["last_checkpoint"]
    anchor = verify_anchor(found["note"].encode(), [KEY.public_key])
    assert (found["number"], found["size"], found["root"]) == (4, 24, anchor.checkpoint.root.hex())
    assert found["time"] == "2023-11-14T22:13:20.004Z"
    assert shown["keys"] == [f"{ORIGIN}/main+{PIN[0].key_id.hex()}+{shown['keys'][0].rpartition('+')[2]}"]


def test_a_chain_without_checkpoints_shows_none(api: TestClient) -> None:
    fill(store_of(api), 1, 0)
    shown = api.get(CHAIN).json()
    assert (shown["last_checkpoint"], shown["keys"]) == (None, [])


def damaged(api: TestClient, path: str) -> None:
    """The answer for what only an audit can explain."""
    assert problem(api.get(path), 500)["detail"] == "Stored data is damaged; run an audit."


@pytest.fixture
def signed(api: TestClient) -> AnchorCopy:
    """A chain of ten events and a checkpoint of eight."""
    fill(store_of(api), 10, 0)
    return put_anchor(store_of(api), 8)


@pytest.mark.usefixtures("signed")
def test_a_checkpoint_of_another_tree_is_never_given_as_proof(api: TestClient) -> None:
    put_anchor(store_of(api), 9, root=bytes(32))
    damaged(api, "/api/v1/events/e1/proof")
    damaged(api, f"{CHAIN}/consistency?first=8&second=9")
    damaged(api, "/api/v1/export")


@pytest.mark.usefixtures("signed")
def test_a_chain_shorter_than_its_checkpoint_proves_nothing(api: TestClient) -> None:
    put_anchor(store_of(api), 11, root=bytes(32))
    for path in ("/api/v1/events/e1/proof", "/api/v1/export", f"{CHAIN}/tlog/tile/0/000.p/2"):
        damaged(api, path)


@pytest.mark.usefixtures("signed")
def test_an_event_with_another_hash_than_its_leaf_is_not_proven(api: TestClient) -> None:
    operations_of(store_of(api)).events.update_one({"chain": "main", "seq": 4}, {"$set": {"content_hash": bytes(32)}})
    damaged(api, "/api/v1/events/e4/proof")
    assert proof(api, "e5").status_code == 200


@pytest.mark.usefixtures("signed")
def test_a_changed_node_is_not_served_in_a_proof(api: TestClient) -> None:
    operations_of(store_of(api)).events.update_one({"chain": "main", "seq": 3}, {"$set": {"nodes.1": bytes(32)}})
    damaged(api, "/api/v1/events/e6/proof?size=10")
    damaged(api, f"{CHAIN}/consistency?first=5&second=8")
    assert proof(api, "e1", size=10).status_code == 200


@pytest.mark.usefixtures("signed")
def test_a_checkpoint_that_is_none_is_damage(api: TestClient) -> None:
    operations_of(store_of(api)).checkpoints.update_one({}, {"$set": {"note": "hello"}})
    assert api.get(CHAIN).json().keys() == {"chain", "damaged", "standing", "last_audit"}
    damaged(api, "/api/v1/events/e1/proof")
