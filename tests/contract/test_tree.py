"""Proofs read from MongoDB, settled and pending, verified by the formats alone; what they examine; what damage does."""

from collections.abc import Iterator
from contextlib import closing
from math import log2
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from eventlog.formats import merkle, proof
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.mongo.store import MongoStore, connect, open_log, operations_of
from eventlog.store.mongo.tree import TreeReader
from tests.support.factories import draft
from tools.benchmarks.plans import Explainer

COUNT = 70
ORIGIN = "example.com/log"
SPLITS = (0, 1, 31, 32, 33, 63, 64, 65, 69, 70)
"""How many of the events are settled."""
EVERYTHING = 33
"""The split at which each index and each size is tried; at the others it is some."""


def fill(store: MongoStore, settled: int, pending: int) -> list[Event]:
    """A chain of so many settled events and so many pending ones."""
    operations_of(store).ensure_indexes()
    operations_of(store).create("main", ORIGIN)
    if settled:
        store.append("main", [draft() for _ in range(settled)])
        store.settle("main")
    if pending:
        assert operations_of(store).push("main", [draft().entry for _ in range(pending)], None) is not None
    image = operations_of(store).read_sequence("main")
    assert image is not None
    assert (image.settled.size, len(image.pending)) == (settled, pending)
    with operations_of(store).session() as session:
        ids = [found["event_id"] for found in operations_of(store).events.find({"chain": "main"}, session=session)]
        stored = operations_of(store).read_events("main", ids, session)
    return [*sorted(stored, key=lambda event: event.seq), *image.events()]


def roots_of(events: list[Event]) -> list[bytes]:
    """The root of every size, by plain appending."""
    frontier: list[bytes] = []
    found = [merkle.EMPTY_ROOT]
    for event in events:
        merkle.append_leaf(frontier, event.seq, event.hash)
        found.append(merkle.root(frontier))
    return found


@pytest.mark.parametrize("settled", SPLITS)
def test_every_leaf_is_proven_in_every_tree_settled_or_pending(store: MongoStore, settled: int) -> None:
    events = fill(store, settled, COUNT - settled)
    roots = roots_of(events)
    with TreeReader(store).view("main") as view:
        assert view is not None
        for size in range(1, COUNT + 1):
            for index in {0, 1, size // 2, size - 2, size - 1, *range(size if settled == EVERYTHING else 0)}:
                if 0 <= index < size:
                    found = view.inclusion(index, size)
                    assert found.root == roots[size]
                    proof.verify_inclusion(events[index].hash, index, size, found.hashes, roots[size])


@pytest.mark.parametrize("settled", SPLITS)
def test_every_tree_extends_every_smaller_one(store: MongoStore, settled: int) -> None:
    roots = roots_of(fill(store, settled, COUNT - settled))
    with TreeReader(store).view("main") as view:
        assert view is not None
        for second in range(COUNT + 1) if settled == EVERYTHING else (0, 1, 2, 32, 33, 64, 67, COUNT):
            for first in range(second + 1):
                found = view.consistency(first, second)
                assert (found.first_root, found.second_root) == (roots[first], roots[second])
                proof.verify_consistency(first, second, found.hashes, roots[first], roots[second])
        assert [view.root(size) for size in range(COUNT + 1)] == roots


def test_an_empty_chain_has_the_empty_root(store: MongoStore) -> None:
    fill(store, 0, 0)
    reader = TreeReader(store)
    assert reader.root("main", 0) == merkle.EMPTY_ROOT
    assert reader.consistency("main", 0, 0) == ([], merkle.EMPTY_ROOT, merkle.EMPTY_ROOT)


def test_a_chain_that_is_not_there_has_no_view(store: MongoStore) -> None:
    with TreeReader(store).view("nothing") as view:
        assert view is None
    with pytest.raises(CorruptionError, match="sequence document of chain nothing is missing"):
        TreeReader(store).consistency("nothing", 0, 0)


def test_a_tree_larger_than_the_chain_is_corruption(store: MongoStore) -> None:
    fill(store, 5, 2)
    with pytest.raises(CorruptionError, match="chain main of size 7"):
        TreeReader(store).root("main", 8)


@pytest.fixture(scope="module")
def full(mongo_uri: str) -> Iterator[tuple[MongoStore, Explainer]]:
    """A settled chain of 1,000 events, and a look at what its reads examine."""
    name = f"test_{uuid4().hex[:12]}"
    with connect(mongo_uri) as client:
        store = open_log(client, name, ORIGIN)
        for _ in range(2):
            store.append("main", [draft() for _ in range(500)])
        store.settle("main")
        with closing(Explainer(mongo_uri, name)) as explainer:
            yield store, explainer
        client.drop_database(name)


def at_most(size: int) -> int:
    return max(1, int(2 * log2(size)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 511, 767, 999, 1000])
def test_an_inclusion_proof_examines_two_documents_a_level_at_most(
    full: tuple[MongoStore, Explainer], size: int
) -> None:
    for index in {0, size // 3, size // 2, size - 1}:
        finds = full[1].finds_of(lambda store: TreeReader(store).inclusion("main", index, size))  # noqa: B023
        assert len(finds) == 1
        assert full[1].examined(finds).documents <= at_most(size)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (3, 7), (255, 256), (255, 1000), (512, 1000), (513, 999)])
