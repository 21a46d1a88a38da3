"""Standings: the signed note that says what audits have found of a chain, and what of it still stands.

    eventlog/standing/v1
    <the log's origin>
    chain <its name, or - for what belongs to no chain>
    time <milliseconds since 1970>
    full <the audit's id> <its status> <started> <finished> <events>
    intact <the audit's id> <started> <finished> <events>
    open <how many findings stand, at least>
    <kind> <seq, or -> <when it was first found> <id of the audit that found it>

A ``full`` or ``intact`` that there never was is ``-``. The last line is there once for each finding that is named. The
database has the newest; the first one of each time in which something was found is kept among the anchors, so that it
can't be put back. Specified in docs/formats/standing-note.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.names import is_chain_name
from eventlog.formats.note import Signer, VerifierKey, format_note, is_key_name, parse_note, sign_note, verify_note
from eventlog.formats.times import MAX_MILLIS

StandingVerdict = Literal["intact", "tampered", "incomplete", "not_audited"]
"""tampered: something stands. Otherwise as the last full audit ended; not_audited: there was none yet."""

MAX_NAMED = 20
"""A standing names this many findings, and counts all of them."""

_HEAD = "eventlog/standing/v1"
_NONE = "-"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KIND = re.compile(r"[a-z][a-z_]{0,39}")
_STATUSES = ("intact", "tampered", "incomplete")


@dataclass(frozen=True, slots=True)
class FullAudit:
    """A full audit that has ended. Times are milliseconds since 1970; ``events`` is how many it checked."""

    audit_id: str
    status: str
    started: int
    finished: int
    events: int


@dataclass(frozen=True, slots=True)
class StandingFinding:
    """A finding that stands: its kind, its seq if it has one, when it was first found, and by which audit."""

    kind: str
    seq: int | None
    found: int
    audit_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingNote:
    """What stands of a chain; ``chain`` is empty for what belongs to none. Times are milliseconds since 1970."""

    origin: str
    chain: str
    time: int
    """When this was written."""

    full: FullAudit | None = None
    """The full audit that began last, of those that have ended."""

    intact: FullAudit | None = None
    """The full audit that began last of those that found everything intact: all that stands was done after it began."""

    total: int = 0
    """How many findings stand, at least: audits count all of them, but don't name all."""

    findings: tuple[StandingFinding, ...] = ()
    """The first of them, in the order in which they were found, and the last."""

    @property
    def verdict(self) -> StandingVerdict:
        """What the chain is to be called."""
        if self.total:
            return "tampered"
        if self.full is None:
            return "not_audited"
        return "intact" if self.full.status == "intact" else "incomplete"


def format_standing(standing: StandingNote) -> str:
    """Return the note text.

    Raises:
        EvidenceError: no standing can be so.
    """
    _check(standing)
    full, intact = standing.full, standing.intact
    lines = (
        _HEAD,
        standing.origin,
        f"chain {standing.chain or _NONE}",
        f"time {standing.time}",
        f"full {_NONE if full is None else f'{full.audit_id} {full.status} {_figures(full)}'}",
        f"intact {_NONE if intact is None else f'{intact.audit_id} {_figures(intact)}'}",
        f"open {standing.total}",
        *(f"{f.kind} {_NONE if f.seq is None else f.seq} {f.found} {f.audit_id}" for f in standing.findings),
    )
    return "".join(f"{line}\n" for line in lines)


def sign_standing(standing: StandingNote, signers: Sequence[Signer]) -> bytes:
    """Sign a standing by each signer under the log's origin; return the note's bytes. Without signers: the bare note.

    Raises:
        EvidenceError: as ``format_standing``.
    """
    return format_note(sign_note(format_standing(standing), standing.origin, signers))


