"""What was found stands until a full audit that began after it ends intact; what says so is read in one form only."""

from dataclasses import replace

import pytest

from eventlog.audit.report import AuditReport, Mode, Status, new_report
from eventlog.audit.standing_rule import with_report
from eventlog.formats.errors import EvidenceError
from eventlog.formats.standing import (
    MAX_NAMED,
    FullAudit,
    StandingNote,
    format_standing,
    parse_standing,
    read_standing,
    sign_standing,
    verify_standing,
)
from eventlog.verify.findings import Finding, FindingKind
from tests.support.anchoring import KEY, Key

ORIGIN = "example.com/log"
NEVER = StandingNote(origin=ORIGIN, chain="main", time=0)


def report(mode: Mode, status: Status, began: int, *seqs: int | None, kind: FindingKind = "missing") -> AuditReport:
    """A report that began then, with findings at these places, and ended two milliseconds later."""
    ended = None if status == "running" else began + 2
    found = replace(new_report("main", mode, began), status=status, finished_at=ended)
    for seq in seqs:
        found = found.with_finding(Finding(kind, seq, None, None, "gone"))
    return found


def rests(found: AuditReport, since: int) -> AuditReport:
    """The report, resting on what was re-hashed since then."""
    return replace(found, earlier_events=5, rehashed_since=since)


def after(*reports: AuditReport) -> StandingNote:
    """What stands after these, each told when it ended."""
    found = NEVER
    for one in reports:
        found = with_report(found, one, one.finished_at or one.started_at + 1)
    return found


def test_what_reports_do_to_what_stands() -> None:
    """One table of the rule: reports in their order, the verdict, and the seqs that stand."""
    clean, tampered = report("full", "intact", 10), report("full", "tampered", 20, 7)
    cases: list[tuple[str, list[AuditReport], str, list[int | None]]] = [
        ("nothing", [], "not_audited", []),
        ("an incremental audit is no praise", [report("incremental", "intact", 5)], "not_audited", []),
        ("a full one is", [clean], "intact", []),
        ("what it could not check is not", [clean, report("full", "incomplete", 12)], "incomplete", []),
        ("a finding", [clean, tampered], "tampered", [7]),
        ("incremental audits say nothing of it", [tampered, report("incremental", "intact", 30)], "tampered", [7]),
        ("nor do incomplete ones", [tampered, report("full", "incomplete", 30)], "tampered", [7]),
        ("nor do ones that found others", [tampered, report("full", "tampered", 30, 9)], "tampered", [7, 9]),
        ("one that began before says nothing", [tampered, report("full", "intact", 19)], "tampered", [7]),
        ("one that began when it was found neither", [tampered, report("full", "intact", 22)], "tampered", [7]),
        ("a later one takes it back", [tampered, report("full", "intact", 23)], "intact", []),
        (
            "not on the ground of what was seen before",
            [tampered, rests(report("full", "intact", 23), 22)],
            "tampered",
            [7],
        ),
        ("but of what was seen since", [tampered, rests(report("full", "intact", 30), 23)], "intact", []),
        ("a running one with a finding", [clean, report("full", "running", 20, 3)], "tampered", [3]),
        ("a running one without", [clean, report("full", "running", 20)], "intact", []),
        ("an incremental one finds, too", [clean, report("incremental", "tampered", 20, None)], "tampered", [None]),
        (
            "of two, only what was found before it began is taken back",
            [tampered, report("incremental", "tampered", 40, 8), report("full", "intact", 30)],
            "tampered",
            [8],
        ),
    ]
    for name, reports, verdict, seqs in cases:
        found = after(*reports)
        assert (found.verdict, [finding.seq for finding in found.findings]) == (verdict, seqs), name
        assert found.total == len(seqs), name