def test_a_consistency_proof_with_its_roots_examines_two_documents_a_level_at_most(
    full: tuple[MongoStore, Explainer], first: int, second: int
) -> None:
    finds = full[1].finds_of(lambda store: TreeReader(store).consistency("main", first, second))
    assert len(finds) == 1
    assert full[1].examined(finds).documents <= at_most(second)


NODE = 31
"""The event that completes the subtree of the first 32 leaves."""
DAMAGE: dict[str, dict[str, Any]] = {
    "nodes gone": {"$unset": {"nodes": 1}},
    "too few nodes": {"$pop": {"nodes": 1}},
    "a short node": {"$set": {"nodes.4": b"x"}},
    "a node that is text": {"$set": {"nodes.4": "x" * 32}},
    "nodes that are text": {"$set": {"nodes": "x" * 32}},
    "nodes null": {"$set": {"nodes": None}},
    "hash gone": {"$unset": {"hash": 1}},
    "seq a list": {"$set": {"seq": [NODE]}},
}


REFUSED_BY_ROUTERS = "seq a list"
"""As it changes a shard key."""


@pytest.mark.parametrize(
    "damage",
    [pytest.param(name, marks=pytest.mark.replica_set) if name == REFUSED_BY_ROUTERS else name for name in DAMAGE],
)
def test_a_damaged_node_is_corruption(store: MongoStore, damage: str) -> None:
    fill(store, 40, 2)
    operations_of(store).events.update_one({"chain": "main", "seq": NODE}, DAMAGE[damage])
    with pytest.raises(CorruptionError, match="run an audit"):
        TreeReader(store).inclusion("main", 40, 42)


def test_a_missing_event_is_corruption(store: MongoStore) -> None:
    fill(store, 40, 2)
    operations_of(store).events.delete_one({"chain": "main", "seq": NODE})
    with pytest.raises(CorruptionError, match="missing or damaged in chain main of size 42"):
        TreeReader(store).consistency("main", 32, 42)


def test_a_changed_node_makes_a_proof_that_does_not_verify(store: MongoStore) -> None:
    events = fill(store, 40, 0)
    operations_of(store).events.update_one({"chain": "main", "seq": NODE}, {"$set": {"nodes.4": bytes(32)}})
    found = TreeReader(store).inclusion("main", 3, 40)
    with pytest.raises(EvidenceError, match="does not lead to the root"):
        proof.verify_inclusion(events[3].hash, 3, 40, found.hashes, found.root)


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    with MongoClient[dict[str, Any]]("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=10) as nobody:
        reader = TreeReader(open_log(nobody, "nothing", ORIGIN))
        with pytest.raises(StoreUnavailableError):
            reader.root("main", 0)