def parse_standing(text: str) -> StandingNote:
    """Read a note text; only the form that ``format_standing`` writes is accepted.

    Raises:
        EvidenceError: it is no standing's.
    """
    # First read, then check the form by writing it again.
    try:
        head, origin, chain, time, full, intact, total, *findings, rest = text.split("\n")
        (_, name), (_, when), (_, count) = (line.split(" ") for line in (chain, time, total))
        found = StandingNote(
            origin=origin,
            chain="" if name == _NONE else name,
            time=_number(when),
            full=_full(full.split(" ")[1:]),
            intact=_full(_with_status(intact.split(" ")[1:])),
            total=_number(count),
            findings=tuple(_finding(*line.split(" ")) for line in findings),
        )
    except (ValueError, TypeError) as error:
        raise EvidenceError("not the text of a standing") from error
    if head != _HEAD or rest or format_standing(found) != text:
        raise EvidenceError("not the text of a standing")
    return found


def read_standing(data: bytes) -> StandingNote:
    """Read a stored note without asking who signed it.

    Raises:
        EvidenceError: it is malformed.
    """
    # A log without anchors has no key: then the text ends with the blank line that signatures would follow.
    if data.endswith(b"\n\n"):
        try:
            return parse_standing(data[:-1].decode())
        except UnicodeDecodeError as error:
            raise EvidenceError("the note is not UTF-8") from error
    return parse_standing(parse_note(data).text)


def verify_standing(data: bytes, public_keys: Sequence[bytes], origin: str) -> StandingNote:
    """Read a standing of this log that is signed by one of these Ed25519 public keys, under the log's origin.

    Raises:
        EvidenceError: it is malformed, of another log, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    found = parse_standing(note.text)
    if found.origin != origin:
        raise EvidenceError("the standing is of another log")
    verify_note(note, [VerifierKey(origin, public) for public in public_keys])
    return found


def _check(standing: StandingNote) -> None:
    """Refuse what can't be: every border between two values is a blank or the end of a line, so no value has one."""
    audits = [audit for audit in (standing.full, standing.intact) if audit is not None]
    ids = [*(audit.audit_id for audit in audits), *(finding.audit_id for finding in standing.findings)]
    times = [
        standing.time,
        *(f.found for f in standing.findings),
        *(t for a in audits for t in (a.started, a.finished)),
    ]
    counts = [standing.total, *(audit.events for audit in audits), *(f.seq or 0 for f in standing.findings)]
    if not all(map(_ID.fullmatch, ids)) or not all(0 <= time <= MAX_MILLIS for time in times) or min(counts) < 0:
        raise EvidenceError("an id, a time or a number of the standing can't be")
    if any(audit.status not in _STATUSES for audit in audits) or (
        standing.intact and standing.intact.status != "intact"
    ):
        raise EvidenceError("a full audit of the standing has a status that it can't have")
    if not all(_KIND.fullmatch(f.kind) for f in standing.findings) or len(standing.findings) > MAX_NAMED:
        raise EvidenceError("a finding of the standing can't be, or there are too many")
    if standing.total < len(standing.findings) or bool(standing.total) != bool(standing.findings):
        raise EvidenceError("the standing counts other findings than it names")
    if not is_key_name(standing.origin) or (standing.chain and not is_chain_name(standing.chain)):
        raise EvidenceError("the name of a chain or a log can't be")


def _figures(audit: FullAudit) -> str:
    return f"{audit.started} {audit.finished} {audit.events}"


def _with_status(words: list[str]) -> list[str]:
    return words if words == [_NONE] else [*words[:1], "intact", *words[1:]]


def _full(words: list[str]) -> FullAudit | None:
    if words == [_NONE]:
        return None
    audit_id, status, started, finished, events = words
    return FullAudit(audit_id, status, _number(started), _number(finished), _number(events))


def _finding(kind: str, seq: str, found: str, audit_id: str) -> StandingFinding:
    return StandingFinding(kind, None if seq == _NONE else _number(seq), _number(found), audit_id)


def _number(text: str) -> int:
    return parse_decimal(text, "a number of the standing")
