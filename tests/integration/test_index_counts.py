"""A full audit counts a chain through each index that queries use, and says which one hides how many events."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, Regex
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure

from eventlog.audit import scan
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport, Mode
from eventlog.audit.run_documents import read_run
from eventlog.store.mongo import index_counts
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.indexes import BY_SEQ, EVENTS, Index
from eventlog.store.mongo.snapshots import NO_SNAPSHOT, Snapshot, read_snapshot
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.anchored import ORIGIN, kinds
from tests.support.each import each
from tests.support.factories import draft
from tests.support.profiled import DOCUMENTS, counted, profiled

SIZE = 20
HIDDEN = 3


@pytest.fixture
def log(store: MongoStore) -> MongoStore:
    """Events of two types, sources and moments, whose order by time is not that by seq; and a chain beside it."""
    for chain in ("lain", "main", "mains"):
        drafts = [
            draft(f"e{n}", chain=chain, event_type="ab"[n % 2], source_id="xy"[n // 2 % 2], timestamp=1000 + n * 7 % 5)
            for n in range(SIZE)
        ]
        store.append(chain, drafts)
        store.settle(chain)
    return store


def audited(store: MongoStore, mode: Mode = "full", chain: str = "main") -> AuditReport:
    """Audit a chain: the first step in one process, the others in another, which goes on from what was stored."""
    auditor = Auditor(store, AuditStore(store), ORIGIN)
    report = auditor.run(auditor.start(chain, mode), 0)
    if report.status == "running":
        (report,) = Auditor(store, AuditStore(store), ORIGIN).resume(60)
    return report


def hide(store: MongoStore, index: Index, where: dict[str, Any]) -> None:
    events = operations_of(store).events
    events.drop_index(index.name)
    unique: dict[str, Any] = {"unique": True} if index.unique else {}
    events.create_index(index.keys, name=index.name, partialFilterExpression=where, **unique)


def by_keys_alone(patch: pytest.MonkeyPatch) -> None:
    """As long chains are counted."""
    patch.setattr(index_counts, "_LONG", 0)


def with_bounds(patch: pytest.MonkeyPatch) -> None:
    """As short chains are."""
    patch.setattr(index_counts, "_LONG", SIZE + 1)


def by_steps(patch: pytest.MonkeyPatch) -> None:
    """As very long ones are."""
    patch.setattr(index_counts, "_AT_ONCE", 0)


WAYS = (by_keys_alone, with_bounds, by_steps)


def show(store: MongoStore, index: Index) -> None:
    operations_of(store).events.drop_index(index.name)
    operations_of(store).events.create_index(index.keys, unique=index.unique)


@pytest.mark.replica_set  # the index of the shard key is made anew
@pytest.mark.parametrize("step", [1, 2, scan.STEP])
@pytest.mark.parametrize("way", WAYS)
def test_each_index_that_lacks_rows_is_named_with_how_many(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch, step: int, way: Callable[[pytest.MonkeyPatch], None]
) -> None:
    monkeypatch.setattr(scan, "STEP", step)
    way(monkeypatch)
    assert audited(log).status == "intact"
    for index in EVENTS:
        hide(log, index, {"seq": {"$lt": SIZE - HIDDEN}})
        report = audited(log)
        assert kinds(report) == [("schema_mismatch", None)], report
        (found,) = report.findings
        assert (found.expected, found.actual) == (str(SIZE), str(SIZE - HIDDEN))
        assert f"the index {index.name} of events hides {HIDDEN}" in found.detail
        assert audited(log, "incremental").status == "intact"
        show(log, index)
    assert audited(log).status == "intact"


def test_what_takes_too_long_at_once_is_counted_by_steps(log: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def count_documents(*_: object, maxTimeMS: int, **__: object) -> int:  # noqa: N803
        asked.append(maxTimeMS)
        raise ExecutionTimeout("operation exceeded time limit", 50)

    monkeypatch.setattr(scan, "STEP", 2)
    monkeypatch.setattr(Collection, "count_documents", count_documents)
    assert audited(log).status == "intact"
    hide(log, EVENTS[1], {"seq": {"$lt": SIZE - HIDDEN}})
    assert kinds(audited(log)) == [("schema_mismatch", None)]
    assert asked == [index_counts._AT_ONCE_MILLIS] * len(EVENTS) * 2


def test_what_is_being_counted_when_time_is_up_is_stored_with_the_audit(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "STEP", 2)
    auditor = Auditor(log, AuditStore(log), ORIGIN)
    report = auditor.run(auditor.start("main", "full"), 0)
    stored = AuditStore(log).get(report.audit_id)
    assert stored is not None
    run = read_run(stored)
    assert run.counted is not None
    assert [each.done for each in run.counted.values()] == [True, False, False, False, False]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("count")]


@pytest.mark.replica_set
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "seq",
    [
        *(Int64(-1), 1e9, "x", "", None, MaxKey(), MinKey(), True, datetime(2026, 1, 1, tzinfo=UTC), float("nan")),
        *([-1, 5.5], [-5, 10**9], {"a": 1}, Regex("x"), Decimal128("1E+9")),
    ],
    ids=repr,
)
def test_no_row_that_was_planted_in_an_index_stands_for_an_event_that_it_lacks(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch, seq: Any, way: Callable[[pytest.MonkeyPatch], None]
) -> None:
    way(monkeypatch)
    events = operations_of(log).events
    event = events.find_one({"chain": "main", "seq": 0}) or {}
    hidden = events.count_documents({"chain": "main", "timestamp": event["timestamp"]})
    late = datetime(2026, 1, 1, tzinfo=UTC)
    events.insert_one(event | {"_id": "planted", "event_id": "planted", "seq": seq, "timestamp": late})
    index = EVENTS[1]
    events.drop_index(index.name)
    later = {"timestamp": {"$gt": event["timestamp"]}}
    events.create_index(index.keys, name=index.name, partialFilterExpression=later)
    found = [one for one in audited(log).findings if one.kind == "schema_mismatch"]
    (named,) = [one.detail for one in found]
    counted_too = isinstance(seq, list)  # with an entry on either side of the chain: each index shows it
    assert f"the index {index.name} of events hides {hidden} of the chain's {SIZE + counted_too} " in named


@pytest.mark.replica_set
@each("unusable", ["gone", "hidden"])
def test_an_index_that_hides_events_is_named_though_the_one_by_seq_is_no_help(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch, unusable: str
) -> None:
    by_keys_alone(monkeypatch)
    events = operations_of(log).events
    hide(log, EVENTS[1], {"seq": {"$lt": SIZE - HIDDEN}})
    events.drop_index(BY_SEQ.name)
    if unusable == "hidden":
        events.create_index(BY_SEQ.keys, unique=True, hidden=True)
    named = [one.detail for one in audited(log).findings if one.kind == "schema_mismatch"]
    assert len(named) == 1
    assert f"the index {EVENTS[1].name} of events hides {HIDDEN}" in named[0]
    show(log, EVENTS[1])
    if unusable == "gone":
        events.create_index(BY_SEQ.keys, unique=True)
    else:
        show(log, BY_SEQ)


@pytest.mark.replica_set
def test_what_was_settled_since_stands_for_no_event_that_an_index_hides(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_keys_alone(monkeypatch)
    hide(log, EVENTS[1], {"timestamp": {"$gt": operations_of(log).events.find_one({"seq": 0})["timestamp"]}})  # type: ignore[index]
    auditor = Auditor(log, AuditStore(log), ORIGIN)
    started = auditor.start("main", "full")
    log.append("main", [draft(f"late{n}", timestamp=5000) for n in range(SIZE)])
    log.settle("main")
    assert kinds(auditor.run(started, 60)) == [("schema_mismatch", None)]


def test_an_older_snapshot_accuses_nobody(log: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a primary reads that was replaced, or one that a majority has not followed yet."""
    by_keys_alone(monkeypatch)
    operations = operations_of(log)
    with operations.client.start_session() as session:
        old = read_snapshot(operations, "main", session)
    log.append("main", [draft("later")])
    log.settle("main")
    monkeypatch.setattr(index_counts, "read_snapshot", lambda *_: old)
    assert audited(log).status == "intact"


