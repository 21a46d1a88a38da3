"""Segments: the signed note that says that the events of one segment of a chain were re-hashed, and when.

    eventlog/segment/v1
    <the log's origin>
    chain <its name>
    range <start> <end>
    audit <the id of the audit that it was done for>
    time <when it began> <when it ended>
    found <how many findings>
    skew <events> <seq, or -> <received_at - timestamp of that event>
    erased <events> <events that order erasures>                        version 2 alone
    before <hash of the event before start>
    after <hash of the event end-2>
    nodes <the frontier of [start, end-1), a blank between two>

Version 2 is written where one of its two numbers is not 0, version 1 elsewhere. The range is a power of two long and
starts at a multiple of its length. Where something was found, the last three lines are ``-``: there is nothing to build
on. Specified in docs/formats/segment-note.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import HASH_SIZE
from eventlog.formats.names import is_chain_name
from eventlog.formats.note import Signer, VerifierKey, format_note, is_key_name, parse_note, sign_note, verify_note
from eventlog.formats.times import MAX_MILLIS

_HEADS = {False: "eventlog/segment/v1", True: "eventlog/segment/v2"}
_NONE = "-"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(rf"[0-9a-f]{{{2 * HASH_SIZE}}}")
_MAX_END = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SegmentEnds:
    """What joins a segment to the rest of its chain. The last event is not in it: it is verified where they are joined.

    ``nodes`` is the Merkle frontier of [start, end-1), counted from the segment's start.
    """

    before: bytes
    """What the segment's first event links to."""

    after: bytes
    """The hash of the last event but one."""

    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentNote:
    """What became of one segment. Times are milliseconds since 1970, ``start`` and ``end`` are seqs [start, end)."""

    origin: str
    chain: str
    start: int
    end: int
    audit_id: str
    began: int
    """Every event of it was read after this."""

    ended: int
    found: int
    skewed: int = 0
    """Events whose claimed time is far from when they were received; the furthest is at ``skew_seq``."""

    skew_seq: int | None = None
    skew_millis: int = 0
    erased: int = 0
    """Events that are erased, each by an order that the chain had then."""

    erasures: int = 0
    """Events that order erasures, each signed with a governance key."""

    ends: SegmentEnds | None = None
    """None if something was found."""


def format_segment(note: SegmentNote) -> str:
    """Return the note text.

    Raises:
        EvidenceError: no segment can be so.
    """
    _check(note)
    ends, seq = note.ends, note.skew_seq
    versions = [f"erased {note.erased} {note.erasures}"] if _has_erasures(note) else []
    lines = (
        _HEADS[_has_erasures(note)],
        note.origin,
        f"chain {note.chain}",
        f"range {note.start} {note.end}",
        f"audit {note.audit_id}",
        f"time {note.began} {note.ended}",
        f"found {note.found}",
        f"skew {note.skewed} {_NONE if seq is None else seq} {note.skew_millis}",
        *versions,
        f"before {_NONE if ends is None else ends.before.hex()}",
        f"after {_NONE if ends is None else ends.after.hex()}",
        f"nodes {_NONE if ends is None else ' '.join(node.hex() for node in ends.nodes)}",
    )
    return "".join(f"{line}\n" for line in lines)


def sign_segment(note: SegmentNote, signers: Sequence[Signer]) -> bytes:
    """Sign a segment's result by each signer under the log's origin; return the note's bytes.

    Raises:
        EvidenceError: as ``format_segment``.
    """
    return format_note(sign_note(format_segment(note), note.origin, signers))


