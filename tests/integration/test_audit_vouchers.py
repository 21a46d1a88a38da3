"""A running audit's stored state is trusted only if an audit has signed it."""

from pathlib import Path
from typing import Any

import pytest
from bson import DatetimeMS, Int64

from eventlog.audit import scan
from eventlog.audit.report import AuditReport
from eventlog.audit.run_documents import voucher_message
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from tests.support.anchored import HOUR, AnchoredLog, kinds, new_key


@pytest.fixture
def log(store: MongoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnchoredLog:
    """A log with 12 anchored events, 12 more, and audits that take 5 events a step."""
    monkeypatch.setattr(scan, "STEP", 5)
    log = AnchoredLog(store, tmp_path)
    log.append(12)
    assert log.audit("full").status == "intact"
    log.append(12)
    return log


def begun(log: AnchoredLog) -> AuditReport:
    """An audit that has run out of time after its first step."""
    auditor = log.auditor()
    report = auditor.run(auditor.start("main", "incremental"), 0)
    assert report.status == "running"
    return report


def resumed(log: AnchoredLog) -> AuditReport:
    (report,) = log.auditor().resume(60)
    return report


def test_an_audit_resumed_by_another_process_anchors_what_both_verified(log: AnchoredLog) -> None:
    begun(log)
    report = resumed(log)
    assert (report.status, report.anchored_size) == ("intact", 24)


FORGERIES: list[dict[str, Any]] = [
    {"position": Int64(24), "from_seq": Int64(24)},
    {"state.size": Int64(24)},
    {"state.links": [bytes(32)]},
    {"to_seq": Int64(13)},
    {"findings_total": Int64(0), "note": 1},
    {"voucher": bytes(64)},
    {"voucher": None},
    {"voucher": "x"},
]


@pytest.mark.parametrize("forged", FORGERIES, ids=str)
def test_a_running_report_that_somebody_has_touched_anchors_nothing(log: AnchoredLog, forged: dict[str, Any]) -> None:
    report = begun(log)
    operations_of(log.store).audits.update_one({"_id": report.audit_id}, {"$set": forged})
    again = resumed(log)
    assert again.status in {"incomplete", "tampered"}
    assert log.files() == ["000000000001.note"]
    assert log.audit("full").status == "intact"


def test_findings_that_somebody_has_taken_out_of_a_running_report_do_not_make_it_anchor(log: AnchoredLog) -> None:
    operations_of(log.store).events.update_one({"seq": 13, "chain": "main"}, {"$set": {"payload": '{"n":2}'}})
    report = begun(log)
    assert report.findings_total == 1
    nothing = {"findings": [], "findings_total": Int64(0)}
    operations_of(log.store).audits.update_one({"_id": report.audit_id}, {"$set": nothing})
    assert resumed(log).status == "incomplete"
    assert log.files() == ["000000000001.note"]


def test_a_voucher_of_a_retired_key_counts(log: AnchoredLog, tmp_path: Path) -> None:
    begun(log)
    old = log.signers[0]
    log.signers, log.retired = [new_key(tmp_path / "new"), old], []
    report = resumed(log)
    assert report.status == "intact"


HOURS_48 = 48 * HOUR
PUT_BACK: list[tuple[int, int, str]] = [
    (0, HOURS_48 - HOUR, ""),
    (0, HOURS_48 + HOUR, "it was signed too long ago"),
    (HOUR, 0, "it was signed in the future"),
]


@pytest.mark.parametrize(("signed", "resumed_at", "refusal"), PUT_BACK, ids=["in time", "too old", "of the future"])
def test_a_voucher_counts_for_two_intervals_of_the_full_audit(
    log: AnchoredLog, signed: int, resumed_at: int, refusal: str
) -> None:
    log.ahead = signed
    begun(log)
    log.ahead = resumed_at
    report = resumed(log)
    assert (report.status, refusal in str(report.incomplete_because)) == ("incomplete" if refusal else "intact", True)
    assert (len(log.files()) == 2) is not bool(refusal)


def test_a_voucher_without_a_time_counts_as_none(log: AnchoredLog) -> None:
    """As version 1 signed them, which could be put back for ever."""
    report = begun(log)
    audits = operations_of(log.store).audits
    stored = audits.with_options(codec_options=codec.RAW).find_one({"_id": report.audit_id})
    assert stored is not None
    _, _, digest = voucher_message(bytes(stored.raw), 0).decode().splitlines()
    signature = log.signers[0].sign(f"eventlog/audit/v1\n{digest}\n".encode())
    for fields in ({"$unset": {"vouched_at": 1}}, {"$set": {"voucher": signature}}):
        assert audits.update_one({"_id": report.audit_id}, fields).modified_count == 1
    assert resumed(log).status == "incomplete"


def test_the_time_of_a_voucher_cannot_be_changed(log: AnchoredLog) -> None:
    report = begun(log)
    log.ahead = HOURS_48 + HOUR
    later = {"$set": {"vouched_at": DatetimeMS(log.now())}}
    operations_of(log.store).audits.update_one({"_id": report.audit_id}, later)
    again = resumed(log)
    assert (again.status, "no audit has signed it" in str(again.incomplete_because)) == ("incomplete", True)


def test_a_first_anchor_is_not_built_on_what_an_earlier_report_says(store: MongoStore, tmp_path: Path) -> None:
    log = AnchoredLog(store, tmp_path)
    log.append(9)
    operations_of(log.store).events.update_one({"seq": 3, "chain": "main"}, {"$set": {"payload": '{"n":2}'}})
    state = log.store.chain("main")
    assert state is not None
    verified = {"size": Int64(9), "hash": state.state.hash, "frontier": state.state.frontier}
    forged = {"_id": "0", "chain": "main", "status": "intact", "to_seq": Int64(9), "verified": verified}
    operations_of(log.store).audits.insert_one(forged)
    report = log.audit("incremental")
    assert (report.from_seq, kinds(report)) == (0, [("payload_mismatch", 3)])
    assert log.files() == []
