"""Settling in blocks: what writers of small pushes leave in `events` is each event that they were told of."""

from typing import Any

from pymongo import MongoClient

from eventlog.store.interface import Placed
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.settle import BLOCK
from eventlog.store.mongo.store import MongoStore
from eventlog.stored import codec
from tests.integration.writer import CHAIN, ORIGIN
from tests.support.factories import draft


def test_blocks_of_two_writers_pushes_of_several_events_hold_each_as_it_was_placed(
    client: MongoClient[dict[str, Any]], database: str
) -> None:
    operations = Operations(client, database)
    operations.ensure_indexes()
    writers = [MongoStore(operations, ORIGIN) for _ in range(2)]
    placed: list[Placed] = []
    while len(placed) < 3 * BLOCK:
        placed += writers[len(placed) % 2].append(CHAIN, [draft() for _ in range(1 + len(placed) % 7)])
    stored = [bytes(found.raw) for found in operations.raw_events.find(sort=[("seq", 1)])]
    assert len(stored) == 3 * BLOCK
    assert stored == [codec.encode_event(one.event) for one in placed[: len(stored)]]
