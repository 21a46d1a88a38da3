"""What an audit found intact is signed and anchored; what contradicts that, or can't be asked for, is not."""

from pathlib import Path

import pytest

from eventlog.formats.anchor import NO_ANCHOR, Anchor, Seal, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line
from eventlog.service.audit import Auditor
from eventlog.service.registry import REGISTRY
from eventlog.store.audits import AuditStore
from eventlog.store.errors import AnchorsUnavailableError, SigningError
from eventlog.store.mongo import MongoStore
from eventlog.store.tree import TreeReader
from tests.anchored import HOUR, ORIGIN, AnchoredLog, kinds
from tests.dying import Countdown, Recorder, check_anchors, dying_auditor


def anchors(log: AnchoredLog, chain: str = "main") -> list[Anchor]:
    keys = [log.signers[0].public_key]
    return [verify_anchor(log.anchors.read(chain, name) or b"", keys) for name in log.files(chain)]


def put(log: AnchoredLog, key: str, data: bytes, chain: str = "main") -> None:
    path = log.folder / "anchors" / chain / key
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def test_an_intact_audit_anchors_keeps_the_copy_and_registers_the_chain(log: AnchoredLog) -> None:
    log.append(7)
    report = log.audit()
    (anchor,) = anchors(log)
    found = log.store.chain("main")
    assert found is not None
    assert anchor.checkpoint == Checkpoint(f"{ORIGIN}/main", 7, found.state.root)
    assert (anchor.seal.number, anchor.seal.previous) == (1, NO_ANCHOR)
    assert check_anchors(log) == [7]
    assert (report["anchored_size"], int(report["anchored_at"])) == (7, anchor.seal.time)
    assert report["unanchored_events"] == 0
    event = log.store.get(REGISTRY, "main")
    assert event is not None
    assert event.entry.event_type == "eventlog.chain_registered"


def test_the_registry_is_audited_last_and_anchored_too(log: AnchoredLog) -> None:
    log.append(3, "b")
    log.append(3, "zz")
    assert list(log.audit_all()) == ["b", "zz", REGISTRY]
    assert check_anchors(log, REGISTRY) == [2]
    assert [r["status"] for r in log.audit_all("full").values()] == ["intact"] * 3
    assert check_anchors(log, REGISTRY) == [2]


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
    assert (report["anchored_size"], int(report["anchored_at"])) == (3, second.seal.time)
    assert check_anchors(log) == [3, 3]
    assert log.audit("full")["status"] == "intact"


def test_an_empty_chain_is_never_anchored(log: AnchoredLog) -> None:
    assert log.audit_all() == {}
    assert not (log.folder / "anchors").exists()


