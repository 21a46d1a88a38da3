"""Events as they are sent, and the receipts that come back, checked against them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import uuid4

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import Receipt, check_receipt, contradiction, parse_receipt
from eventlog.formats.times import format_time, parse_time
from eventlog_client.errors import LogMisbehavedError

DEFAULT_CHAIN = "main"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. ``timestamp`` is an aware datetime or RFC 3339 text, now if it is left out."""

    event_type: str
    source_id: str
    payload: Mapping[str, Any]
    timestamp: datetime | str | None = None
    event_id: str | None = None


def document_of(event: NewEvent | Mapping[str, Any], chain: str | None) -> dict[str, Any]:
    """Return the event in the API's native form, with an id, so that it can be sent again without a second event."""
    # A mapping is sent as the caller wrote it, with members that this client does not know too.
    if isinstance(event, NewEvent):
        document: dict[str, Any] = {
            "event_type": event.event_type,
            "timestamp": _time_text(event.timestamp),
            "source_id": event.source_id,
            "payload": event.payload,
        }
        if event.event_id is not None:
            document["event_id"] = event.event_id
    else:
        document = dict(event)
    # The id makes a retry idempotent. A ``chain`` in the event itself goes before the one for the whole call.
    if document.get("event_id") is None:
        document["event_id"] = str(uuid4())
    if chain is not None and document.get("chain") is None:
        document["chain"] = chain
    return document


def given_id(event: NewEvent | Mapping[str, Any]) -> Any:
    """Return the id that the caller chose, or None."""
    return event.event_id if isinstance(event, NewEvent) else event.get("event_id")


def json_text(value: Any) -> bytes:
    """Return JSON that the log reads as it was meant: floats stay floats.

    Raises:
        ValueError: a number is NaN or Infinity.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def checked_receipt(sent: Mapping[str, Any], shown: Any) -> Receipt:
    """Read the receipt of one event and check it against what was sent.

    Raises:
        LogMisbehavedError: it is not a receipt, its hash is wrong, or it names another event.
    """
    try:
        receipt = parse_receipt(shown)
        check_receipt(receipt)
        _check_names(sent, receipt)
    except EvidenceError as error:
        raise LogMisbehavedError(f"the receipt is not one of what was sent: {error}", [dict(sent), shown]) from error
    return receipt


def checked_batch(sent: Sequence[Mapping[str, Any]], shown: Any, *, fresh: bool) -> list[Receipt]:
    """Read the receipts of a batch and check them against what was sent, and against each other.

    If all events are ``fresh``, that is none can be a replay, they must stand side by side in the chain.

    Raises:
        LogMisbehavedError: a receipt is missing, wrong, or contradicts another one.
    """
    if not isinstance(shown, list) or len(shown) != len(sent):
        raise LogMisbehavedError(
            f"{len(sent)} events were sent, and other than {len(sent)} receipts came back", [shown]
        )
    # First each receipt by itself, then each with its neighbour. Fresh events are compared in the order they were sent,
    # and must have consecutive seqs; replays may stand anywhere, so only what is side by side by seq is compared.
    receipts = [checked_receipt(*pair) for pair in zip(sent, shown, strict=True)]
    order = range(len(receipts)) if fresh else sorted(range(len(receipts)), key=lambda at: receipts[at].seq)
    for one, other in pairwise(order):
        a, b = receipts[one], receipts[other]
        why = contradiction(a, b)
        if why is None and fresh and b.seq != a.seq + 1:
            why = f"the batch's events {one} and {other} are not side by side: seq {a.seq} and {b.seq}"
        if why is not None:
            raise LogMisbehavedError(
                f"the receipts of a batch contradict each other: {why}", [shown[one], shown[other]]
            )
    return receipts


def receipt_fields(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as the API shows it."""
    return {
        "event_id": receipt.event_id,
        "chain": receipt.chain,
        "seq": receipt.seq,
        "timestamp": format_time(receipt.timestamp),
        "received_at": format_time(receipt.received_at),
        "content_hash": receipt.content_hash.hex(),
        "prev_hash": receipt.prev_hash.hex(),
        "hash": receipt.hash.hex(),
    }


def _check_names(sent: Mapping[str, Any], receipt: Receipt) -> None:
    expected = {"event_id": sent["event_id"], "chain": sent.get("chain") or DEFAULT_CHAIN}
    for name, value in expected.items():
        if getattr(receipt, name) != value:
            raise EvidenceError(f"it names {name} {getattr(receipt, name)}, and {value} was sent")
    try:
        timestamp = parse_time(str(sent.get("timestamp")))
    except ValueError as error:
        raise EvidenceError("no event with such a timestamp is accepted") from error
    if receipt.timestamp != timestamp:
        raise EvidenceError(f"it names the timestamp {format_time(receipt.timestamp)}, sent was {sent['timestamp']}")


def _time_text(moment: datetime | str | None) -> str:
    if isinstance(moment, str):
        return moment
    if moment is None:
        moment = datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("the timestamp needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
