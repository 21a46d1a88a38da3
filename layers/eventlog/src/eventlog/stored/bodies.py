"""Large payloads, stored apart from their events: one row of ``bodies`` for each, inserted once and never changed.

{_id: chain/event_id/payload_hash, at, payload}

The event then has ``payload_bytes`` in place of ``payload``; its hashes are the same either way. A payload hash has a
random salt in it, so two tries to append an event never share a row. ``at`` says when its writer began to insert it, by
the writer's clock: it only has to be the same as in the push (``SequenceImage.swept``).

Where both are handed on together, the bytes of the row follow those of the event's document: ``split``.

Specified in docs/formats/event-and-chain.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bson import DatetimeMS

from eventlog.formats import hashing
from eventlog.formats.event import Entry, Event, is_erased
from eventlog.stored import codec
from eventlog.stored.checks import check_types
from eventlog.stored.errors import NotOursError

APART_FROM = 8 << 10
"""A payload of so many bytes or more is stored apart (decision 41)."""
ONE_PUSH = 1 << 20
SMALL = 1 << 10
"""If the payloads of one append have more than ``ONE_PUSH`` bytes, those of ``SMALL`` bytes or more are, too."""
TOGETHER_BYTES = 4 << 20
TOGETHER = 500
"""About so many bytes of payloads, and so many rows, are read by one query."""
_TYPES: dict[str, type] = {"_id": str, "at": DatetimeMS, "payload": str}


class Body(NamedTuple):
    """A row of ``bodies``; ``at`` in milliseconds since 1970."""

    body_id: str
    at: int
    payload: str


def body_id(entry: Entry) -> str:
    """Make the ``_id`` of the row with an entry's payload; no chain and no event id has a slash."""
    return f"{codec.document_id(entry.chain, entry.event_id)}/{entry.payload_hash.hex()}"


def put_apart(entries: Sequence[Entry], least: int) -> list[Entry]:
    """Mark those entries of one append whose payloads are stored apart: ``least`` bytes or more; 0: none is."""
    sizes = [len(entry.payload.encode()) for entry in entries]
    if least and sum(size for size in sizes if size < least) > ONE_PUSH:
        least = min(least, SMALL)
    return [
        entry._replace(payload_bytes=size) if 0 < least <= size else entry
        for entry, size in zip(entries, sizes, strict=True)
    ]


def is_waiting(entry: Entry) -> bool:
    """Whether the payload has still to be read from where it is stored apart; an erased one is nowhere."""
    return entry.payload_bytes is not None and not entry.payload and not is_erased(entry)


def encode_body(entry: Entry, at: int) -> bytes:
    """Write the row with the payload of an entry."""
    return codec.encode({"_id": body_id(entry), "at": DatetimeMS(at), "payload": entry.payload})


def decode_body(raw: bytes) -> Body:
    """Understand a row of ``bodies``.

    Raises:
        NotOursError: a field is missing or of another type.
    """
    document = codec.decode(raw)
    check_types(document, _TYPES)
    return Body(document["_id"], int(document["at"]), document["payload"])


def with_payload(entry: Entry, raw: bytes | None) -> Entry:
    """Give an entry its payload from the row that was found for it.

    Raises:
        NotOursError: there is none, or it is not the very payload that was appended.
    """
    if raw is None:
        raise NotOursError(f"the payload of event {entry.event_id}, which is stored apart, is missing")
    payload = decode_body(raw).payload
    content = payload.encode()
    if len(content) != entry.payload_bytes or hashing.payload_hash(entry.salt, content) != entry.payload_hash:
        raise NotOursError(f"the payload of event {entry.event_id}, which is stored apart, is not what was appended")
    return entry._replace(payload=payload)


def with_payloads(events: Iterable[Event], rows: Mapping[str, bytes]) -> list[Event]:
    """Give events their payloads from rows by their ids, those that still need one.

    Raises:
        NotOursError: as ``with_payload``.
    """
    return [
        event._replace(entry=with_payload(event.entry, rows.get(body_id(event.entry))))
        if is_waiting(event.entry)
        else event
        for event in events
    ]


def portions(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Split entries into lists of which each has payloads for one query, in their order."""
    portion: list[Entry] = []
    size = 0
    for entry in entries:
        portion.append(entry)
        size += entry.payload_bytes or len(entry.payload)
        if size >= TOGETHER_BYTES or len(portion) >= TOGETHER:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def split(joined: bytes) -> tuple[bytes, bytes | None]:
    """Take the document of an event and the row with its payload apart; without a row the second is None."""
    size = int.from_bytes(joined[:4], "little")
    # A size that says nonsense leaves all in the first part, where decoding refuses it.
    return (joined[:size], joined[size:]) if 5 <= size < len(joined) else (joined, None)
