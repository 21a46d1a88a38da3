"""Events and receipts as the API shows them (JSON), written and read: what a client checks without trusting the log.

Specified in docs/formats/receipt.md.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from eventlog.formats import hashing
from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Entry, Erased, Event, content_hash_of, is_erased
from eventlog.formats.members import chain_name, event_id, event_name, hex_bytes, members, text, time, whole
from eventlog.formats.times import format_time

_RECEIPT = {"event_id", "chain", "seq", "timestamp", "received_at", "content_hash", "prev_hash", "hash"}
_EVENT = _RECEIPT | {"event_type", "source_id", "principal", "payload", "salt", "payload_hash"}
_ERASED = _EVENT | {"erased"}


class DamagedEventError(ValueError):
    """A stored event has a payload or a time that no append has stored: it is never shown as something else."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the log says it accepted: the event's place and hashes. Times are milliseconds since 1970."""

    event_id: str
    chain: str
    seq: int
    timestamp: int
    received_at: int
    content_hash: bytes
    prev_hash: bytes
    hash: bytes


def event_fields(event: Event) -> dict[str, Any]:
    """Write the fields of an event as every route shows them, to be written by orjson.

    The payload is the stored text, spliced in as it stands. Of an erased event payload and salt are null, and a member
    more says by which event it was erased, and when that was ordered.

    Raises:
        DamagedEventError: that text is no JSON object, so an answer with it in would say something else or be no JSON
            at all; or the payload is gone, and nobody has said who erased it; or a time is in no year that JSON shows.
    """
    try:
        return _event_fields(event)
    except ValueError as error:
        raise DamagedEventError(f"event {event.seq} of chain {event.entry.chain} is damaged: {error}") from error


def _event_fields(event: Event) -> dict[str, Any]:
    entry, erased = event.entry, event.erased
    if erased is None or not is_erased(entry):
        _check_splice(entry)
        erased = None
    return {
        "event_id": entry.event_id,
        "chain": entry.chain,
        "seq": event.seq,
        "event_type": entry.event_type,
        "source_id": entry.source_id,
        "timestamp": format_time(entry.timestamp),
        "received_at": format_time(entry.received_at),
        "principal": entry.principal,
        # Not parsed and written again: these bytes were hashed.
        "payload": None if erased else orjson.Fragment(entry.payload),
        "salt": None if erased else entry.salt.hex(),
        "payload_hash": entry.payload_hash.hex(),
        "content_hash": entry.content_hash.hex(),
        "prev_hash": event.prev_hash.hex(),
        "hash": event.hash.hex(),
    } | ({"erased": {"seq": erased.seq, "time": format_time(erased.time)}} if erased else {})


def format_event(event: Event) -> bytes:
    """Return the JSON text of an event, byte for byte as the API shows it.

    Raises:
        DamagedEventError: as in ``event_fields``.
    """
    return orjson.dumps(event_fields(event))


def parse_event(fields: Any) -> Event:
    """Read an event from parsed JSON (``members.parse_json``); ``check_event`` checks its hashes.

    Raises:
        EvidenceError: a member is missing, unknown or malformed; the text names it.
    """
    # Exactly these members: one that is not covered by a hash could be added or dropped by anyone on the way.
    known = members(fields, "an event")
    if set(known) not in (_EVENT, _ERASED):
        raise EvidenceError(f"an event has the members {', '.join(sorted(_EVENT))}, all of them and no other")
    erased = _erased(known) if "erased" in known else None
    return Event(
        entry=Entry(
            chain=chain_name(known),
            event_id=event_id(known),
            event_type=event_name(known, "event_type"),
            source_id=event_name(known, "source_id"),
            timestamp=time(known, "timestamp"),
            received_at=time(known, "received_at"),
            principal=_principal(known),
            payload="" if erased else _payload(known["payload"]),
            salt=b"" if erased else hex_bytes(known, "salt", 16),
            payload_hash=hex_bytes(known, "payload_hash"),
            content_hash=hex_bytes(known, "content_hash"),
        ),
        seq=whole(known, "seq"),
        prev_hash=hex_bytes(known, "prev_hash"),
        hash=hex_bytes(known, "hash"),
        erased=erased,
    )


def check_event(event: Event) -> None:
    """Derive an event's hashes from its fields and compare them with those it states.

    Of an erased event all but the payload hash, which nobody can derive any more.

    Raises:
        EvidenceError: a hash is wrong; the text names the innermost one.
    """
    # From the inside out, so that the error names the innermost hash that is wrong: payload, content, leaf.
    entry = event.entry
    if not is_erased(entry) and hashing.payload_hash(entry.salt, entry.payload.encode()) != entry.payload_hash:
        raise EvidenceError(f"event {event.seq}: payload_hash is not the hash of salt and payload")
    if content_hash_of(entry, entry.payload_hash) != entry.content_hash:
        raise EvidenceError(f"event {event.seq}: content_hash is not the hash of the event's fields")
    check_receipt(receipt_of(event))