def parse_segment(text: str) -> SegmentNote:
    """Read a note text; only the form that ``format_segment`` writes is accepted.

    Raises:
        EvidenceError: it is no segment's.
    """
    # First read, then check the form by writing it again.
    try:
        head, origin, chain, span, audit, times, total, skew, *versions, before, after, nodes, rest = text.split("\n")
        (_, name), (_, audit_id), (_, found) = (line.split(" ") for line in (chain, audit, total))
        (_, start, end), (_, began, ended) = span.split(" "), times.split(" ")
        _, skewed, seq, millis = skew.split(" ")
        _, erased, erasures = versions[0].split(" ") if versions else ("", "0", "0")
        note = SegmentNote(
            origin=origin,
            chain=name,
            start=_number(start),
            end=_number(end),
            audit_id=audit_id,
            began=_number(began),
            ended=_number(ended),
            found=_number(found),
            skewed=_number(skewed),
            skew_seq=None if seq == _NONE else _number(seq),
            skew_millis=-_number(millis[1:]) if millis.startswith("-") else _number(millis),
            erased=_number(erased),
            erasures=_number(erasures),
            ends=_ends(before.split(" ")[1:], after.split(" ")[1:], nodes.split(" ")[1:]),
        )
    except ValueError as error:
        raise EvidenceError("not the text of a segment") from error
    if head not in _HEADS.values() or rest or format_segment(note) != text:  # the latter tells the versions apart
        raise EvidenceError("not the text of a segment")
    return note


def verify_segment_note(data: bytes, public_keys: Sequence[bytes], origin: str) -> SegmentNote:
    """Read a segment's result of this log that is signed by one of these Ed25519 public keys, under the log's origin.

    Raises:
        EvidenceError: it is malformed, of another log, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    found = parse_segment(note.text)
    if found.origin != origin:
        raise EvidenceError("the segment is of another log")
    verify_note(note, [VerifierKey(origin, public) for public in public_keys])
    return found


def is_segment(start: int, end: int) -> bool:
    """Return whether [start, end) can be a segment: a power of two of events, two or more, at a multiple of that."""
    length = end - start
    return start >= 0 and end <= _MAX_END and length >= 2 and not length & (length - 1) and start % length == 0


def _check(note: SegmentNote) -> None:
    """Refuse what can't be: every border between two values is a blank or the end of a line, so no value has one."""
    if not is_key_name(note.origin) or not is_chain_name(note.chain) or not _ID.fullmatch(note.audit_id):
        raise EvidenceError("the name of a log or a chain, or the id of an audit, can't be")
    if not is_segment(note.start, note.end):
        raise EvidenceError("a segment is a power of two of events at a multiple of its length")
    if not 0 <= note.began <= note.ended <= MAX_MILLIS or note.found < 0 or note.skewed < 0:
        raise EvidenceError("a time or a number of the segment can't be")
    if not _is_skew(note):
        raise EvidenceError("the segment's skew contradicts itself")
    if max(note.erased, note.erasures) >= note.end - note.start or (note.found and _has_erasures(note)):
        raise EvidenceError("more events of the segment are erased, or order it, than there can be")
    if bool(note.found) != (note.ends is None):
        raise EvidenceError("a segment has ends if nothing was found in it, and none otherwise")
    if note.ends is not None:
        # A frontier has a node for each one bit of its size, and a power of two less one is nothing but ones.
        hashes = (note.ends.before, note.ends.after, *note.ends.nodes)
        if len(note.ends.nodes) != (note.end - note.start - 1).bit_count() or {len(h) for h in hashes} != {HASH_SIZE}:
            raise EvidenceError("the segment has another number of nodes, or a hash of another length")


def _has_erasures(note: SegmentNote) -> bool:
    return bool(note.erased or note.erasures)


def _is_skew(note: SegmentNote) -> bool:
    """Return whether count, place and time of skewed events agree: all three are there, or none."""
    if note.skew_seq is None:
        return not note.skewed and not note.skew_millis
    inside = note.start <= note.skew_seq < note.end
    return inside and 0 < note.skewed < note.end - note.start and 0 < abs(note.skew_millis) <= MAX_MILLIS


def _ends(before: list[str], after: list[str], nodes: list[str]) -> SegmentEnds | None:
    if [before, after, nodes] == [[_NONE]] * 3:
        return None
    if not all(map(_HEX.fullmatch, (*before, *after, *nodes))):
        raise EvidenceError("a hash of the segment is not 64 lower-case hexadecimal digits")
    (first,), (last,) = before, after
    return SegmentEnds(bytes.fromhex(first), bytes.fromhex(last), tuple(map(bytes.fromhex, nodes)))


def _number(text: str) -> int:
    return parse_decimal(text, "a number of the segment")
