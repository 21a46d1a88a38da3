"""Checkpoints (C2SP tlog-checkpoint): a chain's origin line, size and Merkle root as the text of a signed note.

Specified in docs/formats/checkpoint-and-seal.md.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, VerifierKey, decode_base64, parse_note, verify_note

MAX_SIZE = 2**63 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head. ``origin`` is the origin line: the log's origin, a slash and the chain (see ``origin_line``)."""

    origin: str
    size: int
    root: bytes


def origin_line(origin: str, chain: str, epoch: int = 1) -> str:
    """Return a checkpoint's first line: ``origin/chain``, or ``origin/chain~2``, ``~3`` and so on after restores.

    A restored chain contradicts what it signed before, so it goes on under a new name (docs/operations.md).
    """
    return f"{origin}/{chain}" if epoch == 1 else f"{origin}/{chain}~{epoch}"


def epoch_of(line: str, origin: str, chain: str) -> int:
    """Return the epoch of an origin line, which must be one of this chain of this log.

    Raises:
        EvidenceError: it is another chain's or log's.
    """
    # No suffix is epoch 1. The line is then written again, so ``~1``, ``~02`` or anything after the number is refused.
    suffix = line.removeprefix(origin_line(origin, chain))
    epoch = parse_decimal(suffix[1:], "the epoch") if suffix.startswith("~") else 1
    if epoch < 1 or line != origin_line(origin, chain, epoch):
        raise EvidenceError("the checkpoint is of another log or chain")
    return epoch


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the note text: origin line, size and root, each on a line of its own."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note text; extension lines are allowed and ignored, as C2SP has it.

    Raises:
        EvidenceError: it has fewer than three lines, an empty one, or a malformed size or root.
    """
    if not text.endswith("\n"):
        raise EvidenceError("a checkpoint ends with a newline")
    # C2SP tlog-checkpoint: origin, size, root, then any number of extension lines; no line is empty.
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise EvidenceError("a checkpoint is at least three lines, none empty: origin, size, root")
    root = decode_base64(lines[2], "the root")
    size = parse_decimal(lines[1], "the size")
    if len(root) != 32:
        raise EvidenceError("the root must have 32 bytes")
    return Checkpoint(lines[0], size, root)


def verify_checkpoint(data: bytes, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, Note]:
    """Read a signed checkpoint and check that it is signed by one of the keys, under its own origin line.

    Raises:
        EvidenceError: it is malformed, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    verify_note(note, [key for key in keys if key.name == checkpoint.origin])
    return checkpoint, note


def parse_decimal(text: str, what: str) -> int:
    """Read a decimal number without leading zeroes, below 2^63.

    Raises:
        EvidenceError: it is written in another way; the text names ``what``.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise EvidenceError(f"{what} is not a decimal number below 2^63 without leading zeroes")
    return int(text)