def parse_receipt(fields: Any) -> Receipt:
    """Read a receipt from parsed JSON (``members.parse_json``); an event is read as its receipt.

    Raises:
        EvidenceError: a member is missing, unknown or malformed; the text names it.
    """
    # An event has all of a receipt's members, so a saved event serves as its own receipt.
    known = members(fields, "a receipt")
    if set(known) not in (_RECEIPT, _EVENT, _ERASED):
        raise EvidenceError(f"a receipt has the members {', '.join(sorted(_RECEIPT))}, all of them and no other")
    return Receipt(
        event_id=event_id(known),
        chain=chain_name(known),
        seq=whole(known, "seq"),
        timestamp=time(known, "timestamp"),
        received_at=time(known, "received_at"),
        content_hash=hex_bytes(known, "content_hash"),
        prev_hash=hex_bytes(known, "prev_hash"),
        hash=hex_bytes(known, "hash"),
    )


def check_receipt(receipt: Receipt) -> None:
    """Check that a receipt's hash is the leaf hash of its seq, prev_hash and content_hash.

    Raises:
        EvidenceError: it is another hash.
    """
    leaf = hashing.leaf(receipt.seq, receipt.prev_hash, receipt.content_hash)
    if hashing.leaf_hash(leaf) != receipt.hash:
        raise EvidenceError(f"event {receipt.seq}: hash is not the hash of seq, prev_hash and content_hash")


def receipt_of(event: Event) -> Receipt:
    """Return the receipt that the log gave for an event."""
    entry = event.entry
    return Receipt(
        event_id=entry.event_id,
        chain=entry.chain,
        seq=event.seq,
        timestamp=entry.timestamp,
        received_at=entry.received_at,
        content_hash=entry.content_hash,
        prev_hash=event.prev_hash,
        hash=event.hash,
    )


def contradiction(a: Receipt | Event, b: Receipt | Event) -> str | None:
    """Return why an honest log can't have issued both, each of which verifies by itself; None if they agree.

    Two of different chains never contradict each other.
    """
    first, second = sorted(
        (receipt_of(each) if isinstance(each, Event) else each for each in (a, b)), key=lambda receipt: receipt.seq
    )
    # Two events can contradict each other in three ways only: one seq, one id, or neighbours that are not linked.
    if first.chain != second.chain or first == second:
        return None
    if first.seq == second.seq:
        other = "hash" if first.hash != second.hash else "event, with the same hash"
        return f"seq {first.seq} of chain {first.chain} was given twice, each time with another {other}"
    if first.event_id == second.event_id:
        return f"event {first.event_id} stands in chain {first.chain} at seq {first.seq} and at seq {second.seq}"
    if first.seq + 1 == second.seq and first.hash != second.prev_hash:
        return f"seq {second.seq} of chain {first.chain} is not linked to seq {first.seq}"
    return None


def _check_splice(entry: Entry) -> None:
    """Check that a stored payload is a JSON object: other text could end the answer's object and go on."""
    try:
        is_object = type(orjson.loads(entry.payload)) is dict
    except ValueError:
        is_object = False
    if not is_object:
        raise ValueError(f"the stored payload of event {entry.event_id} is no JSON object")


def _erased(fields: dict[str, Any]) -> Erased:
    """Read by what an event was erased. It has neither payload nor salt then, and the event that orders it is later."""
    if fields["payload"] is not None or fields["salt"] is not None:
        raise EvidenceError("payload and salt of an erased event must be null")
    known = members(fields["erased"], "erased")
    if set(known) != {"seq", "time"}:
        raise EvidenceError("erased has the members seq and time, both of them and no other")
    erased = Erased(whole(known, "seq"), time(known, "time"))
    if erased.seq <= whole(fields, "seq"):
        raise EvidenceError("an event is erased by a later one")
    return erased


def _principal(fields: dict[str, Any]) -> str:
    """Return the principal. It comes from an issuer or IAM, whose names have no limits of ours, but is never empty."""
    value = text(fields, "principal")
    if not value:
        raise EvidenceError("principal must not be empty")
    return value


def _payload(value: Any) -> str:
    """Return the canonical text of a payload."""
    payload = members(value, "payload")
    try:
        return canonicalize(payload).decode()
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"payload has no canonical form: {type(error).__name__}") from error
