"""The watcher: what was done to the database is told, even if it was undone, and what was not watched is told, too."""

import threading
from pathlib import Path
from queue import Queue
from typing import Any

import bson
import pytest
from bson import DatetimeMS
from pymongo import MongoClient

from eventlog.audit import watch as watching
from eventlog.audit.report import MAX_FINDINGS, AuditReport
from eventlog.audit.watch import Watched, Watcher
from eventlog.audit.watch_position import Position, Positions
from eventlog.store.errors import StoreError, StoreUnavailableError
from eventlog.store.interface.audits import POSITION
from eventlog.store.mongo import watch as mongo_watch
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import connect, open_log, operations_of
from eventlog.store.mongo.watch import MongoWatch
from local.mongod.embedded import replica_set_uri, start_replica_set
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.failovers import fail_over
from tests.support.secured import SecuredLog

FOUND = "the row 'main/{id}' of events was updated"


class Heard:
    """``Notices`` that remembers, in order."""

    def __init__(self) -> None:
        self.found_in: list[AuditReport] = []
        self.failures: list[str] = []

    def found(self, report: AuditReport, new: int) -> None:
        assert new == report.findings_total
        self.found_in.append(report)

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        assert chain in {"", "main"}
        self.failures.append(f"{what}: {error}")


class Watch:
    """A log's watcher, anew for each round, as each process of the audit has one."""

    def __init__(self, log: AnchoredLog, *, anchored: bool = True) -> None:
        self.log = log
        self.heard = Heard()
        self.anchored = anchored
        operations = operations_of(log.store)
        self.events, self.audits, self.db = operations.events, operations.audits, operations.events.database
        self.name = f"{ORIGIN} {self.db.name}"

    def watcher(self) -> Watcher:
        anchoring = self.log.anchoring() if self.anchored else None
        return Watcher(
            MongoWatch(self.log.store),
            AuditStore(self.log.store),
            self.name,
            anchoring=anchoring,
            notices=self.heard,
            clock=lambda: self.log.now() / 1000,
        )

    def drain(self, seconds: float = 60) -> Watched:
        return self.watcher().drain(seconds)

    def found(self) -> list[tuple[str, str, int]]:
        """Chain, status and number of findings of what one more round finds."""
        return [(report.chain, report.status, report.findings_total) for report in self.drain().reports]

    def change(self, count: int = 1) -> None:
        """Updates of one row."""
        for _ in range(count):
            assert self.events.update_one({"chain": "main", "seq": 1}, {"$inc": {"v": 1}}).modified_count == 1


@pytest.fixture
def watch(log: AnchoredLog) -> Watch:
    """An anchored log that is watched from now on."""
    log.append(5)
    found = Watch(log)
    assert found.found() == []  # nothing is anchored, so it may be new: it is no gap that nobody has watched
    log.audit_all()
    return found


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


def test_a_database_that_refuses_reports_positions_and_marks_silences_nothing(watch: Watch) -> None:
    watch.change()
    watch.db.command("collMod", "audits", validator={"never": True}, validationLevel="strict")
    for _ in range(2):  # and as no position can be stored, it is told again
        assert watch.found() == [("main", "tampered", 1), ("", "tampered", 1)]
    assert len(watch.heard.failures) == 2 * 4


@pytest.mark.parametrize("how", ["missing", "malformed", "unsigned", "another time", "another log's", "garbage"])
def test_a_position_that_can_not_be_believed_is_a_gap_and_accuses_nobody(watch: Watch, how: str) -> None:
    watch.change()
    found = watch.audits.find_one({"_id": POSITION})
    assert found is not None
    if how == "another log's":
        Positions(MongoWatch(watch.log.store), watch.log.anchoring(), "another").keep(Position(found["token"], 1))
    else:
        replaced: dict[str, Any] = {
            "missing": {},
            "malformed": {"token": 7},
            "unsigned": found | {"signature": None},
            "another time": found | {"time": DatetimeMS(1)},
            "garbage": {"token": b"", "time": DatetimeMS(1), "signature": b""},
        }[how]
        if replaced:
            watch.audits.replace_one({"_id": POSITION}, replaced | {"_id": POSITION})
        else:
            watch.audits.delete_one({"_id": POSITION})
    (report,) = watch.drain().reports
    assert (report.chain, report.status, report.findings_total) == ("", "incomplete", 0)
    assert str(report.incomplete_because).startswith("changes of the database before 20")
    assert watch.heard.failures == [f"changes were not watched: {report.incomplete_because}"]
    assert watch.found() == []  # once
    watch.change()
    assert watch.found() == [("main", "tampered", 1)]


