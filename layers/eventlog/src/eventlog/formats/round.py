"""Rounds: the signed note that says that audits went over every chain of a log, and when.

    eventlog/round/v1
    <the log's origin>
    round <its id>
    mode full
    started <milliseconds since 1970>
    finished <milliseconds since 1970>
    chains <how many there were> <how many of them with findings>

It is kept among the anchors, so that whoever owns the database can't pretend that audits still run. Specified in
docs/formats/round-note.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer, VerifierKey, format_note, parse_note, sign_note, verify_note
from eventlog.formats.times import MAX_MILLIS

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MODES = ("full", "incremental")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundNote:
    """A finished round. Times are milliseconds since 1970; ``tampered`` of the ``chains`` had findings."""

    origin: str
    round_id: str
    mode: str
    started: int
    finished: int
    chains: int
    tampered: int


def format_round(note: RoundNote) -> str:
    """Return the note text.

    Raises:
        EvidenceError: no round can be so: the id is no UUID, the mode none that there is, or the numbers contradict.
    """
    # The parser writes what it has read once more by this and compares. So what is refused here is refused there, and a
    # round has one text.
    if not _ID.fullmatch(note.round_id) or note.mode not in _MODES:
        raise EvidenceError("a round has a UUID and a mode")
    if not 0 <= note.started <= note.finished <= MAX_MILLIS or not 0 <= note.tampered <= note.chains:
        raise EvidenceError("the round's times or numbers contradict each other")
    lines = (
        "eventlog/round/v1",
        note.origin,
        f"round {note.round_id}",
        f"mode {note.mode}",
        f"started {note.started}",
        f"finished {note.finished}",
        f"chains {note.chains} {note.tampered}",
    )
    return "".join(f"{line}\n" for line in lines)


def sign_round(note: RoundNote, signers: Sequence[Signer]) -> bytes:
    """Sign a round by each signer under the log's origin; return the note's bytes."""
    return format_note(sign_note(format_round(note), note.origin, signers))


def parse_round(text: str) -> RoundNote:
    """Read a note text; only the form that ``format_round`` writes is accepted.

    Raises:
        EvidenceError: it is no round's.
    """
    # First read, then check the form by writing it again.
    try:
        head, name, round_id, mode, started, finished, chains, rest = text.split("\n")
        (_, which), (_, kind), (_, first), (_, last) = (line.split(" ") for line in (round_id, mode, started, finished))
        _, count, tampered = chains.split(" ")
    except ValueError as error:
        raise EvidenceError("not the text of a round") from error
    found = RoundNote(
        origin=name,
        round_id=which,
        mode=kind,
        started=parse_decimal(first, "the start"),
        finished=parse_decimal(last, "the end"),
        chains=parse_decimal(count, "the number of chains"),
        tampered=parse_decimal(tampered, "the number of chains with findings"),
    )
    if head != "eventlog/round/v1" or rest or format_round(found) != text:
        raise EvidenceError("not the text of a round")
    return found


def verify_round(data: bytes, public_keys: Sequence[bytes], origin: str) -> RoundNote:
    """Read a round of this log that is signed by one of these Ed25519 public keys, under the log's origin.

    Raises:
        EvidenceError: it is malformed, of another log, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    found = parse_round(note.text)
    if found.origin != origin:
        raise EvidenceError("the round is of another log")
    verify_note(note, [VerifierKey(origin, public) for public in public_keys])
    return found
