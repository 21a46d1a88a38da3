"""A page by seq has every event of its range, or is an error: none is left out unnoticed, whatever hides it."""

from collections.abc import Callable

import pytest
from bson import Int64

from eventlog.store.errors import CorruptionError
from eventlog.store.interface import Order, Query
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.each import each
from tests.support.factories import draft

SETTLED, SIZE = 12, 15
ORDERS: tuple[Order, ...] = ("asc", "desc")


@pytest.fixture
def log(store: MongoStore) -> MongoStore:
    """Twelve settled events and three pending ones."""
    store.append("main", [draft(f"e{seq}") for seq in range(SETTLED)])
    store.settle("main")
    assert operations_of(store).push("main", [draft(f"e{seq}").entry for seq in range(SETTLED, SIZE)], None) is not None
    return store


def seqs(store: MongoStore, low: int | None, high: int | None, order: Order, limit: int) -> list[int]:
    query = Query(chain="main", sort="seq", order=order, from_seq=low, to_seq=high, limit=limit)
    return [event.seq for event in store.page(query).events]


def remove(db: Operations, seq: int) -> None:
    db.events.delete_one({"chain": "main", "seq": seq})


def filtered(db: Operations, seq: int) -> None:
    """Hide one event from the index that pages by seq are read by."""
    db.events.drop_index("chain_1_seq_1")
    hidden = {"event_id": {"$gt": f"e{seq}"}} if seq == 0 else {"seq": {"$lt": seq}}
    db.events.create_index([("chain", 1), ("seq", 1)], unique=True, partialFilterExpression=hidden)


def move(db: Operations, seq: int) -> None:
    db.events.update_one({"chain": "main", "seq": seq}, {"$set": {"seq": Int64(SETTLED + 90 + seq)}})


def rename(db: Operations, seq: int) -> None:
    db.events.update_one({"chain": "main", "seq": seq}, {"$set": {"chain": ["ghost"]}})


@pytest.mark.replica_set
@pytest.mark.parametrize("hide", [remove, filtered, move, rename])
@pytest.mark.parametrize("seq", [0, 5, SETTLED - 1])
def test_a_page_that_should_have_a_hidden_event_is_an_error_and_others_are_shown(
    log: MongoStore, hide: Callable[[Operations, int], None], seq: int
) -> None:
    hide(operations_of(log), seq)
    last = seq if hide is not filtered else SETTLED  # a filter on seq hides those after it, too
    for order in ORDERS:
        for low, high in ((None, None), (seq, seq + 1), (max(0, seq - 2), seq + 3), (seq, None)):
            with pytest.raises(CorruptionError, match="run an audit"):
                seqs(log, low, high, order, 100)
        assert seqs(log, SETTLED, None, order, 100) == sorted(range(SETTLED, SIZE), reverse=order == "desc")
    if last == seq:
        assert seqs(log, seq + 1, SIZE, "asc", 2) == list(range(seq + 1, min(seq + 3, SIZE)))
    if seq:
        assert seqs(log, None, seq, "desc", 2) == [seq - 1, seq - 2]


@each("low", [None, 0, 3, SETTLED, SIZE, SIZE + 5])
@each("high", [None, 0, 4, SETTLED + 1, SIZE, SIZE + 9])
@each("limit", [1, 4, 100])
@each("order", ORDERS)
def test_an_honest_page_is_what_it_was(
    log: MongoStore, low: int | None, high: int | None, order: Order, limit: int
) -> None:
    wanted = list(range(low or 0, min(SIZE, SIZE if high is None else high)))
    assert seqs(log, low, high, order, limit) == (wanted if order == "asc" else wanted[::-1])[:limit]