@pytest.mark.replica_set
@each("error", [*(OperationFailure("no snapshot", code) for code in sorted(NO_SNAPSHOT)), AutoReconnect("gone")])
def test_where_no_snapshot_can_be_read_the_chain_is_counted_with_bounds(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    by_keys_alone(monkeypatch)

    def refuse(*_: object) -> Any:
        raise error

    monkeypatch.setattr(Snapshot, "rows", refuse)
    assert audited(log).status == "intact"
    hide(log, EVENTS[1], {"seq": {"$lt": SIZE - HIDDEN}})
    assert kinds(audited(log)) == [("schema_mismatch", None)]
    show(log, EVENTS[1])


@pytest.mark.replica_set  # through a router every chain is counted with bounds
def test_where_many_were_settled_since_the_chain_is_counted_with_bounds(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_keys_alone(monkeypatch)
    read = Snapshot.rows
    counted_whole: list[str] = []

    def look(snapshot: Snapshot, command: dict[str, Any]) -> list[dict[str, Any]]:
        counted_whole.extend(["x"] if "aggregate" in command else [])
        return read(snapshot, command)

    monkeypatch.setattr(Snapshot, "rows", look)
    for few, whole in ((HIDDEN, len(EVENTS)), (HIDDEN - 1, 0)):
        monkeypatch.setattr(index_counts, "_FEW", few)
        counted_whole.clear()
        started = (auditor := Auditor(log, AuditStore(log), ORIGIN)).start("main", "full")
        log.append("main", [draft(f"late{few}.{n}") for n in range(HIDDEN)])
        log.settle("main")
        assert auditor.run(started, 60).status == "intact"
        assert len(counted_whole) == whole


def test_a_long_chain_costs_no_document_and_three_commands_more_an_index(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = operations_of(log).events.database
    with profiled(database, DOCUMENTS) as short, counted(database) as few:
        assert audited(log).status == "intact"
    by_keys_alone(monkeypatch)
    with profiled(database, DOCUMENTS) as long, counted(database) as many:
        assert audited(log).status == "intact"
    assert sum(long.values()) <= sum(short.values())
    assert sum(many.values()) - sum(few.values()) <= 3 * len(EVENTS)


def test_counting_looks_at_keys_alone_in_one_command_an_index(log: MongoStore) -> None:
    """That none of them reads an event is what makes it cheap: MongoDB would read each one five times."""
    database = operations_of(log).events.database
    with profiled(database, DOCUMENTS) as documents:
        assert audited(log).status == "intact"
    with counted(database) as commands:
        assert audited(log).status == "intact"
    (counting,) = (kind for kind in commands if kind.startswith("events command"))
    assert (commands[counting], documents[counting]) == (len(EVENTS), 0)


@pytest.mark.replica_set
@each("index", EVENTS)
@pytest.mark.parametrize("way", WAYS)
def test_an_index_that_is_gone_or_hidden_or_double_hides_nothing(
    log: MongoStore, monkeypatch: pytest.MonkeyPatch, index: Index, way: Callable[[pytest.MonkeyPatch], None]
) -> None:
    way(monkeypatch)
    events = operations_of(log).events
    events.drop_index(index.name)
    assert audited(log).status == "intact"
    events.create_index(index.keys, unique=index.unique, hidden=True)
    assert audited(log).status == "intact"
    events.drop_index(index.name)
    events.create_index(index.keys, unique=index.unique, collation={"locale": "de"})
    assert audited(log).status == "intact"
    show(log, index)
    events.create_index(index.keys, name="second", sparse=True)
    assert audited(log).status == "intact"
    events.drop_index("second")


@pytest.mark.replica_set
def test_a_view_in_the_place_of_events_stops_no_audit(log: MongoStore) -> None:
    database = operations_of(log).events.database
    database["events"].rename("elsewhere")
    database.create_collection("events", viewOn="elsewhere", pipeline=[])
    assert audited(log).status == "intact"  # that it is a view, the audit of the database says


def test_events_that_are_gone_are_missing_and_no_index_is_blamed(log: MongoStore) -> None:
    operations_of(log).events.delete_many({"chain": "main", "seq": {"$in": [3, 4, 12]}})
    assert kinds(audited(log)) == [("missing", 3), ("missing", 12)]
    assert audited(log, chain="mains").status == "intact"
