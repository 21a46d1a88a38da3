"""Whatever somebody stores as a running audit: every chain is audited, every other audit goes on, and it is told."""

from pathlib import Path
from typing import Any

import bson
import pytest
from bson import DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument

from eventlog.audit import scan
from eventlog.audit.run_documents import read_run
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from tests.support.anchored import AnchoredLog

KINDS: dict[str, Any] = {
    "double": 7.5,
    "string": "xyz",
    "no UTF-8": "~~~",
    "object": {"a": 1},
    "array": ["running"],
    "binary": b"x",
    "id": ObjectId("0" * 24),
    "bool": True,
    "date": DatetimeMS(0),
    "date of no year": DatetimeMS(2**62),
    "null": None,
    "regex": Regex("x"),
    "int": 7,
    "timestamp": Timestamp(1, 1),
    "timestamp of the future": Timestamp(2**32 - 1, 1),
    "long": Int64(9),
    "decimal": Decimal128("1"),
    "min": MinKey(),
    "max": MaxKey(),
}
FIELDS = ("_id", "chain", "mode", "status", "lease", "voucher", "vouched_at", "findings", "read_at", "started_at")
NOT_IN_AN_ID = {"array", "regex"}
NOT_A_FINDING: dict[str, set[str]] = {
    "mode": {"string"},  # another version may have other modes
    "lease": set(KINDS),  # it is ours again once it is taken
    "voucher": {"null", "binary"},
    "vouched_at": {"null", "date"},
    "read_at": {"null", "timestamp"},
    "started_at": {"date"},
}


@pytest.fixture
def log(store: MongoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnchoredLog:
    """Two chains, anchored, with 12 events more each; audits take 5 events a step."""
    monkeypatch.setattr(scan, "STEP", 5)
    log = AnchoredLog(store, tmp_path)
    for chain in ("aaa", "main"):
        log.append(3, chain)
    log.audit_all()
    for chain in ("aaa", "main"):
        log.append(12, chain)
    return log


def left(log: AnchoredLog, chain: str = "main") -> dict[str, Any]:
    """What an audit that ran out of time has stored."""
    auditor = log.auditor()
    report = auditor.run(auditor.start(chain, "full"), 0)
    assert report.status == "running"
    return codec.decode(AuditStore(log.store).get(report.audit_id) or b"")


def plant(log: AnchoredLog, document: dict[str, Any]) -> None:
    raw = bson.encode(document, codec_options=codec.CODEC).replace(b"~~~", b"\xff\xff\xff")
    operations_of(log.store).audits.with_options(codec_options=codec.RAW).insert_one(RawBSONDocument(raw))


def test_every_type_in_every_field_that_is_read_stops_nothing_and_is_told(log: AnchoredLog) -> None:
    genuine = left(log)
    planted = {
        (field, kind): f"{number:08x}-0000-4000-8000-000000000000"
        for number, (field, kind) in enumerate((field, kind) for field in FIELDS for kind in KINDS)
        if not (field == "_id" and kind in NOT_IN_AN_ID) and (field != "status" or kind == "array")
    }
    for (field, kind), audit_id in planted.items():
        plant(log, genuine | {"_id": audit_id, "lease": DatetimeMS(0)} | {field: KINDS[kind]})
    reports = log.auditor().resume(600)
    assert [report.status for report in reports if report.audit_id == genuine["_id"]] == ["intact"]
    found = {report.audit_id: report for report in reports}
    for (field, kind), audit_id in planted.items():
        if field == "_id":
            continue
        expected = "incomplete" if kind in NOT_A_FINDING.get(field, set()) else "tampered"
        assert found[audit_id].status == expected, (field, kind)
    ids = [report for report in reports if report.audit_id not in {*planted.values(), genuine["_id"]}]
    assert {report.status for report in ids} == {"tampered"}
    assert len(ids) == len(KINDS) - len(NOT_IN_AN_ID)
    for _ in range(2):
        after = log.audit_all("full")
        assert [after[chain].status for chain in ("aaa", "main", "eventlog.registry")] == ["intact"] * 3


def test_a_running_audit_whose_lease_lies_in_the_future_is_resumed(log: AnchoredLog) -> None:
    document = left(log)
    hour = {"$set": {"lease": DatetimeMS(log.now() + 3_600_000)}}
    operations_of(log.store).audits.update_one({"_id": document["_id"]}, hour)
    assert [report.status for report in log.auditor().resume(60)] == ["intact"]


def test_an_audit_that_never_ends_is_resumed_after_those_that_have_waited_longer(log: AnchoredLog) -> None:
    log.ahead -= 3_600_000
    first = left(log, "main")["_id"]
    log.ahead += 60_000
    second = left(log, "aaa")["_id"]
    log.ahead += 60_000
    assert waiting(log) == [first, second]
    stored = AuditStore(log.store).take(bson.encode({"_id": first}))
    assert log.auditor().run(read_run(stored or b""), 0).status == "running"
    assert waiting(log) == [second, first]


def waiting(log: AnchoredLog) -> list[str]:
    """The ids of running audits, in the order in which they are resumed."""
    return [bson.decode(key)["_id"] for key in AuditStore(log.store).waiting()]


def test_an_audit_that_another_process_takes_first_is_left_to_it(log: AnchoredLog) -> None:
    left(log)
    (key,) = AuditStore(log.store).waiting()
    assert AuditStore(log.store).take(key) is not None
    assert AuditStore(log.store).take(key) is None
    assert log.auditor().resume(60) == []
