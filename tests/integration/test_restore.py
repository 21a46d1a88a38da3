"""A restore that an operator declares: what is left goes on under its next name, and its past stays on record."""

import json
from pathlib import Path
from typing import Any

import pytest
from bson import Int64

from eventlog.anchors import anchoring
from eventlog.anchors.history import AnchorHistory, Standing
from eventlog.audit.auditor import Auditor
from eventlog.errors import InvalidError, NotFoundError
from eventlog.formats.anchor import Seal, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from eventlog.formats.restore import Restore, sign_restore, verify_restore
from eventlog.store.mongo.store import operations_of
from tests.support.anchored import ORIGIN, AnchoredLog, new_key
from tests.support.auditors import DiedError

Backup = dict[str, list[dict[str, Any]]]


def rows(chain: str) -> dict[str, dict[str, Any]]:
    """Where a chain's documents are."""
    return {"sequences": {"_id": chain}} | {name: {"chain": chain} for name in ("events", "checkpoints", "audits")}


def back_up(log: AnchoredLog, chain: str = "main") -> Backup:
    return {name: list(getattr(operations_of(log.store), name).find(query)) for name, query in rows(chain).items()}


def put_back(log: AnchoredLog, backup: Backup, chain: str = "main") -> None:
    for name, query in rows(chain).items():
        collection = getattr(operations_of(log.store), name)
        collection.delete_many(query)
        if backup[name]:
            collection.insert_many(backup[name])


def lines(log: AnchoredLog) -> list[tuple[str, int]]:
    """Under which name each anchor speaks, and of how many events."""
    keys = [*(signer.public_key for signer in log.signers), *log.retired]
    heads = [verify_anchor(log.anchors.read("main", name) or b"", keys).checkpoint for name in notes(log)]
    return [(head.origin.rpartition("/")[2], head.size) for head in heads]


def notes(log: AnchoredLog) -> list[str]:
    return [name for name in log.files() if not name.startswith("restore-")]


def statuses(log: AnchoredLog) -> list[str]:
    return [str(log.audit(mode).status) for mode in ("incremental", "full")]


@pytest.fixture
def restored(log: AnchoredLog) -> AnchoredLog:
    """Anchors of 5, 9 and 12 events; the backup was made after 7 of them."""
    log.append(5)
    log.audit()
    log.append(2)
    backup = back_up(log)
    log.append(2)
    log.audit()
    log.append(3)
    log.audit()
    put_back(log, backup)
    return log


def test_what_was_lost_is_found_until_the_restore_is_declared(restored: AnchoredLog) -> None:
    assert restored.found("incremental") == restored.found("full") == [("truncated", 7)]
    assert restored.restore().status == "intact"
    assert statuses(restored) == ["intact", "intact"]


def test_what_is_left_goes_on_under_its_next_name(restored: AnchoredLog) -> None:
    restored.restore()
    assert lines(restored) == [("main", 5), ("main", 9), ("main", 12), ("main~2", 8)]
    restored.append(6)
    assert statuses(restored) == ["intact", "intact"]
    assert lines(restored)[-1] == ("main~2", 14)


def test_what_was_lost_and_why_is_in_the_chain_and_beside_the_anchors(restored: AnchoredLog) -> None:
    lost = restored.anchors.read("main", restored.files()[-1]) or b""
    restored.restore("the disk broke")
    event = operations_of(restored.store).events.find_one({"event_type": "eventlog.chain_restored"})
    assert event is not None
    assert event["seq"] == 7
    assert '"kept":{"anchor":1,"size":5}' in event["payload"]
    assert lost.decode().splitlines()[2] in event["payload"]
    data = restored.anchors.read("main", "restore-0002.note") or b""
    note = verify_restore(data, [restored.signers[0].public_key])
    assert (note.number, note.kept, note.kept_size, note.reason) == (4, 1, 5, "the disk broke")


def test_a_chain_that_was_longer_again_before_the_restore_was_declared_goes_on(restored: AnchoredLog) -> None:
    restored.append(20)
    assert {kind for kind, _ in restored.found("full")} == {"rewritten"}
    assert restored.restore().status == "intact"
    assert statuses(restored) == ["intact", "intact"]


def test_a_second_restore_goes_on_under_the_third_name(restored: AnchoredLog) -> None:
    restored.restore()
    backup = back_up(restored)
    restored.append(4)
    restored.audit()
    put_back(restored, backup)
    restored.append(1)
    assert restored.audit("full").status == "tampered"
    assert restored.restore("again").status == "intact"
    assert statuses(restored) == ["intact", "intact"]
    assert lines(restored)[-2:] == [("main~2", 12), ("main~3", 10)]


