"""How many round trips an append takes, and how large the sequence document gets."""

from collections import Counter
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.store.mongo.push import PENDING_LIMIT
from eventlog.store.mongo.settle import BLOCK
from eventlog.store.mongo.store import MongoStore
from tests.contract.test_combined import Watched
from tests.integration.writer import CHAIN, ORIGIN
from tests.support.factories import draft

KIB = 1 << 10


@pytest.fixture
def watched(client: MongoClient[dict[str, Any]], database: str) -> Watched:
    operations = Watched(client, database)
    MongoStore(operations, ORIGIN).append(CHAIN, [draft("first")])
    operations.steps.clear()
    return operations


def document_size(operations: Watched) -> int:
    found = operations.raw_sequences.find_one({"_id": CHAIN})
    assert found is not None
    return len(bytes(found.raw))


@pytest.mark.parametrize("chosen", [False, True], ids=["made-id", "chosen-id"])
def test_single_events_take_one_round_trip_each_and_three_more_a_block(watched: Watched, chosen: bool) -> None:
    store = MongoStore(watched, ORIGIN)
    for number in range(2 * BLOCK):
        store.append(CHAIN, [draft(f"e{number}" if chosen else None)])
    settled = {"read_pending": 2, "insert": 2, "trim": 2}
    looked_up = {"any_settled": 2 * BLOCK - 1, "read_sequence": 1, "read_events": 1} if chosen else {}
    assert watched.steps == Counter({"push": 2 * BLOCK} | settled | looked_up)


def test_a_large_batch_is_settled_by_its_writer_without_reading_it_back(watched: Watched) -> None:
    store = MongoStore(watched, ORIGIN)
    store.settle(CHAIN)
    watched.steps.clear()
    for _ in range(3):
        store.append(CHAIN, [draft() for _ in range(500)])
    assert watched.steps == Counter({"push": 3, "insert": 3, "trim_all": 3})


def test_the_sequence_document_of_a_busy_chain_stays_at_a_block(watched: Watched) -> None:
    store = MongoStore(watched, ORIGIN)
    sizes = []
    for _ in range(3 * BLOCK):
        store.append(CHAIN, [draft()])
        sizes.append(document_size(watched))
    assert max(sizes) < BLOCK * 600


def test_the_sequence_document_can_t_grow_beyond_its_limit_and_one_push(watched: Watched) -> None:
    almost = [draft(payload={"text": "x" * (64 * KIB)}).entry for _ in range(PENDING_LIMIT // (65 * KIB))]
    largest = [draft(payload={"text": "x" * (255 * KIB)}).entry for _ in range(16)]
    assert watched.push(CHAIN, almost, None) is not None
    assert watched.push(CHAIN, largest, None) is not None
    assert watched.push(CHAIN, [draft().entry], None) is None
    assert document_size(watched) < PENDING_LIMIT + 4096 * KIB + 500 * KIB
