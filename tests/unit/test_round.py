"""Notes of finished rounds: one form, one log, one of its keys. And how a round counts what audits report."""

from dataclasses import replace

import pytest

from eventlog.audit.report import AuditReport, Mode, new_report
from eventlog.audit.round import NAMES, Round, encode_round, new_round, read_round, round_message
from eventlog.audit.vouchers import Voucher
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, format_note, sign_note
from eventlog.formats.round import RoundNote, format_round, sign_round, verify_round
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.verify.findings import Finding
from tests.support.anchoring import Key
from tests.support.each import each

KEY, ORIGIN = Key(), "example.com/log"
NOTE = RoundNote(
    origin=ORIGIN,
    round_id="019ab0f3-5c00-7000-8000-000000000001",
    mode="full",
    started=1_700_000_000_000,
    finished=1_700_000_001_000,
    chains=3,
    tampered=1,
)
TEXT = format_round(NOTE)


def signed(text: str, key: Key = KEY, name: str = ORIGIN) -> bytes:
    return format_note(sign_note(text, name, [key]))


def test_a_note_is_read_as_it_was_written() -> None:
    assert verify_round(sign_round(NOTE, [KEY]), [KEY.public_key], ORIGIN) == NOTE
    both = sign_round(NOTE, [Key(2), KEY])
    assert verify_round(both, [KEY.public_key], ORIGIN) == NOTE


@each(
    "old, new",
    [
        ("eventlog/round/v1", "eventlog/round/v2"),
        ("eventlog/round/v1", "eventlog/restore/v1"),
        (f"\n{ORIGIN}\n", "\nexample.com/other\n"),
        ("round 0", "round A"),
        ("round 019ab0f3-", "round 019ab0f3"),
        ("mode full", "mode half"),
        ("mode full", "mode  full"),
        ("started 1", "started 01"),
        ("started 1", "started -1"),
        ("started 17", "started 18"),
        ("finished 1700000001000", "finished 253402300800000"),
        ("chains 3 1", "chains 3 4"),
        ("chains 3 1", "chains 3"),
        ("chains 3 1", "chains 3 1 0"),
        ("started ", "began "),
        ("chains 3 1\n", "chains 3 1\nmore\n"),
        ("mode full\n", ""),
    ],
)
def test_another_text_is_refused_though_it_is_signed(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(EvidenceError):
        verify_round(signed(TEXT.replace(old, new, 1)), [KEY.public_key], ORIGIN)


def test_a_note_that_no_key_of_the_log_has_signed_under_its_name_is_refused() -> None:
    unsigned = Note(TEXT, tuple(sign_note("other text\n", ORIGIN, [KEY]).signatures))
    for data in (signed(TEXT, Key(2)), signed(TEXT, name="example.com/other"), format_note(unsigned), b"", b"junk"):
        with pytest.raises(EvidenceError):
            verify_round(data, [KEY.public_key], ORIGIN)


@each("field, value", [("round_id", "x"), ("mode", "half"), ("finished", 0), ("tampered", 4), ("started", -1)])
def test_no_note_is_written_that_could_not_be_read(field: str, value: object) -> None:
    with pytest.raises(EvidenceError):
        format_round(replace(NOTE, **{field: value}))  # type: ignore[arg-type]


def report(chain: str, mode: Mode = "full", now: int = 1000, **fields: object) -> AuditReport:
    """A report that is done, unless ``fields`` say otherwise."""
    return replace(new_report(chain, mode, now), **{"status": "intact", **fields})  # type: ignore[arg-type]


def going(mode: Mode = "full") -> Round:
    return new_round(mode, ["a", "b"], 1000)


def test_a_round_counts_its_chains_once_and_no_others() -> None:
    found = going()
    for other in (report("c"), report(""), report("a", "incremental"), report("a", now=999)):
        found.count(other)
    assert (found.left, found.begun) == (["a", "b"], [])
    found.count(report("a", status="running"))
    assert (found.left, found.begun, found.is_done()) == (["b"], ["a"], False)
    finding = Finding("missing", 1, None, None, "")
    found.count(replace(report("a").with_finding(finding), status="tampered"))
    found.skip("b")
    assert (found.left, found.begun, found.tampered, found.chains, found.is_done()) == ([], [], 1, 2, True)


def test_what_was_not_all_checked_is_audited_again_by_a_full_round_alone() -> None:
    for mode, left in (("full", ["b", "a"]), ("incremental", ["b"])):
        found = going("full" if mode == "full" else "incremental")
        found.count(report("a", found.mode, status="incomplete", incomplete_because="gone"))
        assert found.left == left
    found = going()
    found.count(report("a", status="tampered", incomplete_because="damaged"))
    assert found.left == ["b", "a"]


def test_an_incremental_audit_counts_whenever_it_began() -> None:
    found = going("incremental")
    found.count(report("a", "incremental", now=1))
    assert found.left == ["b"]


def test_what_two_processes_have_done_is_done() -> None:
    found = going()
    other = replace(found, left=["b"], begun=[], tampered=1)
    found.count(report("b"))
    found.join(other)
    assert (found.is_done(), found.tampered) == (True, 1)
    unknown = going()
    unknown.join(replace(going(), left=[]))
    assert unknown.left == ["a", "b"], "another round says nothing of this one"


def test_a_round_is_stored_and_read_and_all_of_it_is_signed() -> None:
    found = going()
    raw = encode_round(found, Voucher(5, bytes(64)))
    assert read_round(raw, "full") == (found, Voucher(5, bytes(64)))
    assert read_round(encode_round(found), "full") == (found, None)
    message = round_message(raw, ORIGIN, 5)
    assert message == round_message(encode_round(found), ORIGIN, 5)
    document = codec.decode(raw)
    assert document["_id"] == NAMES["full"]
    for name in document.keys() - {"voucher", "vouched_at"}:
        assert round_message(codec.encode(document | {name: 1}), ORIGIN, 5) != message
        if name != "_id":
            with pytest.raises(NotOursError):
                read_round(codec.encode({field: value for field, value in document.items() if field != name}), "full")
    assert round_message(raw, ORIGIN, 6) != message != round_message(raw, "example.com/other", 5)
    with pytest.raises(NotOursError):
        read_round(raw, "incremental")
