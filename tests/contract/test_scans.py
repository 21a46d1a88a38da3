"""The scan of an audit: in batches, of which one is fetched while the one before is gone over; nothing is left open."""

import threading
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest
from pymongo.errors import AutoReconnect

from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo import audits, raw_reads, scans
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.scans import ahead, scan_batches
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.each import each
from tests.support.factories import draft

SIZE = 25


@pytest.fixture
def log(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[MongoStore]:
    """Some payloads are stored apart; a batch has five documents."""
    for module in (scans, audits):
        monkeypatch.setattr(module, "BATCH", 5)
    store.append("main", [draft(f"e{number}", payload={"n": "x" * 9000 * (number % 4 == 1)}) for number in range(SIZE)])
    store.settle("main")
    yield store
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@each("limits", [(0, SIZE), (0, None), (3, 17), (24, 25), (9, 9)])
def test_a_scan_has_every_document_with_its_row_through_a_router_too(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int | None]
) -> None:
    start, end = limits
    found = list(AuditStore(log).scan("main", start, end))
    operations = operations_of(log)
    seqs = {"$gte": start} | ({} if end is None else {"$lt": end})
    stored = [bytes(row.raw) for row in operations.raw_events.find({"chain": "main", "seq": seqs}, sort=[("seq", 1)])]
    assert found == list(operations.bodies.joined(stored, None))
    assert list(AuditStore(log).scan("main", start, end, 2)) == found[:2]
    monkeypatch.setattr(Operations, "routed", True)
    assert list(AuditStore(log).scan("main", start, end)) == found


def test_the_next_batch_is_asked_for_before_the_one_before_is_gone_over(log: MongoStore) -> None:
    with closing(AuditStore(log).scan("main", 0, SIZE)) as rows:  # type: ignore[type-var]
        next(rows)
        assert [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.replica_set  # through a router the driver itself reads
def test_what_fails_ahead_fails_where_it_is_wanted(log: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = raw_reads.run, list[object]()

    def failing(*given: object) -> object:
        asked.append(given)
        if len(asked) == 3:
            raise AutoReconnect("gone")
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(raw_reads, "run", failing)
    rows = AuditStore(log).scan("main", 0, SIZE)
    assert len([next(rows) for _ in range(10)]) == 10
    with pytest.raises(StoreUnavailableError):
        next(rows)


def test_reading_ahead_gives_all_in_order_and_ends_what_it_reads_in_the_end() -> None:
    ended = list[str]()

    def numbers() -> Generator[int, None, None]:
        try:
            yield from range(1, 5)
        finally:
            ended.append("ended")

    assert list(ahead(numbers())) == [1, 2, 3, 4]
    some = ahead(numbers())
    assert (next(some), next(some)) == (1, 2)
    some.close()
    assert ended == ["ended", "ended"]


def test_payloads_are_joined_a_few_mebibytes_at_a_time(store: MongoStore) -> None:
    """However many documents one answer has: their payloads may be a thousand times as large."""
    size = 200_000
    for first in range(0, 60, 10):
        store.append("main", [draft(f"e{number}", payload={"n": "x" * size}) for number in range(first, first + 10)])
    store.settle("main")
    operations = operations_of(store)
    with operations.session() as session, closing(scan_batches(operations, session, "main", (0, None))) as found:
        sizes = [sum(map(len, portion)) for portion in found]
    assert sum(sizes) > 60 * size
    assert max(sizes) < (4 << 20) + 2 * size
