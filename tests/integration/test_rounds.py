"""Only a round over every chain counts, however many invocations it takes, whatever stands in the database about it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import DatetimeMS, Int64

from eventlog.anchors.rounds import ROUNDS, RoundNotes
from eventlog.audit import scan
from eventlog.audit.going_round import RoundOutcome
from eventlog.audit.report import AuditReport, Mode
from eventlog.audit.round import NAMES, encode_round, new_round
from eventlog.audit.vouchers import Voucher
from eventlog.store.errors import AnchorsUnavailableError, StoreUnavailableError
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog

CHAINS = ["a", "b", "c"]
ALL = [*CHAINS, "eventlog.registry"]
DAY = 24 * HOUR
FULL = {"_id": NAMES["full"]}


@pytest.fixture
def log(store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """Three chains, anchored and registered."""
    log = AnchoredLog(store, tmp_path)
    for chain in CHAINS:
        log.append(12, chain)
    log.audit_all()
    return log


def invoke(log: AnchoredLog, mode: Mode, seconds: float = 60) -> tuple[RoundOutcome, list[AuditReport]]:
    """One invocation of the schedule, in a process of its own."""
    outcome = RoundOutcome()
    return outcome, list(log.auditor().each(mode, seconds, outcome))


def notes(log: AnchoredLog) -> list[str]:
    """The keys of the notes of finished full rounds."""
    return list(log.anchors.keys(ROUNDS))


def stored(log: AnchoredLog, mode: Mode = "full") -> dict[str, Any]:
    found = operations_of(log.store).audits.find_one({"_id": NAMES[mode]})
    assert found is not None
    return found


def test_a_full_round_is_noted_once_among_the_anchors_and_its_age_grows(log: AnchoredLog) -> None:
    assert log.auditor().full_age() is None
    before = log.now()
    outcome, _ = invoke(log, "full")
    assert (outcome.finished, outcome.left, len(notes(log))) == ({"full"}, [], 1)
    note = RoundNotes(log.anchors, ORIGIN, lambda: [log.signers[0].public_key]).newest(log.now())
    assert note is not None
    assert (note.chains, note.tampered, before <= note.started <= note.finished <= log.now()) == (4, 0, True)
    log.ahead = 3 * DAY
    age = log.auditor().full_age()
    assert age is not None
    assert 3 * 86_400 <= age < 3 * 86_400 + 600
    assert invoke(log, "incremental")[0].finished == {"incremental"}
    assert len(notes(log)) == 1
    assert operations_of(log.store).audits.find_one({"_id": {"$in": list(NAMES.values())}}) is None


def test_what_a_tenant_has_audited_is_no_round(log: AnchoredLog) -> None:
    for chain in ALL:
        assert log.audit("full", chain).status == "intact"
    outcome, _ = invoke(log, "incremental")
    assert (outcome.finished, notes(log), log.auditor().full_age()) == ({"incremental"}, [], None)


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_a_round_without_time_goes_on_with_those_that_have_waited_longest(log: AnchoredLog, mode: Mode) -> None:
    seen: list[str] = []
    for number, chain in enumerate(ALL):
        outcome, reports = invoke(log, mode, 0)
        seen += [report.chain for report in reports]
        assert (seen[-1:], outcome.left) == ([chain], ALL[number + 1 :])
        assert outcome.finished == ({mode} if number + 1 == len(ALL) else set())
    assert seen == ALL
    assert len(notes(log)) == (mode == "full")
    assert [report.chain for report in invoke(log, mode, 0)[1]] == ["a"]


def test_the_incremental_rounds_go_on_with_a_full_one_that_had_no_time(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(scan, "STEP", 5)
        outcome, (report,) = invoke(log, "full", 0)
    assert (report.chain, report.status, outcome.left) == ("a", "running", ALL[1:])
    assert stored(log)["begun"] == ["a"]
    outcome, reports = invoke(log, "incremental")
    assert [(found.chain, found.mode) for found in reports if found.mode == "full"] == [(name, "full") for name in ALL]
    assert (outcome.finished, len(notes(log))) == ({"full", "incremental"}, 1)
    assert invoke(log, "incremental")[0].finished == {"incremental"}


def begun(log: AnchoredLog) -> dict[str, Any]:
    """The state of a full round in which a was audited."""
    invoke(log, "full", 0)
    return stored(log)


def put(log: AnchoredLog, document: dict[str, Any]) -> None:
    operations_of(log.store).audits.replace_one({"_id": document["_id"]}, document, upsert=True)


def test_an_older_state_of_a_round_that_is_put_back_makes_less_count(log: AnchoredLog) -> None:
    early = begun(log)
    assert invoke(log, "incremental")[0].finished == {"full", "incremental"}
    for ahead in (0, DAY):
        log.ahead = ahead
        put(log, early)
        outcome, reports = invoke(log, "incremental")
        assert (outcome.finished, len(notes(log))) == ({"incremental"}, 1)
        assert [report.chain for report in reports if report.mode == "full"] == ALL[1:]
    log.ahead = 2 * DAY + HOUR
    put(log, early)
    assert [report.mode for report in invoke(log, "incremental")[1]] == ["incremental"] * 4
    age = log.auditor().full_age()
    assert age is not None
    assert age > 2 * 86_400


FORGED: dict[str, dict[str, Any]] = {
    "only one left": {"left": ["c"]},
    "none left": {"left": []},
    "begun later": {"started_at": DatetimeMS(2**44)},
    "of another id": {"round": "0" * 36},
    "without a voucher": {"voucher": None},
    "with a time of its own": {"vouched_at": DatetimeMS(0)},
    "with odd chains": {"left": [7]},
    "with a number for a list": {"begun": Int64(7)},
}


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED)
def test_a_state_that_somebody_has_touched_is_not_believed(log: AnchoredLog, fields: dict[str, Any]) -> None:
    put(log, begun(log) | fields)
    outcome, reports = invoke(log, "incremental")
    assert (outcome.finished, notes(log)) == ({"incremental"}, [])
    assert [report.mode for report in reports] == ["incremental"] * 4
    assert invoke(log, "full")[0].finished == {"full"}


def test_a_state_that_the_same_key_has_signed_for_another_log_is_not_believed(log: AnchoredLog) -> None:
    raw = encode_round(new_round("full", ["c"], log.now()))
    signature = log.signers[0].sign(b"another text")
    put(log, stored_as(raw, Voucher(log.now(), signature)))
    assert invoke(log, "incremental")[0].finished == {"incremental"}
    other = AnchoredLog(MongoStore(operations_of(log.store), "example.com/other"), log.folder, signers=log.signers)
    assert begun(log)["left"] == ALL[1:]
    auditor = other.auditor()
    auditor._rounds._origin = "example.com/other"
    assert auditor._rounds.find("full") is None


def stored_as(raw: bytes, voucher: Voucher) -> dict[str, Any]:
    return codec.decode(raw) | {"voucher": voucher.signature, "vouched_at": DatetimeMS(voucher.time)}


def test_an_audit_that_could_not_check_all_does_not_count_for_a_full_round(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = log.anchors.read

    def fail(chain: str, key: str) -> bytes | None:
        if chain == "b":
            raise AnchorsUnavailableError("gone")
        return read(chain, key)

    with monkeypatch.context() as patch:
        patch.setattr(log.anchors, "read", fail)
        outcome, reports = invoke(log, "full")
    assert {report.chain: report.status for report in reports}["b"] == "incomplete"
    assert (outcome.finished, outcome.left, notes(log)) == (set(), ["b"], [])
    assert invoke(log, "incremental")[0].finished == {"full", "incremental"}


def test_a_chain_that_cannot_be_audited_keeps_no_other_from_it_and_is_told_at_the_end(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    auditor, outcome = log.auditor(), RoundOutcome()
    audit = auditor._audit

    def fail(chain: str, mode: Mode, until: float) -> AuditReport | None:
        if chain == "a":
            raise StoreUnavailableError("an old primary answers")
        return audit(chain, mode, until)

    monkeypatch.setattr(auditor, "_audit", fail)
    reports: Iterator[AuditReport] = auditor.each("full", 60, outcome)
    with pytest.raises(StoreUnavailableError):
        seen.extend(report.chain for report in reports)
    assert [report.chain for report in auditor.reports(None, 3, None)] == ALL[:0:-1]
    assert (outcome.finished, outcome.left, notes(log)) == (set(), ["a"], [])


def begun_without_time(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> str:
    """A full round in which the audit of a ran out of time; its id."""
    with monkeypatch.context() as patch:
        patch.setattr(scan, "STEP", 5)
        invoke(log, "full", 0)
    assert stored(log)["begun"] == ["a"]
    return str(stored(log)["round"])


def test_a_full_round_waits_for_an_audit_that_goes_on_but_not_for_ever(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_id = begun_without_time(log, monkeypatch)
    for ahead, finished, begun in ((DAY, set[Mode](), ["a"]), (2 * DAY + HOUR, {"full"}, [])):
        log.ahead = ahead
        at_work = operations_of(log.store).audits.update_one({"status": "running"}, [{"$set": {"lease": "$$NOW"}}])
        assert at_work.modified_count == 1
        assert (invoke(log, "full")[0].finished, stored(log)["begun"]) == (finished, begun)
    assert round_id not in notes(log)[0]


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "removed"])
def test_a_full_round_waits_for_no_audit_that_is_over(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """The process that ended it died before it had stored that in the round; or somebody has removed it."""
    round_id = begun_without_time(log, monkeypatch)
    if ended:
        assert [report.status for report in log.auditor().resume(60)] == ["intact"]
    else:
        assert operations_of(log.store).audits.delete_one({"status": "running"}).deleted_count == 1
    # An invocation of the other mode may be beside one that has counted the audit, and not stored that yet.
    outcome, reports = invoke(log, "incremental")
    assert outcome.finished == {"incremental"}
    assert [report.chain for report in reports if report.mode == "full"] == ALL[1:]
    outcome, reports = invoke(log, "full")
    assert (outcome.finished, [report.chain for report in reports]) == ({"full"}, ["a", *ALL])  # and a round of its own
    assert round_id in notes(log)[0]


def test_notes_that_prove_nothing_are_passed_over(log: AnchoredLog) -> None:
    assert invoke(log, "full")[0].finished == {"full"}
    (genuine,) = notes(log)
    data = log.anchors.read(ROUNDS, genuine) or b""
    log.ahead = 3 * DAY
    for key, content in (
        (f"{log.now():015}-{genuine[16:]}", data),  # in another place than its own
        (f"{log.now():015}-0.note", b"junk"),
        ("999999999999999-0.note", data.replace(b"started 1", b"started 2")),
        ("zzz", b""),
    ):
        log.anchors.create(ROUNDS, key, content)
    age = log.auditor().full_age()
    assert age is not None
    assert age >= 3 * 86_400
    assert [report.status for report in log.audit_all("full").values()] == ["intact"] * 4, "it is no chain"
