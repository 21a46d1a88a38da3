"""The audit as a process: incremental, resumed, under load, after a crash, and with traps laid for it."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Signal
from typing import Any

import pytest
from bson import Int64

from eventlog.audit import scan
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.audit.run_documents import read_run
from eventlog.errors import NotFoundError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft


@pytest.fixture
def auditor(store: MongoStore) -> Auditor:
    return Auditor(store, AuditStore(store), "example.com/log")


def append(store: MongoStore, count: int, chain: str = "main") -> None:
    store.append(chain, [draft(chain=chain) for _ in range(count)])
    store.settle(chain)


def whole(auditor: Auditor, mode: str = "full", chain: str = "main") -> AuditReport:
    return auditor.run(auditor.start(chain, "full" if mode == "full" else "incremental"), 60)


def essence(store: MongoStore, report: AuditReport) -> dict[str, Any]:
    """What two audits of the same log have in common, in what is stored of them."""
    changing = {"_id", "started_at", "finished_at", "lease"}
    stored = operations_of(store).audits.find_one({"_id": report.audit_id})
    assert stored is not None
    return {name: value for name, value in stored.items() if name not in changing}


def test_an_incremental_audit_goes_on_where_the_last_intact_one_ended(store: MongoStore, auditor: Auditor) -> None:
    append(store, 10)
    first = whole(auditor, "incremental")
    append(store, 7)
    second = whole(auditor, "incremental")
    third = whole(auditor, "incremental")
    full = whole(auditor)
    spans = [(r.from_seq, r.to_seq, r.events_checked) for r in (first, second, third, full)]
    assert spans == [(0, 10, 10), (10, 17, 7), (17, 17, 0), (0, 17, 17)]
    assert {r.status for r in (first, second, third, full)} == {"intact"}
    assert second.checked_root == third.checked_root == full.checked_root


def test_an_audit_that_found_something_is_no_place_to_go_on_from(store: MongoStore, auditor: Auditor) -> None:
    append(store, 5)
    whole(auditor)
    append(store, 5)
    operations_of(store).events.update_one({"chain": "main", "seq": 7}, {"$set": {"principal": "forged"}})
    assert whole(auditor).status == "tampered"
    again = whole(auditor, "incremental")
    assert (again.from_seq, again.status) == (5, "tampered")
    assert [(f.kind, f.seq) for f in again.findings] == [("content_mismatch", 7)]


@pytest.mark.parametrize("damaged", [False, True])
def test_an_audit_in_many_resumed_parts_ends_like_one_in_a_single_run(
    store: MongoStore, auditor: Auditor, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    append(store, 23)
    if damaged:
        operations_of(store).events.update_one({"chain": "main", "seq": 4}, {"$set": {"note": 1}})
        operations_of(store).events.update_one({"chain": "main", "seq": 10}, {"$set": {"v": 2}})
        operations_of(store).events.delete_many({"seq": {"$in": [14, 15, 22]}})
    single = essence(store, whole(auditor))
    operations_of(store).audits.delete_many({})
    monkeypatch.setattr(scan, "STEP", 5)
    report = auditor.run(auditor.start("main", "full"), 0)
    assert (report.status, report.finished_at) == ("running", None)
    parts = 1
    while report.status == "running":
        report = auditor.run(read_run(AuditStore(store).get(report.audit_id) or b""), 0)
        parts += 1
    assert parts == 5
    assert essence(store, report) == single
    assert auditor.report(report.audit_id) == report


def test_a_report_nobody_is_at_work_on_is_resumed(
    store: MongoStore, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store, 23)
    monkeypatch.setattr(scan, "STEP", 5)
    started = auditor.run(auditor.start("main", "full"), 0)
    assert started.status == "running"
    (resumed,) = auditor.resume(60)
    assert (resumed.audit_id, resumed.status, resumed.events_checked) == (started.audit_id, "intact", 23)


def test_a_report_whose_worker_died_is_resumed_but_not_before_its_lease_is_over(store: MongoStore) -> None:
    append(store, 3)
    audits = AuditStore(store)
    alive = Auditor(store, audits, "example.com/log").start("main", "full")
    died = Auditor(store, audits, "example.com/log", clock=lambda: time.time() - 11).start("main", "full")
    resumed = Auditor(store, audits, "example.com/log").resume(60)
    assert [report.audit_id for report in resumed] == [died.report.audit_id]
    assert read_run(audits.get(alive.report.audit_id) or b"") == alive


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_an_audit_while_others_append_never_accuses(store: MongoStore, auditor: Auditor, mode: str) -> None:
    append(store, 1)
    done = Signal()

    def audits() -> list[AuditReport]:
        reports = []
        while not done.is_set():
            reports.append(whole(auditor, mode))
        return [*reports, whole(auditor, mode)]

    with ThreadPoolExecutor(5) as pool:
        auditing = pool.submit(audits)
        try:
            list(pool.map(lambda _: append(store, 1), range(200)))
        finally:
            done.set()
        reports = auditing.result()
    assert [f for report in reports for f in report.findings] == []
    assert {report.status for report in reports} == {"intact"}
    assert (len(reports) > 1, reports[-1].to_seq) == (True, 201)


def test_an_audit_settles_what_a_crashed_writer_left_pending(store: MongoStore, auditor: Auditor) -> None:
    append(store, 3)
    operations_of(store).push("main", [draft().entry for _ in range(4)], None)
    assert operations_of(store).events.count_documents({}) == 3
    report = whole(auditor)
    assert (report.status, report.events_checked, report.findings) == ("intact", 7, ())
    assert operations_of(store).events.count_documents({}) == 7


@pytest.mark.parametrize(
    ("field", "forged", "kind"),
    [("payload", '{"x":"%s"}', "payload_mismatch"), ("principal", "%s", "content_mismatch")],
)
def test_an_edited_pending_entry_is_found_where_it_will_stand(
    store: MongoStore, auditor: Auditor, field: str, forged: str, kind: str
) -> None:
    append(store, 3)
    operations_of(store).push("main", [draft(payload={"n": "one two"}).entry for _ in range(4)], None)
    found = operations_of(store).sequences.find_one({"_id": "main"})
    assert found is not None
    length = len(found["pending"][2][field]) - len(forged % "")
    forged %= "x" * length
    assert (length > 0, len(forged)) == (True, len(found["pending"][2][field]))
    operations_of(store).sequences.update_one({"_id": "main"}, {"$set": {f"pending.2.{field}": forged}})
    assert [(f.kind, f.seq) for f in whole(auditor).findings] == [(kind, 5)]


def test_a_chain_known_nowhere_is_not_found(store: MongoStore, auditor: Auditor) -> None:
    append(store, 1)
    with pytest.raises(NotFoundError):
        auditor.start("nowhere", "full")
    with pytest.raises(NotFoundError):
        auditor.report("nothing")
    assert auditor.reports("nowhere", 10, None) == []


def test_every_chain_is_audited_also_one_without_sequence_document(store: MongoStore, auditor: Auditor) -> None:
    for chain in ("a", "b", "c"):
        append(store, 2, chain)
    operations_of(store).sequences.delete_one({"_id": "b"})
    operations_of(store).events.delete_many({"chain": "c"})
    reports = auditor.audit_all("full", 60)
    assert [(r.chain, [f.kind for f in r.findings]) for r in reports] == [
        ("a", []), ("b", ["sequence_mismatch"]), ("c", ["truncated"]),
    ]  # fmt: skip


@pytest.mark.replica_set
@pytest.mark.parametrize("seq", [Int64(4), Int64(5), 4.5, 9.5])
def test_no_row_slips_through_between_two_steps(
    store: MongoStore, auditor: Auditor, monkeypatch: pytest.MonkeyPatch, seq: Any
) -> None:
    append(store, 12)
    monkeypatch.setattr(scan, "STEP", 5)
    operations_of(store).events.drop_indexes()
    template = operations_of(store).events.find_one({"seq": 4})
    assert template is not None
    operations_of(store).events.insert_one(template | {"_id": "main/stray", "seq": seq})
    report = whole(auditor)
    assert [(f.kind, f.seq) for f in report.findings] == [("unexpected", seq if seq in (4, 5) else None)]


def test_more_strange_rows_than_a_step_holds_do_not_stop_an_audit(
    store: MongoStore, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store, 12)
    monkeypatch.setattr(scan, "STEP", 3)
    template = operations_of(store).events.find_one({"seq": 4})
    assert template is not None
    rows = [template | {"_id": f"main/stray{number}", "seq": 6 + number / 10} for number in range(1, 9)]
    operations_of(store).events.insert_many(rows)
    found = [(f.kind, f.seq) for f in whole(auditor).findings]
    assert found == [("unexpected", None)] * 8


def test_the_report_names_100_findings_and_counts_all(store: MongoStore, auditor: Auditor) -> None:
    append(store, 120)
    operations_of(store).events.update_many({}, {"$set": {"note": 1}})
    report = whole(auditor)
    assert (len(report.findings), report.findings_total, report.status) == (100, 120, "tampered")


@pytest.mark.parametrize("gone", ["walk", "state", "position", "read_at"])
def test_a_running_audit_that_this_version_can_not_go_on_with_is_given_up_and_the_next_one_runs(
    store: MongoStore, auditor: Auditor, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    append(store, 12)
    monkeypatch.setattr(scan, "STEP", 5)
    report = auditor.run(auditor.start("main", "full"), 0)
    assert report.status == "running"
    operations_of(store).audits.update_one({"_id": report.audit_id}, {"$unset": {gone: 1}})
    given_up, next_one = auditor.audit_all("full", 60)
    assert (given_up.audit_id, given_up.status) == (report.audit_id, "incomplete")
    assert given_up.incomplete_because == ("it was begun by another version, or its report was damaged (KeyError)")
    assert (next_one.chain, next_one.status) == ("main", "intact")
    assert auditor.report(report.audit_id).finished_at is not None
