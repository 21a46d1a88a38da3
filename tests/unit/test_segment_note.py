"""Results of segments: one form, one log, one of its keys; nothing in it can be taken for anything else."""

from dataclasses import replace

import pytest

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_note, sign_note
from eventlog.formats.segment import (
    SegmentEnds,
    SegmentNote,
    format_segment,
    is_segment,
    parse_segment,
    sign_segment,
    verify_segment_note,
)
from tests.support.anchoring import Key
from tests.support.each import each

KEY, ORIGIN = Key(), "example.com/log"
ENDS = SegmentEnds(b"\x01" * 32, b"\x02" * 32, (b"\x03" * 32, b"\x04" * 32, b"\x05" * 32))
NOTE = SegmentNote(
    origin=ORIGIN,
    chain="main",
    start=16,
    end=24,
    audit_id="019ab0f3-5c00-7000-8000-000000000001",
    began=1_700_000_000_000,
    ended=1_700_000_001_000,
    found=0,
    skewed=1,
    skew_seq=17,
    skew_millis=-7_200_000,
    ends=ENDS,
)
FOUND = replace(NOTE, found=2, ends=None)
TEXT, FOUND_TEXT = format_segment(NOTE), format_segment(FOUND)


def signed(text: str, key: Key = KEY, name: str = ORIGIN) -> bytes:
    return format_note(sign_note(text, name, [key]))


@each("note", [NOTE, FOUND, replace(NOTE, skewed=0, skew_seq=None, skew_millis=0)])
def test_a_note_is_read_as_it_was_written(note: SegmentNote) -> None:
    assert verify_segment_note(sign_segment(note, [Key(2), KEY]), [KEY.public_key], ORIGIN) == note


@each(
    "old, new",
    [
        ("eventlog/segment/v1", "eventlog/segment/v2"),
        ("eventlog/segment/v1", "eventlog/round/v1"),
        (f"\n{ORIGIN}\n", "\nexample.com/other\n"),
        ("chain main", "chain Main"),
        ("chain main", "chain "),
        ("range 16 24", "range 16 25"),
        ("range 16 24", "range 20 28"),
        ("range 16 24", "range 16 32"),
        ("range 16 24", "range 016 24"),
        ("range 16 24", "range 24 16"),
        ("audit 0", "audit A"),
        ("time 1", "time -1"),
        ("time 17", "time 18"),
        (" 1700000001000", " 253402300800000"),
        ("found 0", "found 1"),
        ("found 0", "found -"),
        ("skew 1 17 -", "skew 0 17 -"),
        ("skew 1 17 -", "skew 8 17 -"),
        ("skew 1 17 -", "skew 1 24 -"),
        ("skew 1 17 -", "skew 1 - -"),
        ("-7200000", "-0"),
        ("before 01", "before 0101"),
        ("before 01", "before 0G"),
        ("after 02", "after  02"),
        ("nodes 03", "nodes 0303"),
        (f"nodes {'03' * 32} ", "nodes "),
        ("\nnodes", f" {'01' * 32}\nnodes"),
        (f"after {'02' * 32}\n", "after -\n"),
        (f"after {'02' * 32}\n", ""),
        (f"{'05' * 32}\n", f"{'05' * 32}\nmore\n"),
    ],
)
def test_another_text_is_refused_though_it_is_signed(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(EvidenceError):
        verify_segment_note(signed(TEXT.replace(old, new, 1)), [KEY.public_key], ORIGIN)


def test_a_segment_in_which_something_was_found_has_no_ends() -> None:
    assert FOUND_TEXT.endswith("\nbefore -\nafter -\nnodes -\n")
    with pytest.raises(EvidenceError):
        parse_segment(FOUND_TEXT.replace("found 2", "found 0"))


def test_a_note_that_no_key_of_the_log_has_signed_under_its_name_is_refused() -> None:
    for data in (signed(TEXT, Key(2)), signed(TEXT, name="example.com/other"), TEXT.encode(), b"", b"junk"):
        with pytest.raises(EvidenceError):
            verify_segment_note(data, [KEY.public_key], ORIGIN)
    with pytest.raises(EvidenceError):
        verify_segment_note(signed(TEXT), [KEY.public_key], "example.com/other")


def test_a_segment_is_a_power_of_two_at_a_multiple_of_its_length() -> None:
    fitting = [(start, end) for start in range(17) for end in range(18) if is_segment(start, end)]
    assert fitting == [
        (start, start + length) for start in range(17) for length in (2, 4, 8, 16)
        if start % length == 0 and start + length <= 17
    ]  # fmt: skip
    assert not is_segment(2**63 - 2, 2**63)
