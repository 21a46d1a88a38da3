"""Claims and restores: one written form each, and restores signed by a known key."""

from dataclasses import replace
from typing import Any

import pytest

from eventlog.formats.anchor import NO_ANCHOR, Seal, parse_claim
from eventlog.formats.checkpoint import MAX_SIZE, Checkpoint, format_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_note, parse_note, sign_note
from eventlog.formats.restore import MAX_REASON, Restore, format_restore, sign_restore, verify_restore
from eventlog.formats.times import MAX_MILLIS
from tests.support.evidence import KEY, LINE, START, Key

CHECKPOINT = Checkpoint(LINE, 7, bytes(range(32)))
CLAIM = Seal(3, START, b"\xab" * 32).message(format_checkpoint(CHECKPOINT))
RESTORE = Restore(f"{LINE}~2", 9, 4, 1000, START, "disk failed, snapshot of 3 May é")
SIGNED = sign_restore(RESTORE, [KEY])


def test_a_claim_comes_back_as_it_was_written() -> None:
    assert parse_claim(CLAIM) == (CHECKPOINT, Seal(3, START, b"\xab" * 32))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not the text of an anchor"),
        (b"\xff", "not the text of an anchor"),
        (CLAIM.replace(b"anchor/v1", b"anchor/v2"), "not the text of an anchor"),
        (CLAIM.replace(b"number", b"Number"), "not the text of an anchor"),
        (CLAIM.replace(b"number 3", b"number 03"), "is malformed"),
        (CLAIM.replace(b"number 3", b"number 3 "), "is malformed"),
        (CLAIM.replace(b"ab" * 32, b"xy" * 32), "is malformed"),
        (CLAIM.replace(b"number 3", b"number 0"), "out of range"),
        (CLAIM.replace(str(START).encode(), str(MAX_MILLIS + 1).encode()), "out of range"),
        (CLAIM.replace(b"ab" * 32, b"AB" * 32), "not as an anchor's text is written"),
        (CLAIM.replace(b"ab" * 32, b"ab" * 31), "not as an anchor's text is written"),
        (CLAIM.replace(b"ab" * 32, b"ab " * 32), "not as an anchor's text is written"),
        (CLAIM + b"extension\n", "not as an anchor's text is written"),
        (CLAIM[:-1], "ends with a newline"),
        (CLAIM.replace(b"\n7\n", b"\n-7\n"), "the size is not a decimal"),
    ],
)
def test_a_malformed_claim_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        parse_claim(data)


def test_a_claim_says_all_that_is_sealed() -> None:
    others = {Seal(4, START, b"\xab" * 32), Seal(3, START + 1, b"\xab" * 32), Seal(3, START, NO_ANCHOR)}
    assert CLAIM not in {seal.message(format_checkpoint(CHECKPOINT)) for seal in others}


def test_a_restore_comes_back_as_it_was_signed() -> None:
    assert verify_restore(SIGNED, [Key("other").public_key, KEY.public_key]) == RESTORE


def test_a_restore_of_unknown_keys_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_restore(SIGNED, [Key("other").public_key])


@pytest.mark.parametrize(
    "change",
    [{"origin": f"{LINE}~3"}, {"number": 8}, {"kept": 3}, {"kept_size": 9}, {"time": 0}, {"reason": "another"}],
    ids=lambda change: next(iter(change)),
)
def test_any_field_of_a_restore_changed_is_refused(change: dict[str, Any]) -> None:
    note = parse_note(SIGNED)
    text = format_restore(replace(RESTORE, **change))
    with pytest.raises(EvidenceError, match=r"is not valid|not signed by a key"):
        verify_restore(format_note(replace(note, text=text)), [KEY.public_key])


TEXT = format_restore(RESTORE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\n", "not the text of a restore"),
        (TEXT.replace("restore/v1", "restore/v2"), "not the text of a restore"),
        (TEXT + "more\n", "not the text of a restore"),
        (TEXT.replace("kept 4 1000", "kept 4"), "not the text of a restore"),
        (TEXT.replace("number ", "Number "), "not the text of a restore"),
        (TEXT.replace("number 9", "number 09"), "the number is not a decimal"),
        (TEXT.replace("1000", str(MAX_SIZE + 1)), "the kept size is not a decimal"),
        (TEXT.replace(str(START), str(MAX_MILLIS + 1)), "time is out of range"),
        (TEXT.replace(RESTORE.reason, ""), "one line of 1 to 500"),
        (TEXT.replace(RESTORE.reason, "x" * (MAX_REASON + 1)), "one line of 1 to 500"),
        (TEXT.replace(RESTORE.reason, "a\u2028b"), "one line of 1 to 500"),
    ],
)
def test_a_malformed_restore_is_refused_though_it_is_signed(text: str, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        verify_restore(format_note(sign_note(text, RESTORE.origin, [KEY])), [KEY.public_key])


@pytest.mark.parametrize(
    ("number", "size", "gone"), [(4, 1000, False), (8, 1000, False), (5, 1001, True), (9, 1001, False)]
)
def test_a_restore_supersedes_what_was_anchored_since_the_backup(number: int, size: int, gone: bool) -> None:
    assert RESTORE.supersedes(number, size) is gone
