"""What the watcher could not watch is told, too, and accuses nobody: positions, histories, roles, failovers."""

import threading
from pathlib import Path
from queue import Queue
from typing import Any

import bson
import pytest
from bson import DatetimeMS

from eventlog.audit.report import AuditReport
from eventlog.audit.watch import Watched
from eventlog.audit.watch_position import WatchPosition, WatchPositions
from eventlog.store.interface.audits import POSITION
from eventlog.store.mongo.store import connect, open_log
from eventlog.store.mongo.watch import MongoWatch
from local.mongod.embedded import EmbeddedMongo, replica_set_uri, start_replica_set, wait_until
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog, new_key
from tests.support.each import each
from tests.support.failovers import fail_over
from tests.support.secured import SecuredLog
from tests.support.watched import Watch, watched


@pytest.fixture
def watch(log: AnchoredLog) -> Watch:
    return watched(log)


class Forgetful(EmbeddedMongo):
    """A mongod whose record of its changes holds a megabyte."""

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        arguments[arguments.index("--oplogSize") + 1] = "1"
        return [*arguments, "--syncdelay", "1"]  # what no checkpoint has yet is not forgotten: one a second


@each("how", ["malformed", "unsigned", "another time", "another log's", "garbage"])
def test_a_position_that_can_not_be_believed_is_told_and_accuses_nobody_and_hides_nothing(
    watch: Watch, how: str
) -> None:
    watch.heard.failures.clear()
    watch.change()
    found = watch.audits.find_one({"_id": POSITION})
    assert found is not None
    if how == "another log's":
        WatchPositions(MongoWatch(watch.log.store), watch.log.anchoring(), "another").keep(
            WatchPosition(found["token"], 1)
        )
    else:
        replaced: dict[str, Any] = {
            "malformed": {"token": 7},
            "unsigned": found | {"signature": None},
            "another time": found | {"time": DatetimeMS(1)},
            "garbage": {"token": b"", "time": DatetimeMS(1), "signature": b""},
        }[how]
        watch.audits.replace_one({"_id": POSITION}, replaced | {"_id": POSITION})
    gap, found_again = watch.drain().reports
    assert (gap.chain, gap.status, gap.findings_total) == ("", "incomplete", 0)
    assert str(gap.incomplete_because).startswith("how far changes of the database were watched is not signed")
    assert watch.heard.failures == [f"changes were not watched: {gap.incomplete_because}"]
    row = watch.events.find_one({"chain": "main", "seq": 1})
    assert row is not None
    assert (found_again.chain, found_again.findings_total) == ("main", row["v"] - 1)  # all since the first anchor
    assert watch.found() == []  # once
    watch.change()
    assert watch.found() == [("main", "tampered", 1)]


def test_a_position_that_was_removed_hides_nothing(watch: Watch) -> None:
    watch.heard.failures.clear()
    watch.change()
    watch.audits.delete_one({"_id": POSITION})
    assert watch.found() == [("main", "tampered", 1), ("", "tampered", 1)]
    assert [found.findings[0].detail.split(" at ")[0] for found in watch.heard.found_in[1:]] == [
        "the row 'watch' of audits was deleted"
    ]
    assert watch.heard.failures == []
    assert watch.found() == []  # once
    watch.audits.delete_one({"_id": POSITION})
    stopping, told = threading.Event(), Queue[AuditReport]()
    following = threading.Thread(target=watch.watcher().follow, args=(stopping, told.put))
    following.start()
    try:
        assert told.get(timeout=60).chain == "main"
        removals = 0
        while removals < 2:
            removals += told.get(timeout=60).findings_total
    finally:
        stopping.set()
        following.join()
    assert watch.found() == []  # it has kept how far it came


def test_a_log_that_was_audited_on_demand_before_its_first_round_has_no_gap(log: AnchoredLog) -> None:
    watch = Watch(log)
    log.append(5)
    log.audit()
    watch.change(2)
    assert watch.found() == [("main", "tampered", 2)]
    assert (watch.found(), watch.heard.failures) == ([], [])