@pytest.mark.parametrize("token", [bson.encode({"_data": "garbage"}), bson.encode({"_data": ""}), b"no BSON"], ids=str)
def test_a_history_that_is_lost_is_a_gap_with_its_times(watch: Watch, token: bytes) -> None:
    """As after a move to another cluster, or when nobody watched for longer than the database remembers."""
    Positions(MongoWatch(watch.log.store), watch.log.anchoring(), watch.name).keep(Position(token, 1_000))
    (report,) = watch.drain().reports
    assert (report.chain, report.status) == ("", "incomplete")
    because = str(report.incomplete_because)
    assert because.startswith("changes of the database between 1970-01-01T00:00:01.000Z and 20")
    assert watch.found() == []


def test_an_older_position_has_the_same_told_again_and_no_more(watch: Watch) -> None:
    older = watch.audits.find_one({"_id": POSITION})
    assert older is not None
    watch.change()
    assert watch.found() == [("main", "tampered", 1)]
    watch.audits.replace_one({"_id": POSITION}, older)
    assert watch.found() == [("main", "tampered", 1)]
    assert watch.found() == []


def test_without_keys_the_position_is_believed_as_it_is(log: AnchoredLog) -> None:
    watch = Watch(log, anchored=False)
    log.append(5)
    assert watch.found() == []
    watch.change()
    assert watch.found() == [("main", "tampered", 1)]
    watch.audits.delete_one({"_id": POSITION})
    assert watch.found() == []


def test_many_changes_are_one_report_a_chain_within_bounds(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_REPORTS", 3)
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
    monkeypatch.setattr(mongo_watch, "_AT_ONCE", 4)
    watch.change(10)
    watch.log.ahead = 600_000
    found = [watch.drain(0) for _ in range(3)]
    counts = [sum(report.findings_total for report in each.reports) for each in found]
    assert counts == [4, 4, 2]
    assert [600 <= (each.lag_seconds or 0) < 700 for each in found[:2]] == [True, True]
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


def test_ids_that_nobody_should_have_written_are_told(watch: Watch) -> None:
    for odd in (7, {"a": 1}, b"\xff", "x" * 5_000, DatetimeMS(2**62), None):
        watch.events.insert_one({"_id": odd, "chain": ["main"], "seq": repr(odd)})
        watch.events.replace_one({"_id": odd}, {"chain": {"secret": 1}, "seq": repr(odd)})
        (report,) = watch.drain().reports
        assert (report.chain, report.findings_total) == ("", 1)
        assert "secret" not in str(report)


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


def test_the_role_of_an_older_version_is_a_gap_that_says_what_to_do(secured_log: SecuredLog, tmp_path: Path) -> None:
    log = SecuredLog(secured_log.mongo)
    log.set_up()
    with log.mongo.client() as client:
        found = client[log.database].command("rolesInfo", "eventlog-audit", showPrivileges=True)["roles"][0]
        older = [privilege for privilege in found["privileges"] if privilege["resource"]["collection"]]
        client[log.database].command("updateRole", "eventlog-audit", privileges=older, roles=[])
    with log.store("audit") as store:
        watch = Watch(AnchoredLog(store, tmp_path))
        watch.log.append(3)
        (report,) = watch.drain().reports
        assert (report.status, "run make db-setup" in str(report.incomplete_because)) == ("incomplete", True)
        log.set_up()
        assert watch.found() == []


def test_failovers_are_never_told_and_lose_no_change(tmp_path: Path) -> None:
    """One between two rounds, and one while the changes are followed."""
    nodes = start_replica_set([tmp_path / f"n{number}" for number in range(3)])
    try:
        with connect(replica_set_uri(nodes)) as client:
            (tmp_path / "log").mkdir()
            watch = Watch(AnchoredLog(open_log(client, "log", ORIGIN), tmp_path / "log"))
            watch.log.append(5)
            watch.drain()
            watch.log.audit_all()
            fail_over(nodes, "kill", lambda: watch.log.append(2))
            watch.log.audit_all()
            assert watch.drain().reports == []
            stopping, told = threading.Event(), Queue[AuditReport]()
            following = threading.Thread(target=watch.watcher().follow, args=(stopping, told.put))
            following.start()
            try:
                fail_over(nodes, "step down", watch.change)
                report = told.get(timeout=120)
            finally:
                stopping.set()
                following.join()
            assert (report.chain, report.findings_total) == ("main", 1)
            assert told.empty()
    finally:
        for node in nodes:
            node.kill()
