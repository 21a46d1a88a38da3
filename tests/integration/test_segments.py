"""Full audits of a long chain that roll, or that several invocations share: nothing is believed that was not signed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from bson import DatetimeMS

from eventlog.audit import scan
from eventlog.audit.going_round import RoundOutcome
from eventlog.audit.keeper import Keeper
from eventlog.audit.report import AuditReport
from eventlog.audit.shared_work import SharedWorker
from eventlog.formats.standing import StandingNote, read_standing
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.anchored import HOUR, AnchoredLog, kinds
from tests.support.profiled import profiled

SEGMENT, SIZE, DAY = 8, 43, 24 * HOUR
FORGED = {"$set": {"payload": '{"n":"forged"}'}}


@pytest.fixture
def log(store: MongoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnchoredLog:
    """A chain of five segments and a rest, anchored twice, whose events are re-hashed within ten days."""
    monkeypatch.setattr(scan, "STEP", SEGMENT)
    log = AnchoredLog(store, tmp_path, segment_events=SEGMENT, rehash_days=10)
    for count in (13, SIZE - 13):
        log.append(count)
        log.audit()
    return log


def edit(log: AnchoredLog, seq: int) -> None:
    assert operations_of(log.store).events.update_one({"chain": "main", "seq": seq}, FORGED).modified_count == 1


def full(log: AnchoredLog) -> AuditReport:
    """A full audit of the schedule."""
    report = log.auditor()._audit("main", "full", time.monotonic() + 60)
    assert report is not None
    return report


def figures(report: AuditReport) -> tuple[str, int, int]:
    return report.status, report.events_checked, report.earlier_events


def standing(log: AnchoredLog) -> StandingNote:
    row = operations_of(log.store).audits.find_one({"_id": "standing/main"})
    assert row is not None
    return read_standing(row["note"].encode())


def results(log: AnchoredLog) -> list[dict[str, Any]]:
    return list(operations_of(log.store).audits.find({"_id": {"$regex": "^segment/"}}).sort("_id", 1))


def test_each_full_audit_rehashes_its_share_and_rests_on_what_was_signed_for_the_rest(log: AnchoredLog) -> None:
    first = full(log)
    assert (figures(first), first.rehashed_since, len(results(log))) == (("intact", SIZE, 0), None, 5)
    log.ahead += DAY
    report = full(log)
    assert figures(report) == ("intact", SIZE - 24, 24), "two of five segments and the rest"
    assert report.rehashed_since is not None
    assert first.started_at <= report.rehashed_since < report.started_at - DAY + HOUR
    shown = standing(log)
    assert shown.full is not None
    assert shown.intact is not None
    assert (shown.full.started, shown.full.events) == (report.started_at, SIZE - 24)
    assert shown.intact.started == report.rehashed_since, "no later than the oldest that it rests on"
    assert log.audit("full").earlier_events == 0, "whoever asks for a full audit gets one of every event"


def test_a_log_that_does_not_roll_keeps_no_results(log: AnchoredLog) -> None:
    log.rehash_days = 0
    assert (figures(full(log)), results(log)) == (("intact", SIZE, 0), [])


def test_what_is_edited_below_a_result_is_found_in_time_though_the_result_is_put_back(log: AnchoredLog) -> None:
    full(log)
    kept = results(log)
    edit(log, 3)
    for days, found in ((1, []), (7, []), (9, [("payload_mismatch", 3)])):
        log.ahead = days * DAY
        for row in kept:
            operations_of(log.store).audits.replace_one({"_id": row["_id"]}, row)
        report = full(log)
        assert kinds(report) == (found or kinds(report))
    assert report.rehashed_since is None


def test_what_was_found_stands_though_an_older_clean_result_is_put_back(log: AnchoredLog) -> None:
    full(log)
    kept = results(log)[0]
    edit(log, 3)
    assert log.audit("full").status == "tampered"
    for _ in range(2):
        log.ahead += DAY
        operations_of(log.store).audits.replace_one({"_id": kept["_id"]}, kept)
        assert kinds(full(log)) == [("payload_mismatch", 3)]
        assert log.auditor().standings.open_findings() == 1


def test_results_are_no_reports_and_cost_a_list_of_reports_nothing(log: AnchoredLog) -> None:
    full(log)
    operations = operations_of(log.store)
    held = operations.audits
    for number in range(300):
        row = {"_id": f"segment/other/{number:019}", "chain": "main", "note": "x"}
        held.insert_one(row)
    schema = next(declared for declared in COLLECTIONS if declared.name == "audits")
    assert held.count_documents({"_id": {"$regex": "^segment"}, "$nor": [schema.validator]}) == 0
    for chain in (None, "main"):
        listed = log.auditor().reports(chain, 20, None)
        assert {report.chain for report in listed} <= {"main", "eventlog.registry"}
    with profiled(held.database) as cost:
        assert len(log.auditor().reports(None, 5, None)) == 3
    assert sum(cost.values()) <= 40
    assert log.auditor()._audit_database("full") is None, "no odd rows"


def share(log: AnchoredLog) -> list[dict[str, Any]]:
    spreading = log.auditor().spreading
    assert spreading is not None
    return [dict(item) for item in spreading.plan(least=2).work]


def worker(log: AnchoredLog) -> SharedWorker:
    shared = log.auditor().shared
    assert shared is not None
    return shared


def do(log: AnchoredLog, items: Iterable[dict[str, Any]]) -> None:
    """Each item by another process, in any order."""
    for item in random.Random(3).sample(list(items), len(list(items))):
        worker(log).do(item, 60)


def let_go(log: AnchoredLog) -> None:
    """What is at work counts as that for some seconds: let them go by."""
    lease = {"$set": {"lease": DatetimeMS(0)}}
    assert operations_of(log.store).audits.update_many({"status": "running"}, lease).modified_count == 1


def join(log: AnchoredLog) -> tuple[AuditReport, RoundOutcome]:
    """What concludes a shared round."""
    let_go(log)
    shared = operations_of(log.store).audits.find_one({"_id": "round/full"}) or {}
    outcome = RoundOutcome()
    reports = list(log.auditor().each("full", 60, outcome, concludes=shared["round"]))
    assert [report.chain for report in reports if report.chain] == ["main", "eventlog.registry"], (
        "each chain is audited once"
    )
    return reports[0], outcome


def test_a_shared_audit_joins_what_others_have_done(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.rehash_days = 0
    items = share(log)
    assert sorted(item["start"] for item in items if "start" in item) == [0, 8, 16, 24, 32]
    assert sum("index" in item for item in items) == 5
    do(log, items)
    seen: list[tuple[int, int | None]] = []
    read = AuditStore.scan

    def look(store: AuditStore, chain: str, start: int, end: int | None, *rest: Any, **named: Any) -> Any:
        if chain == "main":
            seen.append((start, end))
        return read(store, chain, start, end, *rest, **named)

    monkeypatch.setattr(AuditStore, "scan", look)
    monkeypatch.setattr(AuditStore, "count_through", lambda *_, **__: pytest.fail("an index is counted again"))
    let_go(log)
    (report,) = [found for found in log.auditor().resume(60) if found.chain == "main"]
    assert (figures(report), report.rehashed_since, report.anchored_size) == (("intact", SIZE, 0), None, SIZE)
    assert [(start, end) for start, end in seen if end is not None and end - start > 1] == [(40, SIZE)]


def test_the_round_is_finished_by_the_invocation_that_joins(log: AnchoredLog) -> None:
    do(log, share(log))
    report, outcome = join(log)
    assert (report.status, outcome.finished, outcome.left) == ("intact", {"full"}, [])
    assert log.auditor().full_age() is not None


def test_what_nobody_did_the_audit_does_itself(log: AnchoredLog) -> None:
    log.rehash_days = 0
    items = share(log)
    do(log, items[::3])
    edit(log, 20)
    report, _ = join(log)
    assert (report.status, kinds(report)) == ("tampered", [("payload_mismatch", 20)])
    assert share(log)[0]["audit"] != items[0]["audit"]
    assert [worker(log).do(item, 60).skipped is None for item in items] == [False] * len(items)


def test_what_a_segment_holds_is_told_at_once_and_reported_as_by_one_process(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seq in (7, 8, 21):
        edit(log, seq)
    operations_of(log.store).events.delete_one({"chain": "main", "seq": 30})
    alone = log.audit("full")
    items = share(log)
    told: list[tuple[str, int | None]] = []
    tell = Keeper.tell

    def listen(keeper: Keeper, report: AuditReport) -> None:
        told.extend(kinds(report))
        tell(keeper, report)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "tell", listen)
        do(log, items)
    assert (
        set(told)
        == set(kinds(alone))
        == {("payload_mismatch", 7), ("payload_mismatch", 8), ("payload_mismatch", 21), ("missing", 30)}
    )
    assert ["found 1" in row["note"] for row in results(log)] == [True, True, True, True, False]
    report, _ = join(log)
    assert (kinds(report), report.findings_total) == (kinds(alone), alone.findings_total)


def test_a_count_that_no_audit_has_signed_for_this_one_is_counted_again(log: AnchoredLog) -> None:
    log.rehash_days = 0
    items = [item for item in share(log) if "index" in item]
    do(log, items)
    held = operations_of(log.store).audits
    counts = list(held.find({"_id": {"$regex": "^segment-count/"}}))
    assert len(counts) == 5
    held.update_one({"_id": counts[0]["_id"]}, {"$set": {"events": counts[0]["events"] - 1}})
    held.update_one({"_id": counts[1]["_id"]}, {"$set": {"audit": "0"}})
    held.update_one({"_id": counts[2]["_id"]}, {"$set": {"vouched_at": DatetimeMS(0)}})
    held.replace_one({"_id": counts[3]["_id"]}, counts[4] | {"_id": counts[3]["_id"]})
    report, _ = join(log)
    assert figures(report) == ("intact", SIZE, 0)


WORK = """
import json, os, sys, time
from pathlib import Path
from eventlog.audit.segments import Segments
from eventlog.anchors.signing import KeyFile
from eventlog.store.mongo.store import connect, open_log
from tests.support.anchored import AnchoredLog, ORIGIN
with connect(sys.argv[1]) as client:
    store, folder = open_log(client, sys.argv[2], ORIGIN), Path(sys.argv[3])
    log = AnchoredLog(store, folder, [KeyFile(folder / "key")], segment_events=8)
    keep = Segments.keep
    def hang(found, note):
        if note.start == 16:
            print("hangs", flush=True)
            time.sleep(60)
        keep(found, note)
    Segments.keep = hang
    for item in json.loads(sys.argv[4]):
        log.auditor().shared.do(item, 60)
"""


def test_an_invocation_that_is_killed_loses_its_segment_alone(log: AnchoredLog, mongo_uri: str, database: str) -> None:
    log.rehash_days = 0
    items = sorted((item for item in share(log) if "start" in item), key=lambda item: int(item["start"]))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", WORK, mongo_uri, database, str(log.folder), json.dumps(items)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[2]
    ) as work:
        assert work.stdout is not None
        assert work.stdout.readline() == "hangs\n"
        work.send_signal(signal.SIGKILL)
    assert [row["_id"][-2:] for row in results(log)] == ["00", "08"]
    assert worker(log).do(items[3], 60).intact == 1
    edit(log, 17)
    assert kinds(join(log)[0]) == [("payload_mismatch", 17)]
