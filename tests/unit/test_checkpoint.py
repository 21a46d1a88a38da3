"""Checkpoints: three lines, one written form, signed under their own origin line."""

import base64

import pytest

from eventlog.formats.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    epoch_of,
    format_checkpoint,
    origin_line,
    parse_checkpoint,
    verify_checkpoint,
)
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_note, sign_note
from tests.support.evidence import CHAIN, KEY, LINE, ORIGIN, Key, signed

ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(LINE, 20852163, ROOT)


@pytest.mark.parametrize("size", [0, 1, 10, MAX_SIZE])
def test_a_checkpoint_comes_back_as_it_was_written(size: int) -> None:
    checkpoint = Checkpoint(LINE, size, ROOT)
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


def test_the_example_of_the_specification_is_read_and_written_as_it_is() -> None:
    """C2SP tlog-checkpoint, the example's first lines."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert format_checkpoint(checkpoint) == text


def test_extension_lines_are_allowed() -> None:
    assert parse_checkpoint(format_checkpoint(CHECKPOINT) + "more\nand more\n") == CHECKPOINT


B64 = base64.b64encode(ROOT).decode()
BAD = [
    ("", "ends with a newline"),
    (f"{LINE}\n1\n{B64}", "ends with a newline"),
    ("\n", "at least three lines"),
    (f"{LINE}\n1\n", "at least three lines"),
    (f"\n1\n{B64}\n", "none empty"),
    (f"{LINE}\n1\n{B64}\n\n", "none empty"),
    (f"{LINE}\n1\n{B64}\nmore\n\nmore\n", "none empty"),
    (f"{LINE}\n01\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n-1\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n+1\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n1 \n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n0x1\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n1_0\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n\u0661\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n{MAX_SIZE + 1}\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n{'9' * 5000}\n{B64}\n", "the size is not a decimal"),
    (f"{LINE}\n1\n{B64[:-1]}\n", "the root is not Base 64"),
    (f"{LINE}\n1\n{B64} \n", "the root is not Base 64|not canonical"),
    (f"{LINE}\n1\n{B64[:-2]}9=\n", "the root is not canonical"),
    (f"{LINE}\n1\n{B64.replace('A', 'é')}\n", "the root is not Base 64"),
    (f"{LINE}\n1\nAAAA\n", "must have 32 bytes"),
    (f"{LINE}\n1\n{base64.b64encode(bytes(33)).decode()}\n", "must have 32 bytes"),
]


@pytest.mark.parametrize(("text", "why"), BAD)
def test_a_malformed_checkpoint_is_refused(text: str, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        parse_checkpoint(text)


def test_a_signed_checkpoint_verifies_by_a_key_under_its_origin_line() -> None:
    checkpoint, note = verify_checkpoint(signed(CHECKPOINT), [KEY.named("other.example"), KEY.named()])
    assert checkpoint == CHECKPOINT
    assert note.text == format_checkpoint(CHECKPOINT)


def test_a_pinned_key_does_not_vouch_for_another_log() -> None:
    other = Checkpoint("other.example/main", 1, ROOT)
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_checkpoint(signed(other), [KEY.named()])


def test_a_signature_under_another_name_than_the_origin_line_does_not_count() -> None:
    """A witness, say: its key may be pinned, too, but it is not the log."""
    witness = Key("witness")
    data = format_note(sign_note(format_checkpoint(CHECKPOINT), "witness.example", [witness]))
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_checkpoint(data, [KEY.named(), witness.named("witness.example")])


@pytest.mark.parametrize("epoch", [1, 2, 10, MAX_SIZE])
def test_an_origin_line_tells_its_epoch(epoch: int) -> None:
    assert epoch_of(origin_line(ORIGIN, CHAIN, epoch), ORIGIN, CHAIN) == epoch


@pytest.mark.parametrize(
    "line",
    [
        "",
        ORIGIN,
        "~2",
        f"{ORIGIN}/other",
        f"other.example/{CHAIN}",
        f"{LINE}~",
        f"{LINE}~0",
        f"{LINE}~1",
        f"{LINE}~02",
        f"{LINE}~2~3",
        f"{LINE}~x",
        f"{LINE}~{MAX_SIZE + 1}",
        f"{LINE}2",
        f"{LINE}~2 ",
        f"x{LINE}",
    ],
)
def test_the_origin_line_of_another_log_or_chain_is_refused(line: str) -> None:
    with pytest.raises(EvidenceError, match=r"another log or chain|the epoch is not a decimal"):
        epoch_of(line, ORIGIN, CHAIN)
