"""Events as clients send them: native JSON, checked field by field, and turned into drafts."""

import os
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from uuid_utils import uuid7

from eventlog.chain_names import OWN_PREFIX
from eventlog.errors import InvalidError, TooLargeError
from eventlog.formats import strict_json
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import make_entry
from eventlog.formats.strict_json import MalformedJSONError, Problem
from eventlog.formats.times import parse_time
from eventlog.store.interface import Draft

MAX_BODY = MAX_BATCH_TEXT = 4 << 20
MAX_PAYLOAD = 256 << 10
MAX_BATCH = 500
MAX_DEPTH = 32
DEFAULT_CHAIN = "main"
CHAIN_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
STREAM = "stream"
"""No event's id: the route of the live stream stands where the event of this id would."""
ID_PATTERN = r"^[A-Za-z0-9._~:-]{1,128}$"
CE_PREFIX = "ce-"
"""Begins the ids that CloudEvents get (cloudevents.py)."""


def _millis(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("must be a string with an RFC 3339 time")
    return parse_time(value)


def _own_id(value: str) -> str:
    if value in {".", "..", STREAM}:
        raise ValueError(f"may not be '.', '..' or '{STREAM}'")
    if value.startswith(CE_PREFIX):
        raise ValueError(f"may not start with '{CE_PREFIX}', which is for CloudEvents")
    return not_reserved(value)


def not_reserved(value: str) -> str:
    """Refuse what only the log itself may append.

    Raises:
        ValueError
    """
    if value.startswith(OWN_PREFIX):
        raise ValueError(f"may not start with '{OWN_PREFIX}', which is for the log's own events")
    return value


Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""1..256 characters without control characters."""
ChainName = Annotated[str, Field(pattern=CHAIN_PATTERN)]
OpenChainName = Annotated[ChainName, AfterValidator(not_reserved)]
"""A chain that clients may append to."""
Millis = Annotated[int, BeforeValidator(_millis), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 time, kept to the millisecond."""


class NewEvent(BaseModel):
    """An event to append."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event_type: Annotated[Name, AfterValidator(not_reserved)] = Field(
        description="What happened", examples=["user.login"]
    )
    timestamp: Millis = Field(
        description="When, by the client's clock: RFC 3339, years 1970..9999; without an offset it is UTC",
        examples=["2026-11-23T12:34:56.789Z"],
    )
    source_id: Name = Field(description="Who reports it", examples=["shop/web-1"])
    payload: dict[str, Any] = Field(description="Any JSON object, at most 256 KiB canonical, 32 levels deep")
    event_id: Annotated[str, Field(pattern=ID_PATTERN), AfterValidator(_own_id)] | None = Field(
        default=None, description="Makes retries safe: the same id with the same content is stored once"
    )
    chain: OpenChainName | None = Field(default=None, description="Which chain (default: main)")


def parse_event(body: bytes) -> Any:
    """One JSON text of an event."""
    return strict_json.parse(body, max_depth=MAX_DEPTH + 1)


def parse_array(body: bytes) -> list[Any]:
    """A JSON array of events."""
    value = strict_json.parse(body, max_depth=MAX_DEPTH + 2)
    if not isinstance(value, list):
        raise InvalidError([Problem("", "must be a JSON array of events")])
    return value


def parse_lines(body: bytes) -> list[Any]:
    """Newline-delimited JSON; blank lines are passed over. Problems of all lines are collected.

    Raises:
        MalformedJSONError
        TooLargeError: more lines than a batch may have; they are not even parsed.
    """
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MAX_BATCH:
        raise TooLargeError([Problem("", f"{len(lines)} events; at most {MAX_BATCH} are allowed")])
    values, problems = [], []
    for index, line in enumerate(lines):
        try:
            values.append(parse_event(line))
        except MalformedJSONError as error:
            problems += [Problem(f"/{index}{p.pointer}", p.detail) for p in error.problems]
    if problems:
        raise MalformedJSONError(problems)
    return values


def native_draft(value: Any, *, chain: str | None, principal: str, received_at: int) -> Draft:
    """Check one native event and make its draft; ``chain`` is where it goes unless it says so itself.

    Raises:
        InvalidError, TooLargeError: with pointers into the event.
    """
    try:
        event = NewEvent.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error
    entry = make_entry(
        chain=event.chain or chain or DEFAULT_CHAIN,
        event_id=event.event_id or str(uuid7()),
        event_type=event.event_type,
        source_id=event.source_id,
        timestamp=event.timestamp,
        received_at=received_at,
        principal=principal,
        payload=canonical_payload(event.payload, "/payload"),
        salt=os.urandom(16),
    )
    return Draft(entry, id_chosen=event.event_id is not None)


def canonical_payload(payload: Any, where: str) -> str:
    """The payload's canonical text.

    Raises:
        TooLargeError: over 256 KiB.
    """
    text = canonicalize(payload)
    if len(text) > MAX_PAYLOAD:
        raise TooLargeError([Problem(where, f"{len(text)} bytes as canonical JSON; at most {MAX_PAYLOAD} are allowed")])
    return text.decode()


def check_batch(drafts: Sequence[Draft]) -> None:
    """A batch goes to one chain, with distinct ids, and has at most 4 MiB of canonical text.

    Raises:
        InvalidError, TooLargeError
    """
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, draft in enumerate(drafts):
        entry = draft.entry
        if entry.chain != drafts[0].entry.chain:
            problems.append(
                Problem(f"/{index}/chain", f"a batch goes to one chain; the first is {drafts[0].entry.chain}")
            )
        if first.setdefault(entry.event_id, index) != index:
            problems.append(Problem(f"/{index}/event_id", f"the same id as item {first[entry.event_id]}"))
    if problems:
        raise InvalidError(problems)
    total = sum(len(draft.entry.payload.encode()) for draft in drafts)
    if total > MAX_BATCH_TEXT:
        raise TooLargeError([Problem("", f"{total} bytes of canonical JSON; at most {MAX_BATCH_TEXT} are allowed")])


def pointer(location: Iterable[str | int]) -> str:
    """An RFC 6901 pointer of pydantic's location."""
    return "".join(f"/{strict_json.escape(str(token))}" for token in location)
