"""Counts of long chains, for which no event is looked at: the figures are those of grouping."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from random import Random

import pytest
from bson import DatetimeMS, Int64
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, OperationFailure

from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import TooManyEventsError
from eventlog.store.interface import Query
from eventlog.store.interface.counts import Buckets, CountedField, Counts
from eventlog.store.mongo import count_scans, counts, snapshots
from eventlog.store.mongo.counts import EventCounter
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.snapshots import NO_SNAPSHOT, Snapshot, read_snapshot
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft
from tests.support.profiled import profiled

pytestmark = pytest.mark.replica_set
HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
TYPES = ("a", "a.b", "b", "b*", "$c")
SOURCES = ("web", "app")


@pytest.fixture(autouse=True)
def filled(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> int:
    """Three days of events, in no order; so many are settled."""
    monkeypatch.setattr(counts, "MANY", 10)
    append(store, 300)
    store.settle("main")
    return 300


def append(store: MongoStore, number: int) -> None:
    random = Random(number)
    made = [
        draft(
            event_type=random.choice(TYPES),
            source_id=random.choice(SOURCES),
            timestamp=START + random.choice((0, 1, HOUR - 1, HOUR, random.randrange(72 * HOUR))),
        )
        for _ in range(number)
    ]
    store.append("main", made)


def asked(by: CountedField | None = None, types: Sequence[str] = (), sources: Sequence[str] = ()) -> Buckets:
    """Two days, which begin and end within an hour."""
    return Buckets(
        chain="main",
        start=START + 1,
        end=START + 48 * HOUR + 7,
        width=HOUR,
        by=by,
        event_types=NameFilter.of(types),
        source_ids=NameFilter.of(sources),
    )


def shown(found: Counts) -> tuple[dict[int, int], dict[str, dict[int, int]]]:
    """What a reader sees: no bucket or value that has nothing."""
    return dict(found.all), {value: dict(each) for value, each in found.by_value.items() if each.total()}


def every() -> list[Buckets]:
    bys: tuple[CountedField | None, ...] = (None, "event_type", "source_id")
    types: tuple[list[str], ...] = ([], ["a*"], ["b\\*", "$c"], ["nothing"])
    return [asked(by, each, sources) for by, each, sources in product(bys, types, ([], ["web"], ["w*", "app"]))]


@contextmanager
def grouping() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "MANY", 10**9)
        yield


def compare(store: MongoStore, scans: list[int]) -> None:
    counter = EventCounter(store)
    for buckets in every():
        with grouping():
            expected = counter.count(buckets, 12)
        assert shown(counter.count(buckets, 12)) == shown(expected), buckets
    assert scans, "nothing was counted by stretches"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The settled size of each chain as it was counted by stretches."""
    seen: list[int] = []
    scanned = count_scans.scanned

    def watched(operations: Operations, buckets: Buckets, size: int, millis: int, session: ClientSession) -> object:
        read = scanned(operations, buckets, size, millis, session)
        if read is not None:
            seen.append(read[0].settled.size)
        return read

    monkeypatch.setattr(counts, "scanned", watched)
    return seen


def test_stretches_count_what_grouping_counts(store: MongoStore, scans: list[int]) -> None:
    compare(store, scans)
    buckets = asked("event_type")
    page = store.page(Query(chain="main", start_time=buckets.start, end_time=buckets.end, limit=1000))
    assert EventCounter(store).count(buckets, 12).all.total() == len(page.events)


def test_pending_events_count_once_while_they_are_being_settled(
    store: MongoStore, scans: list[int], monkeypatch: pytest.MonkeyPatch, filled: int
) -> None:
    append(store, 40)
    compare(store, scans)
    operations = operations_of(store)
    for name in ("trim", "trim_all"):  # a settler that dies between its two steps
        monkeypatch.setattr(operations, name, lambda *_, **__: None)
    store.settle("main")
    assert operations.events.count_documents({"chain": "main"}) == filled + 40
    compare(store, scans)
    assert set(scans) == {filled}