def test_an_audit_that_finds_something_anchors_nothing(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    log.append(5)
    log.store.operations.events.update_one({"chain": "main", "seq": 7}, {"$set": {"principal": "forged"}})
    assert kinds(log.audit()) == [("content_mismatch", 7)]
    assert check_anchors(log) == [5]


def claim(log: AnchoredLog, **changed: object) -> bytes:
    """The next anchor's claim, as an auditor would write it who sees the chain as it is; parts of it may be others."""
    found, (last,) = log.store.chain("main"), anchors(log)
    assert found is not None
    parts = {
        "origin": origin_line(ORIGIN, "main"),
        "size": found.state.size,
        "root": found.state.root,
        "number": 2,
        "time": last.seal.time + 1,
        "previous": last.digest,
    } | changed
    head = Checkpoint(*(parts[name] for name in ("origin", "size", "root")))  # type: ignore[arg-type]
    seal = Seal(*(parts[name] for name in ("number", "time", "previous")))  # type: ignore[arg-type]
    return seal.message(format_checkpoint(head))


@pytest.fixture
def grown(log: AnchoredLog) -> AnchoredLog:
    """One anchor of 5 events, and 4 events more; whatever is signed is recorded."""
    log.signers = [Recorder(log.signers[0])]
    log.append(5)
    log.audit()
    log.append(4)
    log.signers = [Recorder(log.signers[0])]
    return log


def signed(log: AnchoredLog) -> list[bytes]:
    (recorder,) = log.signers
    assert isinstance(recorder, Recorder)
    return recorder.messages


def test_a_claim_that_a_dead_auditor_left_is_finished_as_it_is(grown: AnchoredLog) -> None:
    put(grown, "000000000002.claim", left := claim(grown))
    grown.append(3)
    assert grown.audit()["status"] == "intact"
    assert signed(grown)[1] == left
    assert check_anchors(grown) == [5, 9, 12]
    assert grown.audit("full")["status"] == "intact"


@pytest.mark.parametrize("time", [1, 2**42])
def test_a_claim_that_a_wrong_clock_has_dated_is_finished_with_the_time_it_is(grown: AnchoredLog, time: int) -> None:
    put(grown, "000000000002.claim", claim(grown, time=time))
    assert grown.audit()["status"] == "intact"
    assert check_anchors(grown) == [5, 9]
    assert abs(anchors(grown)[1].seal.time - grown.now()) < 60_000
    assert grown.audit("full")["status"] == "intact"


FALSE_CLAIMS: list[tuple[str, dict[str, object]]] = [
    ("rewritten", {"root": bytes(32)}),
    ("rewritten", {"size": 7}),
    ("rewritten", {"size": 5, "root": bytes(32)}),
    ("checkpoint_invalid", {"size": 0}),
    ("checkpoint_invalid", {"size": 4, "root": bytes(32)}),
    ("checkpoint_invalid", {"size": 10}),
    ("checkpoint_invalid", {"size": 2**62}),
    ("checkpoint_invalid", {"origin": f"{ORIGIN}/other"}),
    ("checkpoint_invalid", {"origin": f"{ORIGIN}/main~2"}),
    ("checkpoint_invalid", {"number": 3}),
    ("checkpoint_invalid", {"previous": bytes(32)}),
]


@pytest.mark.parametrize(("kind", "changed"), FALSE_CLAIMS, ids=str)
@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_claim_that_is_not_true_is_a_finding_and_nothing_is_signed(
    grown: AnchoredLog, kind: str, changed: dict[str, object], mode: str
) -> None:
    put(grown, "000000000002.claim", claim(grown, **changed))
    report = grown.audit(mode)
    assert ([found[0] for found in kinds(report)], report["status"]) == ([kind], "tampered")
    assert signed(grown) == []
    assert check_anchors(grown) == [5]


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xff" * 200, b"x" * 3_000_000], ids=lambda data: str(len(data)))
def test_a_claim_that_is_garbage_is_a_finding_and_nothing_is_signed(grown: AnchoredLog, data: bytes) -> None:
    put(grown, "000000000002.claim", data)
    assert grown.found("incremental") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


def test_a_claim_of_an_earlier_head_though_its_root_is_true_is_a_finding(grown: AnchoredLog) -> None:
    earlier = TreeReader(grown.store.operations).root("main", 4)
    put(grown, "000000000002.claim", claim(grown, size=4, root=earlier))
    assert grown.found("incremental") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


def test_a_claim_with_a_size_of_more_digits_than_it_needs_is_a_finding(grown: AnchoredLog) -> None:
    put(grown, "000000000002.claim", claim(grown).replace(b"\n9\n", b"\n09\n"))
    assert grown.found("incremental") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


def test_a_claim_of_a_later_head_is_left_to_whoever_has_seen_it(grown: AnchoredLog) -> None:
    auditor = grown.auditor()
    early = auditor.start("main", "full")
    grown.append(2)
    put(grown, "000000000002.claim", claim(grown))
    assert auditor.run(early, 60)["status"] == "intact"
    assert check_anchors(grown) == [5]
    assert grown.audit()["status"] == "intact"
    assert check_anchors(grown) == [5, 11]


def test_a_note_of_another_key_in_the_next_place_is_a_finding(grown: AnchoredLog, tmp_path: Path) -> None:
    put(grown, "000000000002.note", anchors(grown)[0].data)
    assert {kind for kind, _ in grown.found("incremental")} == {"checkpoint_invalid"}
    assert grown.found("full") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_where_anchors_can_not_be_read_an_audit_is_incomplete_and_the_next_goes_on(
    grown: AnchoredLog, mode: str
) -> None:
    auditor = dying_auditor(grown, Countdown(2, error=AnchorsUnavailableError("the disk is away")))
    report = auditor.run(auditor.start("main", "full" if mode == "full" else "incremental"), 60)
    assert (report["status"], report["findings"]) == ("incomplete", [])
    assert "the disk is away" in report["incomplete_because"]
    assert signed(grown) == []
    assert grown.audit(mode)["status"] == "intact"
    assert check_anchors(grown) == [5, 9]


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_without_the_key_an_audit_is_incomplete_and_the_next_goes_on(grown: AnchoredLog, mode: str) -> None:
    signers = grown.signers
    grown.signers = [NoKey()]
    report = grown.audit(mode)
    assert (report["status"], report["findings"]) == ("incomplete", [])
    assert "KMS is away" in report["incomplete_because"]
    grown.signers = signers
    assert grown.audit(mode)["status"] == "intact"
    assert check_anchors(grown) == [5, 9]


def test_without_the_key_what_is_edited_is_found_all_the_same(grown: AnchoredLog) -> None:
    grown.store.operations.events.update_one({"chain": "main", "seq": 2}, {"$set": {"principal": "forged"}})
    grown.signers = [NoKey()]
    report = grown.audit("full")
    assert (report["status"], kinds(report)) == ("tampered", [("content_mismatch", 2)])
    assert report["incomplete_because"] is not None


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
    log.store.operations.events.delete_many({"chain": "a"})
    log.store.operations.sequences.delete_one({"_id": "a"})
    log.store.operations.audits.delete_many({})
    signers, log.signers = log.signers, [NoKey()]
    assert {r["status"] for r in log.audit_all().values()} == {"incomplete"}
    log.signers = signers
    assert kinds(log.audit_all()["a"]) == [("truncated", 0)]


def test_a_chain_whose_name_no_client_could_give_it_is_a_finding_and_the_others_are_audited(
    log: AnchoredLog, store: MongoStore
) -> None:
    for chain in ("../a", "b"):
        log.append(3, chain)
    reports = log.audit_all()
    assert kinds(reports["../a"]) == [("unexpected", None)]
    assert reports["b"]["status"] == "intact"


def test_a_log_that_was_audited_without_anchors_is_verified_whole_before_the_first(log: AnchoredLog) -> None:
    log.append(5)
    plain = Auditor(log.store, AuditStore(log.store.operations), ORIGIN)
    assert plain.run(plain.start("main", "full"), 60)["status"] == "intact"
    log.append(4)
    report = log.audit()
    assert (report["from_seq"], report["status"]) == (0, "intact")
    assert check_anchors(log) == [9]


def test_what_a_plain_audit_verified_counts_where_the_anchors_end_before_it(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    log.append(4)
    plain = Auditor(log.store, AuditStore(log.store.operations), ORIGIN)
    assert plain.run(plain.start("main", "full"), 60)["status"] == "intact"
    log.store.operations.events.delete_one({"seq": 8})
    assert log.found("incremental") == [("truncated", 8)]


def test_what_a_plain_audit_verified_and_was_rewritten_since_is_one_finding(log: AnchoredLog) -> None:
    log.append(5)
    log.audit()
    before = log.store.operations.sequences.find_one({"_id": "main"})
    assert before is not None
    log.append(4)
    plain = Auditor(log.store, AuditStore(log.store.operations), ORIGIN)
    assert plain.run(plain.start("main", "full"), 60)["status"] == "intact"
    log.store.operations.events.delete_many({"seq": {"$gte": 5}})
    log.store.operations.sequences.replace_one({"_id": "main"}, before)
    log.append(6)
    assert log.found("incremental") == log.found("full") == [("rewritten", 8)]
