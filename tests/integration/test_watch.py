"""The watcher: what was done to the database is told, even if it was undone."""

import threading
from queue import Queue
from typing import Any

import pytest
from bson import DatetimeMS
from pymongo import MongoClient

from eventlog.audit import tally
from eventlog.audit.report import MAX_FINDINGS, AuditReport
from eventlog.audit.watch import Watched
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface.audits import POSITION
from eventlog.store.mongo import watch as mongo_watch
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import operations_of
from eventlog.store.mongo.sweep import Sweep
from eventlog.stored.bodies import APART_FROM, put_apart
from tests.support.anchored import AnchoredLog
from tests.support.factories import draft
from tests.support.watched import Watch, watched

FOUND = "the row 'main/{id}' of events was updated"


@pytest.fixture
def watch(log: AnchoredLog) -> Watch:
    return watched(log)


def test_work_is_never_told_and_the_watcher_comes_to_the_end(watch: Watch) -> None:
    for _ in range(3):
        watch.log.append(100)
        watch.log.append(3, "other")
        watch.log.audit_all()
        watch.log.audit_all("full")
        assert watch.drain() == Watched([], 0.0)
    assert (watch.heard.found_in, watch.heard.failures) == ([], [])


def test_a_row_that_was_changed_and_put_back_is_told_once(watch: Watch) -> None:
    row = watch.events.find_one({"chain": "main", "seq": 1})
    assert row is not None
    watch.events.update_one({"_id": row["_id"]}, {"$set": {"payload": '{"secret":1}'}})
    watch.events.replace_one({"_id": row["_id"]}, row)
    assert all(report.status == "intact" for report in watch.log.audit_all("full").values())
    (report,) = watch.drain().reports
    assert (report.chain, report.mode, report.status, report.to_seq) == ("main", "incremental", "tampered", None)
    assert [(finding.kind, finding.seq) for finding in report.findings] == [("altered", None), ("altered", 1)]
    assert report.findings[0].detail.startswith(FOUND.format(id=row["event_id"]) + " at 20")
    assert "secret" not in str(report)
    assert watch.log.auditor().report(report.audit_id) == report
    assert watch.heard.found_in == [report]
    assert watch.found() == []


def test_what_is_found_is_told_before_it_is_stored_and_again_if_it_was_not(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.change()

    def die(*_: object) -> None:
        assert len(watch.heard.found_in) == 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AuditStore, "save", die)
        with pytest.raises(KeyboardInterrupt):
            watch.drain()
    assert watch.found() == [("main", "tampered", 1)]


def test_a_restore_in_place_is_told_once_and_its_declaration_never(watch: Watch) -> None:
    rows = [(held, list(held.find())) for held in (watch.events, operations_of(watch.log.store).sequences)]
    watch.log.append(4)
    watch.log.audit_all()
    for held, kept in rows:
        held.delete_many({})
        held.insert_many(kept)
    assert "tampered" in {status for _, status, _ in watch.found()}
    watch.log.restore()
    assert watch.drain() == Watched([], 0.0)


def test_many_changes_are_one_report_a_chain_within_bounds(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_REPORTS", 3)
    for number in range(5):
        watch.log.append(MAX_FINDINGS, f"c{number}")
    watch.events.update_many({}, {"$inc": {"v": 1}})
    reports = watch.drain().reports
    assert len(reports) == 4
    assert max(len(report.findings) for report in reports) == MAX_FINDINGS
    assert sum(report.findings_total for report in reports) == watch.events.count_documents({})


def test_a_round_ends_in_time_says_how_late_it_is_and_the_next_goes_on(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_watch, "_AT_ONCE", 8)
    watch.change(30)
    watch.log.ahead = 600_000
    found = [watch.drain(0)]
    while found[-1].lag_seconds and len(found) < 100:
        found.append(watch.drain(0))
    assert sum(report.findings_total for each in found for report in each.reports) == 30
    assert len(found) > 30 // 8
    assert [600 <= (each.lag_seconds or 0) < 900 for each in found[:-1]] == [True] * (len(found) - 1)
    assert watch.drain() == Watched([], 0.0)


def test_a_chain_that_is_not_there_gets_no_report_of_its_own(watch: Watch) -> None:
    watch.events.insert_one({"_id": "ghost/1"})
    watch.events.delete_one({"_id": "ghost/1"})
    assert watch.found() == [("", "tampered", 1)]


def test_what_is_found_is_told_even_if_the_chains_can_not_be_read(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> list[str]:
        raise StoreUnavailableError("no answer")

    watch.change()
    with monkeypatch.context() as patch:
        patch.setattr(AuditStore, "chain_names", fail)
        assert watch.found() == [("", "tampered", 1)]


@pytest.mark.replica_set  # an array in a shard key
def test_ids_that_nobody_should_have_written_are_told(watch: Watch) -> None:
    for odd in (7, {"a": 1}, b"\xff", "x" * 5_000, DatetimeMS(2**62), None):
        watch.events.insert_one({"_id": odd, "chain": ["main"], "seq": repr(odd)})
        watch.events.replace_one({"_id": odd}, {"chain": {"secret": 1}, "seq": repr(odd)})
        (report,) = watch.drain().reports
        assert (report.chain, report.findings_total) == ("", 1)
        assert "secret" not in str(report)


@pytest.mark.replica_set  # never tried through a router
def test_a_dropped_database_is_told_and_watched_on(watch: Watch, client: MongoClient[dict[str, Any]]) -> None:
    position = watch.audits.find_one({"_id": POSITION})
    assert position is not None
    client.drop_database(watch.db.name)
    watch.audits.insert_one(position)
    assert "the database was dropped" in str(watch.drain().reports)
    watch.log.append(2)
    assert watch.found() == []
    watch.change()
    assert watch.found() == [("main", "tampered", 1)]


def test_it_tells_at_once_while_it_follows(watch: Watch) -> None:
    stopping, told = threading.Event(), Queue[AuditReport]()
    following = threading.Thread(target=watch.watcher().follow, args=(stopping, told.put))
    following.start()
    try:
        for _ in range(2):
            watch.change()
            report = told.get(timeout=60)
            assert (report.chain, report.findings_total) == ("main", 1)
    finally:
        stopping.set()
        following.join()
    assert watch.found() == []  # it has kept how far it came


def test_a_payload_that_is_removed_is_told_if_an_event_has_it_and_not_if_none_has(watch: Watch) -> None:
    bodies = operations_of(watch.log.store).bodies
    appended = [draft(payload={"text": "x" * APART_FROM}) for _ in range(2)]
    watch.log.store.append("main", appended)
    watch.log.store.settle("main")
    watch.log.store.append("main", [draft(payload={"text": "y" * APART_FROM})])  # this one stays pending
    left = put_apart([draft(payload={"text": "z" * APART_FROM}).entry], APART_FROM)
    bodies.insert(left, 0)
    assert Sweep(operations_of(watch.log.store)).remove() == 1
    assert watch.found() == []
    rows = list(bodies.rows.find())
    assert len(rows) == 3
    for row in rows:
        bodies.rows.delete_one({"_id": row["_id"]})
        bodies.rows.insert_one(row)
    bodies.rows.update_one({"_id": rows[0]["_id"]}, {"$set": {"at": None}})
    assert watch.found() == [("main", "tampered", 4)]
