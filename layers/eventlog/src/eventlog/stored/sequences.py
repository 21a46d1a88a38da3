"""The sequence document of a chain: what is settled, and what is pending.

{_id: chain, origin, size, settled: {size, hash, frontier}, pending: [entry, ...], pending_bytes[, swept]}

Specified in docs/formats/event-and-chain.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bson import DatetimeMS, Int64

from eventlog.formats.event import ChainState, Entry, Event
from eventlog.stored.checks import check_chain, check_types, hash_at, hashes_at
from eventlog.stored.codec import decode, decode_entry, encode, entry_fields
from eventlog.stored.errors import NotOursError

MAX_SIZE = 1 << 53
"""No chain has so many events: seqs are shown as JSON numbers, which are exact up to there (RFC 7493, section 2.2)."""


@dataclass(frozen=True, slots=True)
class SequenceImage:
    """One image of a sequence document: raw bytes as stored, and what was understood of it.

    ``swept``: payloads stored apart before this time that no event has may be gone (milliseconds since 1970); None:
    none was ever removed. A push is refused if its payloads are that old, so it can't come too late for them.
    """

    raw: bytes
    chain: str
    origin: str
    size: int
    settled: ChainState
    pending: list[Entry]
    pending_bytes: int
    swept: int | None = None

    def events(self) -> Iterator[Event]:
        """Give the pending entries their seqs and hashes."""
        return self.settled.copy().extend(self.pending)


def decode_sequence(raw: bytes) -> SequenceImage:
    """Understand a sequence document.

    Raises:
        NotOursError: as in ``decode_event``.
    """
    document = decode(raw)
    types = {"_id": str, "origin": str, "size": Int64, "settled": dict, "pending": list, "pending_bytes": Int64}
    check_types(document, types)
    if "swept" in document:
        check_types(document, {"swept": DatetimeMS})
    # Types alone: whether size, settled and pending agree is for the audit to say, which names what differs.
    check_chain(document["_id"])
    state = decode_settled(document["settled"])
    pending = [decode_entry(item, document["_id"]) for item in document["pending"]]
    size, pending_bytes = int(document["size"]), int(document["pending_bytes"])
    if not 0 <= size < MAX_SIZE:
        raise NotOursError("size is negative, or more than a chain can have")
    swept = int(document["swept"]) if "swept" in document else None
    return SequenceImage(raw, document["_id"], document["origin"], size, state, pending, pending_bytes, swept)


def decode_settled(settled: Any) -> ChainState:
    """Understand the ``settled`` part of a sequence document.

    Raises:
        NotOursError: as in ``decode_event``.
    """
    check_types(settled, {"size": Int64, "hash": bytes, "frontier": list})
    state = ChainState(int(settled["size"]), hash_at(settled, "hash"), list(hashes_at(settled, "frontier")))
    if not 0 <= state.size < MAX_SIZE:
        raise NotOursError("settled.size is negative, or more than a chain can have")
    if len(state.frontier) != state.size.bit_count():
        raise NotOursError("settled.frontier does not have one hash for each bit of settled.size")
    return state


def encode_sequence(image: SequenceImage) -> bytes:
    """Encode a sequence document as this version writes it."""
    document = {
        "_id": image.chain,
        "origin": image.origin,
        "size": Int64(image.size),
        "settled": settled_fields(image.settled),
        "pending": [entry_fields(entry) for entry in image.pending],
        "pending_bytes": Int64(image.pending_bytes),
    }
    if image.swept is not None:
        document["swept"] = DatetimeMS(image.swept)
    return encode(document)


def settled_fields(state: ChainState) -> dict[str, Any]:
    """Write the ``settled`` part of a sequence document."""
    return {"size": Int64(state.size), "hash": state.hash, "frontier": list(state.frontier)}


def new_sequence(chain: str, origin: str, genesis: bytes) -> dict[str, Any]:
    """Make the sequence document of an empty chain."""
    return {
        "_id": chain,
        "origin": origin,
        "size": Int64(0),
        "settled": settled_fields(ChainState(0, genesis)),
        "pending": [],
        "pending_bytes": Int64(0),
    }
