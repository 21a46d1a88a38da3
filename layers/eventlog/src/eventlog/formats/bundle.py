"""Evidence bundles: events of a chain with everything needed to verify them without the log (NDJSON).

    {"format": "eventlog-bundle/v1", "origin": <log's>, "chain": ..., "checkpoint": <note>, "keys": [<vkey>, ...],
     "selection": {"from_seq": a, "to_seq": b} or {"start_time": ..., "end_time": ...}}      the header
    {"event": <an event as the API shows it>}                                                one leaf
    {"gap": [start, end], "hashes": [<hex>, ...]}             leaves left out: the nodes of ``proof.cover(start, end)``
    {"end": {"events": n, "next_seq": <where the selection goes on, or null>}}               the last line

In version 2, "eventlog-bundle/v2", there may also be

    {"erased": <an erased event as the API shows it>, "by": <seq>}          an event of the selection: one leaf
    {"erasure": <an event as the API shows it>}               an order to erase that is not among the events: one leaf

Version 1 is written where nothing of the selection was to be erased.
Leaves and gaps follow from left to right and cover the checkpoint's tree; no gap follows another. Each line has one
written form: compact, members in this order. A file may be several bundles, one after the other (its parts).

Specified in docs/formats/bundle.md.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.members import chain_name, hex_bytes, members, text, time, whole
from eventlog.formats.note import MAX_NOTE, MAX_SIGNATURES, parse_vkey
from eventlog.formats.times import format_time

FORMATS = {1: "eventlog-bundle/v1", 2: "eventlog-bundle/v2"}
MAX_LINE = 4 << 20


@dataclass(frozen=True, slots=True)
class SeqRange:
    """Events by place: from_seq <= seq < to_seq."""

    from_seq: int
    to_seq: int

    def fields(self) -> dict[str, Any]:
        """Return the ``selection`` of the header."""
        return {"from_seq": self.from_seq, "to_seq": self.to_seq}

    def has(self, event: Event) -> bool:
        """Return whether an event is selected."""
        return self.from_seq <= event.seq < self.to_seq


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Events by their timestamps: start_time <= timestamp < end_time, in milliseconds since 1970; None is open."""

    start_time: int | None
    end_time: int | None

    def fields(self) -> dict[str, Any]:
        """Return the ``selection`` of the header."""
        return {"start_time": _shown(self.start_time), "end_time": _shown(self.end_time)}

    def has(self, event: Event) -> bool:
        """Return whether an event is selected."""
        timestamp = event.entry.timestamp
        return (self.start_time or 0) <= timestamp and (self.end_time is None or timestamp < self.end_time)


Selection = SeqRange | TimeRange


@dataclass(frozen=True, slots=True)
class Header:
    """A bundle's first line. ``origin`` is the log's; ``keys`` are for information: a verifier pins its own."""

    origin: str
    chain: str
    checkpoint: bytes
    keys: tuple[str, ...]
    selection: Selection
    version: int = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """The leaves [start, end), left out."""

    start: int
    end: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A bundle's last line: how many events it has, and the first seq of the selection that did not fit."""

    events: int
    next_seq: int | None


def header_line(header: Header) -> bytes:
    """Write a header."""
    return _line(
        {
            "format": FORMATS[header.version],
            "origin": header.origin,
            "chain": header.chain,
            "checkpoint": header.checkpoint.decode(),
            "keys": header.keys,
            "selection": header.selection.fields(),
        }
    )


def event_line(event_json: bytes) -> bytes:
    """Write an event, given as the API shows it (``event_json.format_event``)."""
    return b'{"event":' + event_json + b"}\n"


def erased_line(event_json: bytes, by: int) -> bytes:
    """Write an event, given as above, that was erased by the one at seq ``by``."""
    return b'{"erased":%b,"by":%d}\n' % (event_json, by)


def erasure_line(event_json: bytes) -> bytes:
    """Write an event, given as above, that is not of the selection and orders to erase some that are."""
    return b'{"erasure":' + event_json + b"}\n"


def gap_line(gap: Gap) -> bytes:
    """Write a gap."""
    return _line({"gap": [gap.start, gap.end], "hashes": [value.hex() for value in gap.hashes]})


def end_line(end: End) -> bytes:
    """Write the last line."""
    return _line({"end": {"events": end.events, "next_seq": end.next_seq}})


def parse_header(fields: Any) -> Header:
    """Read a header from parsed JSON; its checkpoint is not verified here.

    Raises:
        EvidenceError: a member is missing or malformed.
    """
    known = members(fields, "a bundle's header")
    version = next((number for number, name in FORMATS.items() if name == known.get("format")), None)
    if version is None:
        raise EvidenceError(f"a bundle begins with a header of the format {' or '.join(FORMATS.values())}")
    chain, keys = chain_name(known), known.get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_SIGNATURES or not all(type(key) is str for key in keys):
        raise EvidenceError(f"keys must be at most {MAX_SIGNATURES} verifier keys")
    # The keys are for information, but a text that is not a vkey would not be written here by any log.
    for key in keys:
        parse_vkey(key)
    checkpoint = text(known, "checkpoint").encode()
    if len(checkpoint) > MAX_NOTE:
        raise EvidenceError("checkpoint is too long")
    selection = _parse_selection(known.get("selection"))
    return Header(text(known, "origin"), chain, checkpoint, tuple(keys), selection, version)


def parse_gap(fields: Any) -> Gap:
    """Read a gap from parsed JSON.

    Raises:
        EvidenceError: it is malformed or empty.
    """
    known = members(fields, "a gap")
    ends, hashes = known.get("gap"), known.get("hashes")
    if not isinstance(ends, list) or len(ends) != 2 or not isinstance(hashes, list) or len(hashes) > 128:
        raise EvidenceError("a gap is [start, end] with at most 128 hashes")
    start, end = (whole({"gap": value}, "gap") for value in ends)
    if start >= end:
        raise EvidenceError("a gap has at least one leaf")
    return Gap(start, end, tuple(hex_bytes({"hashes": value}, "hashes") for value in hashes))


def parse_end(fields: Any) -> End:
    """Read the last line from parsed JSON.

    Raises:
        EvidenceError: a member is missing or malformed.
    """
    known = members(members(fields, "an end").get("end"), "end")
    return End(whole(known, "events"), None if known.get("next_seq") is None else whole(known, "next_seq"))


def _parse_selection(value: Any) -> Selection:
    known = members(value, "selection")
    if "from_seq" in known:
        by_seq = SeqRange(whole(known, "from_seq"), whole(known, "to_seq"))
        if by_seq.from_seq > by_seq.to_seq:
            raise EvidenceError("selection: from_seq is beyond to_seq")
        return by_seq
    start, end = (None if known.get(name) is None else time(known, name) for name in ("start_time", "end_time"))
    return TimeRange(start, end)


def _shown(millis: int | None) -> str | None:
    return None if millis is None else format_time(millis)


def _line(fields: dict[str, Any]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
