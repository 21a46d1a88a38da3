"""What answers look like: models for the OpenAPI document, and the functions that write them."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

from eventlog.fields import ChainName
from eventlog.formats.event import Event
from eventlog.formats.event_json import event_fields
from eventlog.formats.times import format_time
from eventlog.http.evidence_schemas import CheckpointOut
from eventlog.store.interface import Chain, Placed

if TYPE_CHECKING:  # the ingest function knows no reports
    from eventlog.audit.report import AuditReport

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


def audit_fields(report: "AuditReport") -> dict[str, Any]:
    """An audit's report as shown; ``audit_schemas.AuditReport`` describes it."""
    times = {name: getattr(report, name) for name in ("anchored_at", "started_at", "finished_at")}
    shown = {name: None if millis is None else format_time(millis) for name, millis in times.items()}
    return asdict(report) | shown | {"findings": [asdict(finding) for finding in report.findings]}


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
