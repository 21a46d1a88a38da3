"""The fields of events as the API takes them: names, ids, times, and the limits that hold for them."""

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from eventlog.chain_names import OWN_PREFIX
from eventlog.formats.names import CHAIN_PATTERN, ID_PATTERN, MAX_NAME, NAME_PATTERN
from eventlog.formats.strict_json import escape
from eventlog.formats.times import parse_end, parse_time

MAX_BODY = 4 << 20
"""Bytes of a request's body: that of a batch."""
MAX_EVENT = 1 << 20
"""Bytes of one event as it is sent, alone or in a batch: four times its payload's canonical text, or more."""
MAX_PAYLOAD = 256 << 10
"""Bytes of one payload's canonical text."""
MAX_VALUES = (MAX_PAYLOAD - 2) // 2
"""Values that a payload may have, at every level together, itself being one: no payload of 256 KiB has more.

A canonical text of n values has 2n - 1 bytes or more, by induction: a number has one, an array of k items k + 1 bytes
of brackets and commas, an object more. A payload is an object; the shortest of n values, ``{"":[0,...]}``, has 2n + 2.
"""
MAX_BATCH = 500
"""Events of a batch."""
MAX_BATCH_TEXT = 4 << 20
"""Bytes of the canonical text of all payloads of a batch."""
MAX_DEPTH = 32
"""Levels that objects and arrays of a payload may nest, the payload itself being the first."""

DEFAULT_CHAIN = "main"
CE_PREFIX = "ce-"
"""Begins the event ids that CloudEvents get (ingest/cloudevents.py)."""
_ROUTE_NAMES = frozenset({".", "..", "stream"})
"""No event has one of these ids: in ``/api/v1/events/{event_id}`` they would mean another route."""


def not_reserved(value: str) -> str:
    """Refuse a name that only the log itself may use.

    Raises:
        ValueError: it starts with ``eventlog.``.
    """
    if value.startswith(OWN_PREFIX):
        raise ValueError(f"may not start with '{OWN_PREFIX}', which is for the log's own events")
    return value


def _client_id(value: str) -> str:
    if value in _ROUTE_NAMES:
        raise ValueError("may not be '.', '..' or 'stream'")
    if value.startswith(CE_PREFIX):
        raise ValueError(f"may not start with '{CE_PREFIX}', which is for CloudEvents")
    return not_reserved(value)


def _read_by(parse: Callable[[str], int]) -> BeforeValidator:
    def read(value: object) -> int:
        if not isinstance(value, str):
            raise ValueError("must be a string with an RFC 3339 time")
        return parse(value)

    return BeforeValidator(read)


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NAME_PATTERN)]
"""1..256 characters without control characters."""
OpenName = Annotated[Name, AfterValidator(not_reserved)]
"""A name that clients may give."""
ChainName = Annotated[str, Field(pattern=CHAIN_PATTERN)]
OpenChainName = Annotated[ChainName, AfterValidator(not_reserved)]
"""A chain that clients may append to."""
ClientId = Annotated[str, Field(pattern=ID_PATTERN), AfterValidator(_client_id)]
"""An event id that clients may choose."""
_TIME_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
Millis = Annotated[int, _read_by(parse_time), _TIME_SCHEMA]
"""An RFC 3339 time, kept in milliseconds since 1970."""
EndMillis = Annotated[int, _read_by(parse_end), _TIME_SCHEMA]
"""The exclusive end of a range of times (``times.parse_end``)."""


def pointer(location: Iterable[str | int]) -> str:
    """Turn the location of a pydantic error into a JSON pointer (RFC 6901)."""
    return "".join(f"/{escape(str(token))}" for token in location)