def test_a_second_restore_may_go_back_behind_the_first(log: AnchoredLog) -> None:
    log.append(5)
    first = back_up(log)
    log.audit()
    log.append(4)
    second = back_up(log)
    log.append(4)
    log.audit()
    put_back(log, second)
    log.restore("one")
    put_back(log, first)
    assert log.audit("full").status == "tampered"
    assert log.restore("two").status == "intact"
    assert statuses(log) == ["intact", "intact"]
    log.append(30)
    assert statuses(log) == ["intact", "intact"]


def test_a_restore_from_before_the_first_anchor_keeps_none(log: AnchoredLog) -> None:
    log.append(5)
    backup = back_up(log)
    log.append(5)
    log.audit()
    put_back(log, backup)
    assert log.restore().status == "intact"
    assert lines(log) == [("main", 10), ("main~2", 6)]
    assert statuses(log) == ["intact", "intact"]


def test_tampering_after_a_restore_is_found_as_ever(restored: AnchoredLog) -> None:
    restored.restore()
    restored.append(5)
    restored.audit()
    operations_of(restored.store).events.update_one({"chain": "main", "seq": 6}, {"$set": {"principal": "forged"}})
    assert restored.found() == [("content_mismatch", 6)]


def test_a_chain_from_which_nothing_was_lost_is_refused(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    log.append(2)
    with pytest.raises(InvalidError, match="nothing was lost"):
        log.restore()
    assert log.files() == notes(log)
    assert log.store.chain("main").state.size == 7  # type: ignore[union-attr]


def test_a_restore_that_was_declared_is_not_declared_again(restored: AnchoredLog) -> None:
    restored.restore()
    with pytest.raises(InvalidError, match="nothing was lost"):
        restored.restore()


def test_a_chain_whose_rest_is_damaged_is_refused_and_stays_as_it_is(restored: AnchoredLog) -> None:
    operations_of(restored.store).events.update_one({"chain": "main", "seq": 3}, {"$set": {"principal": "forged"}})
    with pytest.raises(InvalidError, match="what is left of it is damaged"):
        restored.restore()
    assert restored.files() == notes(restored)
    assert restored.audit("full").status == "tampered"


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 501])
def test_a_reason_that_is_not_one_line_is_refused_before_anything_is_written(
    restored: AnchoredLog, reason: str
) -> None:
    with pytest.raises(InvalidError, match="reason"):
        restored.restore(reason)
    assert restored.files() == notes(restored)
    assert restored.found("full") == [("truncated", 7)]


def test_a_chain_that_is_not_there_or_was_never_anchored_is_refused(log: AnchoredLog) -> None:
    with pytest.raises(NotFoundError):
        log.restore()
    log.append(3)
    with pytest.raises(NotFoundError, match="never anchored"):
        log.restore()


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_forged_restore_is_a_finding_and_excuses_nothing(restored: AnchoredLog, mode: str, tmp_path: Path) -> None:
    declared = Restore(f"{ORIGIN}/main~2", 4, 1, 5, restored.now(), "nothing to see")
    forged = sign_restore(declared, [new_key(tmp_path / "forger")])
    restored.anchors.create("main", "restore-0002.note", forged)
    assert sorted(restored.found(mode), key=str) == [("checkpoint_invalid", None), ("truncated", 7)]


def test_copies_of_anchors_that_the_backup_had_not_are_made_again(restored: AnchoredLog) -> None:
    restored.restore()
    found = operations_of(restored.store).checkpoints.count_documents({"chain": "main"})
    assert found == len(notes(restored)) == 4


def test_a_restore_with_a_new_key_goes_on(restored: AnchoredLog, tmp_path: Path) -> None:
    restored.retired = [restored.signers[0].public_key]
    restored.signers = [new_key(tmp_path / "new")]
    assert restored.restore("the machine is gone, and its key").status == "intact"
    assert lines(restored)[-1][0] == "main~2"
    restored.append(3)
    assert statuses(restored) == ["intact", "intact"]
    assert restored.audit().unanchored_events == 0


