"""What answers with events look like: models for the OpenAPI document, and the functions that write exports.

In JSON an event is what ``formats.event_json.event_fields`` writes.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field

from eventlog.formats.event import Event
from eventlog.formats.event_json import event_fields
from eventlog.http.receipt_schemas import Receipt
from eventlog.http.search_query import Indexed

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
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a formula of a cell (OWASP, "CSV Injection"), also full-width, which spreadsheets take for the same."""
_BLANK = ("\t", "\r", "\n")
"""What may make one by itself, as a spreadsheet leaves it out or begins a cell behind it."""


class ErasedBy(BaseModel, defer_build=True):
    """By which event of the chain another was erased, and when that was ordered."""

    seq: int
    time: str


class EventOut(Receipt):
    """A stored event."""

    event_type: str
    source_id: str
    principal: str
    payload: dict[str, Any] | None = Field(description="null if it was erased")
    salt: str | None = Field(description="null as above")
    payload_hash: str
    erased: ErasedBy | None = Field(default=None, description="Only of an event that was erased")


class EventPage(BaseModel, defer_build=True):
    """A page of events; ``next_cursor`` is null on the last one."""

    events: list[EventOut]
    next_cursor: str | None
    settled_size: int = Field(description="How many of the chain's events have moved to their final place")
    search: Indexed | None = Field(default=None, description="With key alone")


def to_csv(events: Iterable[Event]) -> bytes:
    """RFC 4180, without the header line; a cell that a spreadsheet would run as a formula is prefixed with ``'``."""
    fields = (event_fields(event) | {"payload": event.entry.payload} for event in events)
    return _rows([_safe(event[name]) for name in _COLUMNS] for event in fields)


def csv_header() -> bytes:
    """The header line."""
    return _rows([_COLUMNS])


def _rows(rows: Iterable[Iterable[Any]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _safe(cell: Any) -> Any:
    # Some spreadsheets leave out blanks at the beginning, of any kind, and look at what follows.
    is_formula = isinstance(cell, str) and (cell.startswith(_BLANK) or cell.lstrip().startswith(_FORMULA))
    return f"'{cell}" if is_formula else cell