def test_a_bucket_costs_its_keys_and_no_event_is_read(store: MongoStore) -> None:
    operations = operations_of(store)
    cases: tuple[tuple[CountedField | None, int], ...] = (
        (None, 1),
        ("event_type", len(TYPES)),
        ("source_id", len(SOURCES)),
    )
    for by, values in cases:
        buckets = replace(asked(), by=by, width=24 * HOUR)
        with profiled(operations.events.database) as cost:
            total = EventCounter(store).count(buckets, 12).all.total()
        keys = sum(number for kind, number in cost.items() if "$count" in kind)
        assert total <= keys <= total + 2 * 3 * values, by
    for names in product(("", *TYPES), ("", *SOURCES)):
        match = {field: name for field, name in zip(("event_type", "source_id"), names, strict=True) if name}
        pipeline = count_scans._count(None, 0, {"chain": "main"} | match | {"timestamp": count_scans._times(0, 1)})
        command = {"aggregate": "events", "pipeline": pipeline, "cursor": {}}
        explained = operations.events.database.command("explain", command, verbosity="queryPlanner")
        assert explained["stages"][0]["$cursor"]["queryPlanner"]["winningPlan"]["stage"] == "COUNT_SCAN", match


def test_too_many_stretches_are_grouped(store: MongoStore, scans: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_scans, "MAX_STRETCHES", 49 * len(TYPES) - 1)
    found = EventCounter(store).count(asked("event_type"), 12)
    assert not scans
    monkeypatch.setattr(count_scans, "MAX_STRETCHES", 49 * len(TYPES))
    assert shown(EventCounter(store).count(asked("event_type"), 12)) == shown(found)
    assert len(scans) == 1


@pytest.mark.parametrize("code", sorted(NO_SNAPSHOT))
def test_where_no_snapshot_can_be_read_events_are_grouped(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    expected = shown(EventCounter(store).count(asked("event_type"), 12))

    def refused(*_: object) -> None:
        raise OperationFailure("no snapshot", code)

    monkeypatch.setattr(count_scans, "_values", refused)
    assert shown(EventCounter(store).count(asked("event_type"), 12)) == expected


def test_a_snapshot_older_than_what_was_shown_is_not_counted(store: MongoStore, filled: int) -> None:
    operations, buckets = operations_of(store), asked()
    with operations.session() as session:
        assert count_scans.scanned(operations, buckets, filled + 1, 1000, session) is None
        assert count_scans.scanned(operations, buckets, filled, 1000, session) is not None


def test_a_connection_that_is_lost_meanwhile_is_no_failure(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = shown(EventCounter(store).count(asked("event_type"), 12))

    def lost(*_: object) -> None:
        raise AutoReconnect("lost")

    monkeypatch.setattr(Snapshot, "rows", lost)
    assert shown(EventCounter(store).count(asked("event_type"), 12)) == expected


def test_many_rows_that_were_planted_behind_the_chain_are_left_to_grouping(
    store: MongoStore, scans: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = shown(EventCounter(store).count(asked(), 12))
    events = operations_of(store).events
    row = (events.find_one({"chain": "main", "seq": 5}) or {}) | {"timestamp": DatetimeMS(START + HOUR)}
    events.insert_many([row | {"_id": f"main/planted-{n}", "seq": Int64(1000 + n)} for n in range(80)])
    assert shown(EventCounter(store).count(asked(), 12)) == expected
    assert len(scans) == 2
    monkeypatch.setattr(snapshots, "_MANY", 70)
    assert shown(EventCounter(store).count(asked(), 12)) == expected
    assert len(scans) == 2


def test_what_comes_after_a_snapshot_is_not_in_it(store: MongoStore, filled: int) -> None:
    operations = operations_of(store)
    with operations.session() as session:
        snapshot = read_snapshot(operations, "main", session)
        assert snapshot is not None
        append(store, 40)
        store.settle("main")
        counted = {"aggregate": "events", "pipeline": [{"$match": {"chain": "main"}}, {"$count": "count"}]}
        assert snapshot.rows(counted) == [{"count": filled}]
        assert snapshot.image.settled.size == filled
        assert read_snapshot(operations, "nothing", session) is None


def test_more_events_than_the_limit_are_refused_before_they_are_counted(
    store: MongoStore, scans: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    total = EventCounter(store).count(asked(), 12).all.total()
    monkeypatch.setattr(counts, "MAX_COUNTED", total)
    assert EventCounter(store).count(asked(), 12).all.total() == total
    scans.clear()
    monkeypatch.setattr(counts, "MAX_COUNTED", total - 1)
    with pytest.raises(TooManyEventsError):
        EventCounter(store).count(asked(), 12)
    assert not scans
