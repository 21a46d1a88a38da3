"""Restores: the signed note in which an operator says that a chain was restored from a backup.

A restored chain contradicts the anchors made since the backup, so it may never sign under its old name again. It goes
on under the next origin line (``checkpoint.origin_line``), and this note says why, for good. Its text:

    eventlog/restore/v1
    <the new origin line>
    number <the first anchor under it>
    kept <the last anchor that still holds> <its size>
    time <milliseconds since 1970>
    <why, in one line>

Specified in docs/formats/restore-note.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer, VerifierKey, format_note, parse_note, sign_note, verify_note
from eventlog.formats.times import MAX_MILLIS

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Restore:
    """A declared restore: anchors before ``number`` no longer hold if they cover more than ``kept_size`` events.

    ``kept`` is the number of the last anchor that still holds, 0 if none does.
    """

    origin: str
    number: int
    kept: int
    kept_size: int
    time: int
    reason: str

    def supersedes(self, number: int, size: int) -> bool:
        """Return whether an anchor with this number and size no longer holds after the restore."""
        return number < self.number and size > self.kept_size


def format_restore(restore: Restore) -> str:
    """Return the note text.

    Raises:
        EvidenceError: the reason is not one line of 1 to 500 characters.
    """
    # A line break in the reason could forge the lines before it.
    if not 0 < len(restore.reason) <= MAX_REASON or not restore.reason.isprintable():
        raise EvidenceError(f"the reason must be one line of 1 to {MAX_REASON} characters")
    lines = (
        "eventlog/restore/v1",
        restore.origin,
        f"number {restore.number}",
        f"kept {restore.kept} {restore.kept_size}",
        f"time {restore.time}",
        restore.reason,
    )
    return "".join(f"{line}\n" for line in lines)


def sign_restore(restore: Restore, signers: Sequence[Signer]) -> bytes:
    """Sign a restore by each signer under its origin line; return the note's bytes."""
    return format_note(sign_note(format_restore(restore), restore.origin, signers))


def parse_restore(text: str) -> Restore:
    """Read a note text; it is accepted only as ``format_restore`` writes it.

    Raises:
        EvidenceError: it is written in any other way.
    """
    # First read, then check the form by writing it again.
    try:
        head, origin, number, kept, time, reason, rest = text.split("\n")
        (_, first), (_, last, size), (_, moment) = number.split(" "), kept.split(" "), time.split(" ")
    except ValueError as error:
        raise EvidenceError("not the text of a restore") from error
    restore = Restore(
        origin,
        parse_decimal(first, "the number"),
        parse_decimal(last, "the kept anchor"),
        parse_decimal(size, "the kept size"),
        parse_decimal(moment, "the time"),
        reason,
    )
    if restore.time > MAX_MILLIS:
        raise EvidenceError("the restore's time is out of range")
    if head != "eventlog/restore/v1" or rest or format_restore(restore) != text:
        raise EvidenceError("not the text of a restore")
    return restore


def verify_restore(data: bytes, public_keys: Sequence[bytes]) -> Restore:
    """Read a restore signed by one of these Ed25519 public keys under the origin line it names.

    Raises:
        EvidenceError: it is malformed, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    restore = parse_restore(note.text)
    verify_note(note, [VerifierKey(restore.origin, public) for public in public_keys])
    return restore
