"""What answers look like: models for the OpenAPI document, and the functions that write them."""

import csv
import io
from collections.abc import Iterable
from typing import Any, Literal

import orjson
from bson import DatetimeMS
from fastapi import Response
from pydantic import BaseModel, Field

from eventlog.fields import ChainName
from eventlog.formats.event import Event
from eventlog.formats.event_json import event_fields
from eventlog.formats.times import format_time
from eventlog.http.evidence_schemas import CheckpointOut

from eventlog.store.interface import Chain, Placed

_COLUMNS = (
    "event_id",
    "chain",
    "seq",
    "event_type",
    "source_id",
    "timestamp",
    "received_at",
    "principal",
    "payload",
    "salt",
    "payload_hash",
    "content_hash",
    "prev_hash",
    "hash",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Receipt(BaseModel):
    """Proof of acceptance: the event's place and hashes (lower-case hex)."""

    event_id: str
    chain: str
    seq: int
    timestamp: str
    received_at: str
    content_hash: str
    prev_hash: str
    hash: str


class Receipts(BaseModel):
    """One receipt for each event of a batch, in its order."""

    receipts: list[Receipt]


class Accepted(BaseModel):
    """An event that waits in a queue: it is durable, and has no place in its chain yet."""

    event_id: str
    chain: str
    received_at: str
    receipt: str = Field(description="Where its receipt will be")


class EventOut(Receipt):
    """A stored event."""

    event_type: str
    source_id: str
    principal: str
    payload: dict[str, Any]
    salt: str
    payload_hash: str


class EventPage(BaseModel):
    """A page of events; ``next_cursor`` is null on the last one."""

    events: list[EventOut]
    next_cursor: str | None
    settled_size: int = Field(description="How many of the chain's events have moved to their final place")


class ChainOut(BaseModel):
    """A chain and its head."""

    chain: str
    origin: str
    size: int = Field(description="Acknowledged events")
    settled_size: int
    hash: str = Field(description="The last event's hash; the genesis hash of an empty chain")
    root: str = Field(description="Merkle root over all leaves")


class ChainDetail(ChainOut):
    """A chain with what is known of its integrity."""

    last_checkpoint: CheckpointOut | None
    keys: list[str] = Field(description="Verifier keys that signed it, as the log says: pin them, don't take them here")
    last_audit: dict[str, Any] | None


class Chains(BaseModel):
    """Chains by name; ``next`` goes on as ``after``, null at the end."""

    chains: list[ChainOut]
    next: str | None


class FindingOut(BaseModel):
    """One place where the log is not what it must be."""

    kind: str
    seq: int | None
    expected: str | None
    actual: str | None
    detail: str


class Skew(BaseModel):
    """Events whose claimed timestamp is over an hour from when they were received: no tampering, but worth a look."""

    events: int
    seq: int | None = Field(description="The event that is furthest off")
    seconds: float = Field(description="received_at - timestamp of that event")


class AuditReport(BaseModel):
    """An audit's report; seqs are [from_seq, to_seq)."""

    audit_id: str
    chain: str
    mode: Literal["full", "incremental"]
    status: Literal["running", "intact", "tampered", "incomplete"]
    from_seq: int
    to_seq: int | None
    events_checked: int
    checked_root: str | None
    anchored_size: int | None = Field(description="Events that the newest anchor covers")
    anchored_at: str | None = Field(description="When that was made")
    unanchored_events: int | None = Field(description="Events beyond it when the audit began")
    skew: Skew
    incomplete_because: str | None = Field(description="What could not be reached, so that not all was checked")
    started_at: str
    finished_at: str | None
    findings: list[FindingOut]
    findings_total: int


class AuditReports(BaseModel):
    """Reports, newest first; ``next`` goes on as ``before``, null at the end."""

    audits: list[AuditReport]
    next: str | None


class AuditRequest(BaseModel):
    """Which chain to audit, and how much of it."""

    model_config = {"extra": "forbid", "strict": True}

    chain: ChainName = "main"
    mode: Literal["full", "incremental"] = Field(
        default="incremental", description="incremental starts where the last intact audit ended; full at 0"
    )


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


def chain_fields(chain: Chain) -> dict[str, Any]:
    """A chain and its head as shown."""
    return {
        "chain": chain.name,
        "origin": chain.origin,
        "size": chain.state.size,
        "settled_size": chain.settled_size,
        "hash": chain.state.hash.hex(),
        "root": chain.state.root.hex(),
    }


def audit_fields(report: dict[str, Any]) -> dict[str, Any]:
    """A stored audit report as shown; one that somebody has damaged says so and keeps no other from being shown."""
    try:
        shown = _audit_fields(report)
        orjson.dumps(shown)
    except (KeyError, TypeError, ValueError, OverflowError):
        shown = dict.fromkeys(AuditReport.model_fields) | {
            "audit_id": str(report.get("_id")),
            "chain": str(report.get("chain")),
            "mode": "full",
            "status": "incomplete",
            "from_seq": 0,
            "events_checked": 0,
            "skew": {"events": 0, "seq": None, "seconds": 0.0},
            "incomplete_because": "the stored report is damaged",
            "started_at": format_time(0),
            "findings": [],
            "findings_total": 0,
        }
    return shown


def _audit_fields(report: dict[str, Any]) -> dict[str, Any]:
    shown = {name: report.get(name) for name in AuditReport.model_fields}
    shown["audit_id"] = report["_id"]
    shown["skew"] = report.get("skew") or {"events": 0, "seq": None, "seconds": 0.0}
    for name in ("started_at", "finished_at", "anchored_at"):
        moment = report.get(name)
        shown[name] = format_time(int(moment)) if isinstance(moment, DatetimeMS) else None
    return shown


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status, headers, "application/json")


def to_ndjson(events: Iterable[Event]) -> bytes:
    """One event a line, lossless."""
    return b"".join(orjson.dumps(event_fields(event), option=orjson.OPT_APPEND_NEWLINE) for event in events)


def to_csv(events: Iterable[Event]) -> bytes:
    """RFC 4180 with a header line; a cell that a spreadsheet would run as a formula is prefixed with ``'``."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for event in events:
        fields = event_fields(event) | {"payload": event.entry.payload}
        writer.writerow([_safe(fields[name]) for name in _COLUMNS])
    return out.getvalue().encode()


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
