"""What an audit found intact is signed and anchored; what contradicts that, or can't be asked for, is not."""

import pytest

from eventlog.audit.auditor import Auditor
from eventlog.chain_names import REGISTRY
from eventlog.formats.anchor import NO_ANCHOR
from eventlog.formats.checkpoint import Checkpoint
from eventlog.store.errors import AnchorsUnavailableError, SigningError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import operations_of
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog, kinds
from tests.support.auditors import Countdown, anchors, check_anchors, dying_auditor, signed


def test_an_intact_audit_anchors_keeps_the_copy_and_registers_the_chain(log: AnchoredLog) -> None:
    log.append(7)
    report = log.audit()
    (anchor,) = anchors(log)
    found = log.store.chain("main")
    assert found is not None
    assert anchor.checkpoint == Checkpoint(f"{ORIGIN}/main", 7, found.state.root)
    assert (anchor.seal.number, anchor.seal.previous) == (1, NO_ANCHOR)
    assert check_anchors(log) == [7]
    assert (report.anchored_size, report.anchored_at) == (7, anchor.seal.time)
    assert report.unanchored_events == 0
    event = log.store.get(REGISTRY, "main")
    assert event is not None
    assert event.entry.event_type == "eventlog.chain_registered"


def test_the_registry_is_audited_last_and_anchored_too(log: AnchoredLog) -> None:
    log.append(3, "b")
    log.append(3, "zz")
    assert list(log.audit_all()) == ["b", "zz", REGISTRY]
    assert check_anchors(log, REGISTRY) == [3]  # two chains are registered, then their heads committed to
    assert [r.status for r in log.audit_all("full").values()] == ["intact"] * 3
    assert check_anchors(log, REGISTRY) == [3]


def test_nothing_new_within_the_hour_is_not_anchored_again(log: AnchoredLog) -> None:
    log.append(3)
    log.audit()
    log.ahead = HOUR - 60_000
    log.audit()
    log.audit("full")
    assert check_anchors(log) == [3]


def test_a_silent_chain_is_anchored_again_after_an_hour_with_the_same_head(log: AnchoredLog) -> None:
    log.append(3)
    log.audit()
    log.ahead = HOUR
    report = log.audit()
    first, second = anchors(log)
    assert second.checkpoint == first.checkpoint
    assert second.seal.time - first.seal.time >= HOUR
    assert (report.anchored_size, report.anchored_at) == (3, second.seal.time)
    assert check_anchors(log) == [3, 3]
    assert log.audit("full").status == "intact"


def test_an_empty_chain_is_never_anchored(log: AnchoredLog) -> None:
    assert log.audit_all() == {}
    assert not (log.folder / "anchors").exists()


def test_an_audit_that_finds_something_anchors_nothing(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    log.append(5)
    operations_of(log.store).events.update_one({"chain": "main", "seq": 7}, {"$set": {"principal": "forged"}})
    assert kinds(log.audit()) == [("content_mismatch", 7)]
    assert check_anchors(log) == [5]


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_where_anchors_can_not_be_read_an_audit_is_incomplete_and_the_next_goes_on(
    grown: AnchoredLog, mode: str
) -> None:
    auditor = dying_auditor(grown, Countdown(2, error=AnchorsUnavailableError("the disk is away")))
    report = auditor.run(auditor.start("main", "full" if mode == "full" else "incremental"), 60)
    assert (report.status, report.findings) == ("incomplete", ())
    assert "the disk is away" in (report.incomplete_because or "")
    assert signed(grown) == []
    assert grown.audit(mode).status == "intact"
    assert check_anchors(grown) == [5, 9]


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_without_the_key_an_audit_is_incomplete_and_the_next_goes_on(grown: AnchoredLog, mode: str) -> None:
    signers = grown.signers
    grown.signers = [NoKey()]
    report = grown.audit(mode)
    assert (report.status, report.findings) == ("incomplete", ())
    assert "KMS is away" in (report.incomplete_because or "")
    grown.signers = signers
    assert grown.audit(mode).status == "intact"
    assert check_anchors(grown) == [5, 9]


def test_without_the_key_what_is_edited_is_found_all_the_same(grown: AnchoredLog) -> None:
    operations_of(grown.store).events.update_one({"chain": "main", "seq": 2}, {"$set": {"principal": "forged"}})
    grown.signers = [NoKey()]
    report = grown.audit("full")
    assert (report.status, kinds(report)) == ("tampered", [("content_mismatch", 2)])
    assert report.incomplete_because is not None


class NoKey:
    """``Signer`` that can't be asked."""

    @property
    def public_key(self) -> bytes:
        raise SigningError("KMS is away")

    def sign(self, message: bytes) -> bytes:  # noqa: ARG002
        raise SigningError("KMS is away")


def test_a_chain_removed_while_the_key_is_away_makes_its_audit_incomplete_and_the_others_go_on(
    log: AnchoredLog,
) -> None:
    for chain in ("a", "b"):
        log.append(3, chain)
    log.audit_all()
    operations_of(log.store).events.delete_many({"chain": "a"})
    operations_of(log.store).sequences.delete_one({"_id": "a"})
    operations_of(log.store).audits.delete_many({})
    signers, log.signers = log.signers, [NoKey()]
    assert {r.status for r in log.audit_all().values()} == {"incomplete"}
    log.signers = signers
    assert kinds(log.audit_all()["a"]) == [("truncated", 0)]


def test_a_chain_whose_name_no_client_could_give_it_is_a_finding_and_the_others_are_audited(log: AnchoredLog) -> None:
    log.append(3, "b")
    operations = operations_of(log.store)
    (sequence,) = operations.sequences.find()
    operations.sequences.insert_one(sequence | {"_id": "../a"})
    reports = log.audit_all()
    assert kinds(reports["../a"])[0] == ("unexpected", None)
    assert reports["b"].status == "intact"


def test_a_log_that_was_audited_without_anchors_is_verified_whole_before_the_first(log: AnchoredLog) -> None:
    log.append(5)
    plain = Auditor(log.store, AuditStore(log.store), ORIGIN)
    assert plain.run(plain.start("main", "full"), 60).status == "intact"
    log.append(4)
    report = log.audit()
    assert (report.from_seq, report.status) == (0, "intact")
    assert check_anchors(log) == [9]


def test_what_a_plain_audit_verified_counts_where_the_anchors_end_before_it(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    log.append(4)
    plain = Auditor(log.store, AuditStore(log.store), ORIGIN)
    assert plain.run(plain.start("main", "full"), 60).status == "intact"
    operations_of(log.store).events.delete_one({"chain": "main", "seq": 8})
    assert log.found("incremental") == [("truncated", 8)]


def test_what_a_plain_audit_verified_and_was_rewritten_since_is_one_finding(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    before = operations_of(log.store).sequences.find_one({"_id": "main"})
    assert before is not None
    log.append(4)
    plain = Auditor(log.store, AuditStore(log.store), ORIGIN)
    assert plain.run(plain.start("main", "full"), 60).status == "intact"
    operations_of(log.store).events.delete_many({"seq": {"$gte": 5}})
    operations_of(log.store).sequences.replace_one({"_id": "main"}, before)
    log.append(6)
    assert log.found("incremental") == log.found("full") == [("rewritten", 8)]