def claim_and_die(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor dies between its claim and the anchor."""

    def die(*_: Any) -> bytes:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(anchoring, "sign_anchor", die)
        with pytest.raises(DiedError):
            log.audit()


@pytest.mark.parametrize("log", [False, True], indirect=True, ids=["alone", "packed"])
@pytest.mark.parametrize("anchored", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("regrown", [0, 6])
def test_a_restore_that_lost_what_an_audit_has_claimed_is_declared(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch, anchored: bool, regrown: int
) -> None:
    """An auditor had died. No anchor is contradicted."""
    log.append(5)
    if anchored:
        log.audit()
    backup = back_up(log)
    log.append(3)
    claim_and_die(log, monkeypatch)
    put_back(log, backup)
    if regrown:
        log.append(regrown)
    if regrown or not anchored:  # else nothing is due to be anchored yet
        assert statuses(log) == ["tampered", "tampered"]
    assert log.restore().status == "intact"
    assert statuses(log) == ["intact", "intact"]
    assert lines(log) == [*([("main", 5)] if anchored else []), ("main~2", 6 + regrown)]
    declared = operations_of(log.store).events.find_one({"event_type": "eventlog.chain_restored"})
    assert declared is not None
    assert parse_checkpoint(json.loads(declared["payload"])["lost_claim"]).size == 8  # what was claimed
    log.append(2)
    assert statuses(log) == ["intact", "intact"]
    with pytest.raises(InvalidError, match="nothing was lost"):
        log.restore()


def test_a_claim_that_the_chain_extends_is_no_loss(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    for append in (5, 3):
        log.append(append)
        claim_and_die(log, monkeypatch)
        log.append(2)
        with pytest.raises((InvalidError, NotFoundError)):
            log.restore()
        assert log.audit().status == "intact"
    assert {name for name, _ in lines(log)} == {"main"}


def test_a_claim_that_is_made_while_a_restore_is_looked_at_is_no_loss(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(5)
    log.audit()
    standing = AnchorHistory.standing

    def slow(self: AnchorHistory, chain: str, origins: list[str]) -> Standing:
        found = standing(self, chain, origins)
        monkeypatch.setattr(AnchorHistory, "standing", standing)
        log.append(2)
        claim_and_die(log, monkeypatch)
        return found

    monkeypatch.setattr(AnchorHistory, "standing", slow)
    with pytest.raises(InvalidError, match="nothing was lost"):
        log.restore()
    assert statuses(log) == ["intact", "intact"]


def test_a_forged_copy_and_a_forged_claim_have_no_restore_declared(restored: AnchoredLog) -> None:
    """The copy has it that no newest anchor is found, so that the claim would be of the first one."""
    assert restored.restore().status == "intact"
    restored.append(2)
    assert restored.audit("full").status == "intact"
    backup = back_up(restored, "main")
    restored.append(2)
    assert restored.audit().status == "intact"
    head = Checkpoint(f"{ORIGIN}/main~2", 10**6, b"\1" * 32)
    forged = Seal(1, restored.now(), bytes(32)).message(format_checkpoint(head))
    assert restored.objects.create("main", "000000000001-2.claim", forged)
    put_back(restored, backup, "main")
    copies = operations_of(restored.store).checkpoints
    newest = copies.find_one({"chain": "main"}, sort=[("number", -1)])
    assert newest is not None
    copies.insert_one(newest | {"_id": "main/000000000999", "number": Int64(999)})
    with pytest.raises(NotFoundError):
        restored.restore()
    assert [key for key in restored.objects.keys("main") if "restore" in key] == ["restore-0002.note"]
    copies.delete_one({"_id": "main/000000000999"})
    assert restored.restore().status == "intact"


def test_an_older_backup_that_is_put_back_after_a_restore_is_declared_in_its_turn(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first declaration died before there was an anchor after it."""
    backups = []
    for count in (5, 4, 3):
        log.append(count)
        log.audit()
        backups.append(back_up(log, "main"))
    put_back(log, backups[1], "main")
    run = Auditor.run

    def die(self: Auditor, *given: Any) -> Any:
        monkeypatch.setattr(Auditor, "run", dying)
        return run(self, *given)

    def dying(*_: Any) -> Any:
        raise DiedError

    monkeypatch.setattr(Auditor, "run", die)  # the first is of what is left alone
    with pytest.raises(DiedError):
        log.restore()
    monkeypatch.setattr(Auditor, "run", run)
    put_back(log, backups[0], "main")
    assert log.restore().status == "intact"
    log.append(9)
    assert statuses(log) == ["intact", "intact"]
    assert log.audit().unanchored_events == 0
