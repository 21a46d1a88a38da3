"""By which event of its chain another was erased: for readers, who verify the order with a key of their own."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from bson import Int64

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Erased, Event, is_erased
from eventlog.formats.governance import ERASURE, Erasure, parse_order
from eventlog.formats.note import parse_note


def orders_behind(chain: str, seq: int) -> dict[str, Any]:
    """Build the filter of what may order that events from ``seq`` on were erased: what stands behind that."""
    return {"chain": chain, "event_type": ERASURE, "seq": {"$gt": Int64(seq)}}


def orders_at(chain: str, seqs: Iterable[int]) -> dict[str, Any]:
    """Build the filter of the orders at these seqs."""
    return {"chain": chain, "event_type": ERASURE, "seq": {"$in": list(map(Int64, sorted(seqs)))}}


def targets(order: Event) -> list[int]:
    """List the seqs that an order names; none of one that can't be read."""
    try:
        found = parse_order(parse_note(orjson.loads(order.entry.payload)["note"].encode()).text)
    except (EvidenceError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [seq for seq, _ in found.targets] if isinstance(found, Erasure) else []


def with_orders(events: Sequence[Event], orders: Iterable[Event]) -> list[Event]:
    """Say of each event that was erased by which of the orders it was: the first that names it."""
    wanted = {_line(event): event.seq for event in events if is_erased(event.entry)}
    found: dict[int, Erased] = {}
    for order in sorted(orders, key=lambda event: event.seq):
        for seq, erased in _named(order, wanted).items():
            if seq < order.seq:
                found.setdefault(seq, erased)
    return [event._replace(erased=found.get(event.seq)) for event in events]


def _named(order: Event, wanted: Mapping[str, int]) -> dict[int, Erased]:
    """Find which of the wanted events an order names; nothing in one that can't be read."""
    try:
        text = parse_note(orjson.loads(order.entry.payload)["note"].encode()).text
        # Few orders name any of a page's events: only of those more is read than their lines.
        lines = wanted.keys() & set(text.split("\n"))
        erased = Erased(order.seq, parse_order(text).time) if lines else None
    except (EvidenceError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {wanted[line]: erased for line in lines} if erased else {}


def _line(event: Event) -> str:
    """Write the line of an order that names an event (docs/formats/governance-note.md)."""
    return f"{event.seq} {base64.b64encode(event.hash).decode()}"
