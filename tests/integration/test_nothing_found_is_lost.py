"""What an audit has found stands, whatever is stored beside it to stop the audit afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bson import DatetimeMS, Int64

from eventlog.audit import scan
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.anchored import AnchoredLog, kinds, new_key
from tests.support.factories import draft

HASH = b"h" * 32
INTACT = {"_id": "0", "chain": "main", "status": "intact", "to_seq": Int64(2**62)}
Damage = Callable[[AnchoredLog], object]


@pytest.fixture
def log(store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """A chain whose anchored events were rewritten, hashes and all."""
    log = AnchoredLog(store, tmp_path)
    log.append(4)
    log.audit_all()
    operations = operations_of(log.store)
    operations.events.delete_many({"chain": "main"})
    operations.sequences.delete_many({"_id": "main"})
    log.store.append("main", [draft(payload={"forged": number}) for number in range(4)])
    log.store.settle("main")
    return log


def planted(verified: Any) -> Damage:
    return lambda log: operations_of(log.store).audits.insert_one(INTACT | {"verified": verified})


def sequence(**fields: Any) -> Damage:
    changed = {name.replace("__", "."): value for name, value in fields.items()}
    return lambda log: operations_of(log.store).sequences.update_one({"_id": "main"}, {"$set": changed})


def row(**fields: Any) -> Damage:
    def insert(log: AnchoredLog) -> None:
        events = operations_of(log.store).events
        found = events.find_one({"chain": "main", "seq": 1})
        assert found is not None
        events.insert_one(found | {"_id": "main/planted", "event_id": "planted"} | fields)

    return insert


DAMAGES: dict[str, Damage] = {
    "a mark that is a number": planted(1),
    "a mark without a hash": planted({"size": Int64(3), "frontier": [HASH, HASH]}),
    "a mark with a frontier too few": planted({"size": Int64(3), "hash": HASH, "frontier": [HASH]}),
    "a mark larger than any chain": planted({"size": Int64(2**63 - 1), "hash": HASH, "frontier": [HASH] * 63}),
    "a settled size larger than any chain": sequence(settled__size=Int64(2**63 - 1), settled__frontier=[HASH] * 63),
    "a size larger than any chain": sequence(size=Int64(2**63 - 1)),
    "a row at the largest seq": row(seq=Int64(2**63 - 1)),
    "a row with a field's name of 9 MB": row(seq=Int64(9), **{"x" * (9 << 20): 1}),
}


@pytest.mark.parametrize("mode", ["full", "incremental"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_chain_that_was_rewritten_is_tampered_whatever_is_planted_beside_it(
    log: AnchoredLog, damage: Damage, mode: Any
) -> None:
    damage(log)
    report = log.audit_all(mode)["main"]
    assert report.status == "tampered", (report.incomplete_because, report.findings)
    assert report.findings_total >= 1
    assert operations_of(log.store).audits.find_one({"_id": report.audit_id, "status": "tampered"}) is not None


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_a_damaged_mark_is_a_finding_beside_what_was_rewritten(log: AnchoredLog, mode: str) -> None:
    planted(1)(log)
    assert {kind for kind, _ in kinds(log.audit(mode))} == {"unexpected", "rewritten"}


class Heard:
    """``Notices`` that keeps what it hears."""

    def __init__(self) -> None:
        self.found_in: list[tuple[str, int]] = []

    def found(self, report: Any, new: int) -> None:
        self.found_in.append((report.chain, new))

    def failed(self, what: str, chain: str, error: Exception) -> None:
        """See ``Notices``."""


@pytest.mark.parametrize("error", [StoreUnavailableError("gone"), OverflowError("too large")], ids=["store", "other"])
@pytest.mark.parametrize("where", ["start", "step"])
def test_what_was_found_is_told_and_stands_if_the_audit_then_fails(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    if where == "start":
        planted(1)(log)  # which is found when the audit begins; in a step it is that the chain was rewritten
    auditor, heard = log.auditor(), Heard()
    auditor._keeper._notices = heard

    def fail(*_: Any, **__: Any) -> None:
        raise error

    if where == "start":
        monkeypatch.setattr("eventlog.audit.running.plan", fail)
    else:
        monkeypatch.setattr(scan.Pass, "finish", fail)
    if isinstance(error, StoreUnavailableError):
        with pytest.raises(StoreUnavailableError):
            auditor.audit_all("full", 60)
    else:
        (report,) = (report for report in auditor.audit_all("full", 60) if report.chain == "main")
        assert (report.status, report.findings_total >= 1) == ("tampered", True)
        assert "OverflowError" in str(report.incomplete_because)
    assert sum(new for chain, new in heard.found_in if chain == "main") >= 1


def test_findings_of_a_running_audit_stand_when_it_is_given_up(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(1)(log)
    monkeypatch.setattr(scan, "STEP", 2)
    auditor = log.auditor()
    left = auditor.run(auditor.start("main", "full"), 0)
    assert (left.status, left.findings_total >= 1) == ("running", True)

    def fail(*_: Any) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(scan.Pass, "step", fail)
    (resumed,) = auditor.resume(60)
    assert (resumed.audit_id, resumed.status) == (left.audit_id, "tampered")
    assert resumed.findings == left.findings


def test_what_was_told_before_an_audit_was_stopped_is_not_told_again_when_it_is_resumed(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "STEP", 2)
    auditor, heard = log.auditor(), Heard()
    auditor._keeper._notices = heard
    run = auditor.start("main", "full")
    finish = scan.Pass.finish

    def fail(way: scan.Pass) -> None:
        finish(way)
        raise StoreUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(scan.Pass, "finish", fail)
        with pytest.raises(StoreUnavailableError):
            auditor.run(run, 60)
    told = sum(new for _, new in heard.found_in)
    assert told >= 1
    operations_of(log.store).audits.update_many({"status": "running"}, {"$set": {"lease": DatetimeMS(0)}})
    (resumed,) = auditor.resume(60)
    assert (resumed.status, sum(new for _, new in heard.found_in)) == ("tampered", resumed.findings_total)


def test_a_change_of_keys_that_cannot_be_announced_does_not_make_the_audit_forget_the_anchors(
    log: AnchoredLog, tmp_path: Path
) -> None:
    operations_of(log.store).audits.delete_many({})  # so that the anchors alone say what the chain was
    log.signers = [new_key(tmp_path / "next"), *log.signers]
    refused: dict[str, Any] = {"validator": {"pending": []}, "validationLevel": "strict"}
    operations_of(log.store).sequences.database.command("collMod", "sequences", **refused)
    report = log.audit("full")
    assert "rewritten" in {kind for kind, _ in kinds(report)}
    assert "a change of keys could not be announced" in str(report.incomplete_because)
