"""Another key signs from some anchor on: the chain says so before, and what the old key signed stays valid."""

from pathlib import Path

import pytest
from bson import DatetimeMS

from eventlog.anchors.keys import note_key
from eventlog.anchors.signing import KeyFile
from eventlog.audit import scan
from eventlog.formats.anchor import Anchor, Seal, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, origin_line, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey
from eventlog.store.errors import SigningError
from eventlog.store.mongo.store import operations_of
from tests.support.anchored import ORIGIN, AnchoredLog, new_key
from tests.support.auditors import check_anchors, claim, put


@pytest.fixture
def old(log: AnchoredLog) -> KeyFile:
    """The key that has signed an anchor of 5 events."""
    (key,) = log.signers
    assert isinstance(key, KeyFile)
    log.append(5)
    log.audit()
    return key


@pytest.fixture
def new(tmp_path: Path) -> KeyFile:
    return new_key(tmp_path / "new")


def last(log: AnchoredLog) -> Anchor:
    keys = [*(signer.public_key for signer in log.signers), *log.retired]
    return verify_anchor(log.anchors.read("main", log.files()[-1]) or b"", keys)


def rotations(log: AnchoredLog) -> list[int]:
    found = operations_of(log.store).events.find({"event_type": "eventlog.key_rotated"}, sort=[("seq", 1)])
    return [event["seq"] for event in found]


def intact(log: AnchoredLog) -> bool:
    return {log.audit(mode).status for mode in ("incremental", "full")} == {"intact"}


def test_the_chain_says_that_a_new_key_signs_before_it_does(log: AnchoredLog, old: KeyFile, new: KeyFile) -> None:
    log.signers = [new, old]
    assert log.audit().status == "intact"
    assert rotations(log) == [5]
    assert (last(log).checkpoint.size, last(log).keys[0].public_key) == (6, new.public_key)
    assert intact(log)
    assert check_anchors(log) == [5, 6]


def test_while_both_sign_those_who_know_either_can_verify(log: AnchoredLog, old: KeyFile, new: KeyFile) -> None:
    log.signers = [new, old]
    log.audit()
    for key in (old, new):
        pinned = VerifierKey(origin_line(ORIGIN, "main"), key.public_key)
        assert verify_checkpoint(last(log).data, [pinned])[0].size == 6


def test_once_the_old_key_is_retired_it_signs_no_more_and_its_anchors_stay_valid(
    log: AnchoredLog, old: KeyFile, new: KeyFile
) -> None:
    log.signers = [new, old]
    log.audit()
    log.signers, log.retired = [new], [old.public_key]
    log.append(3)
    assert intact(log)
    with pytest.raises(EvidenceError):
        verify_checkpoint(last(log).data, [VerifierKey(origin_line(ORIGIN, "main"), old.public_key)])
    assert rotations(log) == [5]
    assert check_anchors(log) == [5, 6, 9]


def test_a_key_may_be_changed_at_once(log: AnchoredLog, old: KeyFile, new: KeyFile) -> None:
    log.signers, log.retired = [new], [old.public_key]
    assert intact(log)
    assert check_anchors(log) == [5, 6]


def test_a_key_may_come_back(log: AnchoredLog, old: KeyFile, new: KeyFile) -> None:
    for signers in ([new, old], [old, new], [new, old]):
        log.signers = [*signers]
        assert intact(log)
    assert rotations(log) == [5, 6, 7]
    assert check_anchors(log) == [5, 6, 7, 8]


def test_anchors_of_a_key_that_is_not_trusted_any_more_are_findings(
    log: AnchoredLog, old: KeyFile, new: KeyFile
) -> None:
    assert old.public_key
    log.signers = [new]
    assert {kind for kind, _ in log.found("full")} == {"checkpoint_invalid"}
    assert log.files() == [note_key(1)]


def test_an_anchor_by_another_trusted_key_that_the_chain_does_not_announce_is_a_finding(
    log: AnchoredLog, old: KeyFile, new: KeyFile
) -> None:
    log.append(2)
    found, before = log.store.chain("main"), last(log)
    assert found is not None
    head = Checkpoint(before.checkpoint.origin, 7, found.state.root)
    seal = Seal(2, before.seal.time + 1, before.digest)
    put(log, note_key(2), sign_anchor(head, seal, [new]))
    log.retired = [new.public_key]
    log.signers = [old]
    assert log.found("full") == [("checkpoint_invalid", None)]


def test_a_claim_left_from_before_the_change_is_finished(log: AnchoredLog, old: KeyFile, new: KeyFile) -> None:
    log.append(2)
    put(log, "000000000002.claim", claim(log))
    log.signers, log.retired = [new], [old.public_key]
    assert log.audit().status == "intact"
    log.append(2)
    assert intact(log)
    assert check_anchors(log)[:2] == [5, 7]


def test_an_audit_that_began_before_the_change_and_goes_on_after_it_leaves_the_anchor_to_the_next(
    log: AnchoredLog, old: KeyFile, new: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "STEP", 2)
    log.append(4)
    auditor = log.auditor()
    assert auditor.run(auditor.start("main", "full"), 0).status == "running"
    log.signers, log.retired = [new], [old.public_key]
    operations_of(log.store).audits.update_many({}, {"$set": {"lease": DatetimeMS(0)}})
    (report,) = log.auditor().resume(60)
    assert report.status == "intact"
    assert check_anchors(log) == [5]
    assert intact(log)
    assert check_anchors(log) == [5, 10]


class Broken:
    """``Signer`` that has a public key, and is not allowed to sign."""

    def __init__(self, key: KeyFile) -> None:
        self.public_key = key.public_key

    def sign(self, message: bytes) -> bytes:  # noqa: ARG002
        raise SigningError("not allowed")


def test_a_new_key_that_turns_out_not_to_work_can_be_given_up_for_a_third(
    log: AnchoredLog, old: KeyFile, new: KeyFile, tmp_path: Path
) -> None:
    log.signers, log.retired = [Broken(new)], [old.public_key]
    assert log.audit().status == "incomplete"
    log.signers = [new_key(tmp_path / "third")]
    assert intact(log)
    assert check_anchors(log)[0] == 5
    assert last(log).keys[0].public_key == log.signers[0].public_key


def test_a_new_key_that_turns_out_not_to_work_can_be_given_up_for_the_old_one(
    log: AnchoredLog, old: KeyFile, new: KeyFile
) -> None:
    log.signers, log.retired = [Broken(new)], [old.public_key]
    assert log.audit().status == "incomplete"
    log.signers, log.retired = [old], []
    assert intact(log)
    log.append(2)
    assert intact(log)