def test_what_stands_keeps_when_and_by_whom_it_was_first_found_and_since_when_it_was_intact() -> None:
    clean, first, second = (
        report("full", "intact", 10),
        report("full", "tampered", 20, 7),
        report("full", "tampered", 30, 7),
    )
    found = after(clean, first, second)
    (finding,) = found.findings
    assert (finding.found, finding.audit_id, found.total) == (22, first.audit_id, 1)
    assert found.full == FullAudit(second.audit_id, "tampered", 30, 32, 0)
    assert found.intact == FullAudit(clean.audit_id, "intact", 10, 12, 0)


def test_a_chain_is_said_to_have_been_intact_when_the_oldest_of_it_was_seen_and_no_later() -> None:
    whole, rolling = report("full", "intact", 10), rests(report("full", "intact", 30), 20)
    found = after(whole, rolling)
    assert found.full is not None
    assert found.intact is not None
    assert (found.full.started, found.intact.started, found.intact.audit_id) == (30, 20, rolling.audit_id)
    older = after(whole, rests(report("full", "intact", 30), 5))
    assert older.intact is not None
    assert (older.intact.started, older.intact.audit_id) == (10, whole.audit_id)


def test_of_many_findings_some_are_named_and_all_are_counted() -> None:
    many = after(report("full", "tampered", 20, *range(300)))
    assert (many.total, len(many.findings), many.findings[0].seq) == (300, MAX_NAMED, 0)
    # The same ones found again are no more of them, and the standing stays as it is but for the audit's name.
    again = with_report(many, report("full", "tampered", 30, *range(300)), 32)
    assert (again.total, again.findings) == (300, many.findings)
    # What is found while a full audit runs is not taken back by it, though it is not among the first.
    late = with_report(many, report("incremental", "tampered", 41, *range(301), kind="altered"), 43)
    assert (late.findings[-1].found, late.total) == (43, 301)
    assert with_report(late, report("full", "intact", 40), 50).verdict == "tampered"
    assert with_report(late, report("full", "intact", 44), 50).verdict == "intact"


def test_a_standing_is_later_than_the_one_before_it_though_a_clock_is_behind() -> None:
    found = with_report(replace(after(report("full", "intact", 10)), time=900), report("full", "tampered", 20, 7), 22)
    assert found.time == 901
    assert with_report(found, report("incremental", "intact", 30), 32) is found


def test_a_standing_is_read_in_one_form_only() -> None:
    whole = after(report("full", "intact", 10), report("full", "tampered", 20, 7, None))
    text = format_standing(whole)
    assert parse_standing(text) == whole
    lines = text.splitlines(keepends=True)
    other = Key(9)
    wrong = {
        "a line less": "".join(lines[:-1]),
        "another version": text.replace("/v1", "/v2"),
        "a number with a zero before it": text.replace("open 2", "open 02"),
        "fewer than it names": text.replace("open 2", "open 1"),
        "nothing at all": "",
        "no last newline": text[:-1],
        "a finding and no total": text.replace("open 2", "open 0"),
        "a blank more": text.replace("chain main", "chain  main"),
        "a name that no chain has": text.replace("chain main", "chain Main"),
        "an audit that was intact and is not": text.replace(lines[5], lines[5].replace(" ", " tampered ", 1)),
    }
    for name, changed in wrong.items():
        if name == "a line less":  # then it counts one that it does not name, which may be
            assert parse_standing(changed).total == 2
            continue
        with pytest.raises(EvidenceError):
            parse_standing(changed)
    note = sign_standing(whole, [KEY])
    assert verify_standing(note, [other.public_key, KEY.public_key], ORIGIN) == read_standing(note) == whole
    assert read_standing(sign_standing(whole, [])) == whole
    for data, key, origin in (
        (note, other, ORIGIN),
        (note, KEY, "example.com/other"),
        (note.replace(b"open 2", b"open 3"), KEY, ORIGIN),
        (sign_standing(whole, []), KEY, ORIGIN),
    ):
        with pytest.raises(EvidenceError):
            verify_standing(data, [key.public_key], origin)
    with pytest.raises(EvidenceError):
        read_standing(b"\xff\n\n")
