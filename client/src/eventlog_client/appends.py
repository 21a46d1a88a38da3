"""Events as they are sent, and the receipts that come back, checked against them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from uuid import uuid4

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import Receipt, check_receipt, contradiction, parse_receipt
from eventlog.formats.times import format_time, parse_time
from eventlog_client.arguments import Moment, moment, name
from eventlog_client.errors import LogMisbehavedError

DEFAULT_CHAIN = "main"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. ``timestamp`` is an aware datetime or RFC 3339 text, now if it is left out.

    With an ``event_id`` and no ``timestamp`` it is the same event whenever it is sent.
    """

    event_type: str
    source_id: str
    payload: Mapping[str, Any]
    timestamp: Moment = None
    event_id: str | None = None


def document_of(event: NewEvent | Mapping[str, Any], chain: str | None) -> dict[str, Any]:
    """Return the event in the API's native form, with an id, so that it can be sent again without a second event.

    Raises:
        TypeError: it is no event, or a field has another type.
        ValueError: a datetime has no time zone.
    """
    # A mapping is sent as the caller wrote it, with members that this client does not know too; only a datetime, which
    # JSON has not, becomes text.
    if isinstance(event, NewEvent):
        if not isinstance(event.payload, Mapping):
            raise TypeError(f"payload must be a mapping, not {type(event.payload).__name__}")
        document: dict[str, Any] = {
            "event_type": name(event.event_type, "event_type"),
            "timestamp": moment(datetime.now(UTC) if event.timestamp is None else event.timestamp, "timestamp"),
            "source_id": name(event.source_id, "source_id"),
            "payload": dict(event.payload),
        }
        if event.event_id is not None:
            document["event_id"] = name(event.event_id, "event_id")
    elif isinstance(event, Mapping):
        document = dict(event)
        if isinstance(document.get("timestamp"), date):
            document["timestamp"] = moment(document["timestamp"], "timestamp")
    else:
        raise TypeError(f"an event is a NewEvent or a mapping, not {type(event).__name__}")
    # The id makes a retry idempotent. A ``chain`` in the event itself goes before the one for the whole call.
    if document.get("event_id") is None:
        document["event_id"] = str(uuid4())
    if chain is not None and document.get("chain") is None:
        document["chain"] = chain
    return document


def listed(events: Iterable[NewEvent | Mapping[str, Any]]) -> list[NewEvent | Mapping[str, Any]]:
    """Return a batch's events as a list, of whatever gives them one after the other.

    Raises:
        TypeError: it is one event, or no events.
    """
    if isinstance(events, NewEvent | Mapping | str | bytes) or not isinstance(events, Iterable):
        raise TypeError(f"a batch is an iterable of events, not {type(events).__name__}")
    return list(events)


def given_id(event: NewEvent | Mapping[str, Any]) -> Any:
    """Return the id that the caller chose, or None."""
    return event.event_id if isinstance(event, NewEvent) else event.get("event_id")


def is_untimed(event: NewEvent | Mapping[str, Any]) -> bool:
    """Return whether the caller chose the id and left the time to this client."""
    return isinstance(event, NewEvent) and event.event_id is not None and event.timestamp is None


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
    for member, value in expected.items():
        if getattr(receipt, member) != value:
            raise EvidenceError(f"it names {member} {getattr(receipt, member)}, and {value} was sent")
    try:
        timestamp = parse_time(str(sent.get("timestamp")))
    except ValueError as error:
        raise EvidenceError("no event with such a timestamp is accepted") from error
    if receipt.timestamp != timestamp:
        raise EvidenceError(f"it names the timestamp {format_time(receipt.timestamp)}, sent was {sent['timestamp']}")