def test_the_first_anchor_is_the_earliest_of_all_chains_that_can_be_believed(log: AnchoredLog) -> None:
    history = log.anchoring().history
    assert history.first_time() is None
    times = []
    for chain in ("b", "a", "c"):
        log.append(2, chain)
        times.append(log.audit("full", chain).anchored_at)
        log.ahead += HOUR
    assert history.first_time() == times[0]
    for chain, data in (("b", b"no anchor"), ("a", b"")):
        path = log.folder / "anchors" / chain / "000000000001.note"
        path.unlink()
        path.write_bytes(data)
    assert history.first_time() == times[2]


@pytest.mark.replica_set  # the router of the tests begins anew where it does not know a token
@each("token", [bson.encode({"_data": "garbage"}), bson.encode({"_data": ""}), b"no BSON"])
def test_a_history_that_is_lost_is_a_gap_with_its_times(watch: Watch, token: bytes) -> None:
    """As after a move to another cluster, or when nobody watched for longer than the database remembers."""
    WatchPositions(MongoWatch(watch.log.store), watch.log.anchoring(), watch.name).keep(WatchPosition(token, 1_000))
    (report,) = watch.drain().reports
    assert (report.chain, report.status) == ("", "incomplete")
    because = str(report.incomplete_because)
    assert because.startswith("changes of the database between 1970-01-01T00:00:01.000Z and 20")
    assert watch.found() == []


def test_changes_that_the_database_has_forgotten_are_a_gap(tmp_path: Path) -> None:
    with Forgetful(tmp_path / "mongo", journal_millis=5) as mongo, connect(mongo.uri) as client:
        watch = Watch(AnchoredLog(open_log(client, "log", ORIGIN), tmp_path))
        watch.log.append(5)
        watch.drain()
        watch.log.audit_all()
        watch.change()

        def forgotten() -> bool:
            watch.db["more"].insert_many([{"text": "x" * 100_000} for _ in range(50)])
            oldest = client["local"]["oplog.rs"].find_one({}, sort=[("$natural", 1)])
            position = watch.audits.find_one({"_id": POSITION})
            assert oldest is not None
            assert position is not None
            return int(oldest["ts"].time) * 1000 > int(position["time"])

        wait_until("the oplog to roll over", forgotten)
        (report,) = watch.drain().reports
        assert (report.chain, report.status) == ("", "incomplete")
        assert "(code 286)" in str(report.incomplete_because)
        watch.change()
        assert watch.found() == [("main", "tampered", 1)]
        watch.audits.delete_one({"_id": POSITION})  # nor does the database remember the first anchor's time
        (report,) = watch.drain().reports
        assert (report.status, "(code 286)" in str(report.incomplete_because)) == ("incomplete", True)


def test_a_change_of_keys_is_no_gap_while_the_old_one_is_trusted(watch: Watch, tmp_path: Path) -> None:
    (old,) = watch.log.signers
    watch.log.signers, watch.log.retired = [new_key(tmp_path / "new")], [old.public_key]
    assert watch.drain() == Watched([], 0.0)
    watch.log.signers, watch.log.retired = [new_key(tmp_path / "unknown")], []
    assert watch.found() == [("", "incomplete", 0)]  # no anchor can be believed either, so nothing is read again


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


def test_the_role_of_an_older_version_is_a_gap_that_says_what_to_do(secured_log: SecuredLog, tmp_path: Path) -> None:
    log = SecuredLog(secured_log.mongo)
    log.set_up()
    with log.mongo.client() as client:
        found = client[log.database].command("rolesInfo", "eventlog-audit", showPrivileges=True)["roles"][0]
        older = [privilege for privilege in found["privileges"] if privilege["resource"]["collection"]]
        client[log.database].command("updateRole", "eventlog-audit", privileges=older, roles=[])
    (differs,) = [result for result in log.set_up(check=True) if result.state == "differs"]
    missing = [f"may not {action} database {log.database}" for action in ("changeStream", "find", "listCollections")]
    assert differs.detail == "; ".join(missing)
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


def test_a_database_that_refuses_reports_positions_and_marks_silences_nothing(watch: Watch) -> None:
    watch.change()
    watch.db.command("collMod", "audits", validator={"never": True}, validationLevel="strict")
    for _ in range(2):  # and as no position can be stored, it is told again
        assert watch.found() == [("main", "tampered", 1), ("", "tampered", 1)]
    assert len(watch.heard.failures) == 2 * 4
