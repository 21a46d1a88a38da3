"""What answers to an append look like: models for the OpenAPI document, and the function that writes a receipt."""

from typing import Any

from pydantic import BaseModel, Field

from eventlog.formats.times import format_time
from eventlog.store.interface import Placed


class Receipt(BaseModel, defer_build=True):
    """Proof of acceptance: the event's place and hashes (lower-case hex)."""

    event_id: str
    chain: str
    seq: int
    timestamp: str
    received_at: str
    content_hash: str
    prev_hash: str
    hash: str


class Receipts(BaseModel, defer_build=True):
    """One receipt for each event of a batch, in its order."""

    receipts: list[Receipt]


class Accepted(BaseModel, defer_build=True):
    """An event that waits in a queue: it is durable, and has no place in its chain yet."""

    event_id: str
    chain: str
    received_at: str
    receipt: str = Field(description="Where its receipt will be")


def receipt(placed: Placed) -> dict[str, Any]:
    """An event's receipt."""
    event = placed.event
    return {
        "event_id": event.entry.event_id,
        "chain": event.entry.chain,
        "seq": event.seq,
        "timestamp": format_time(event.entry.timestamp),
        "received_at": format_time(event.entry.received_at),
        "content_hash": event.entry.content_hash.hex(),
        "prev_hash": event.prev_hash.hex(),
        "hash": event.hash.hex(),
    }
