"""Events in the log's own JSON form."""

from itertools import islice

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eventlog.errors import InvalidError
from eventlog.fields import ClientId, Millis, Name, OpenChainName, OpenName, pointer
from eventlog.formats.strict_json import MAX_PROBLEMS, Problem
from eventlog.ingest.submission import Submission, canonical_payload


class NewEvent(BaseModel):
    """An event to append."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event_type: OpenName = Field(description="What happened", examples=["user.login"])
    timestamp: Millis = Field(
        description="When, by the client's clock: RFC 3339, years 1970..9999; without an offset it is UTC",
        examples=["2026-11-23T12:34:56.789Z"],
    )
    source_id: Name = Field(description="Who reports it", examples=["shop/web-1"])
    payload: dict[str, object] = Field(description="Any JSON object, at most 256 KiB canonical, 32 levels deep")
    event_id: ClientId | None = Field(
        default=None, description="Makes retries safe: the same id with the same content is stored once"
    )
    chain: OpenChainName | None = Field(default=None, description="Which chain (default: main)")


OTHER_VALUES = len(NewEvent.model_fields)
"""Values of an event beside those of its payload: its other fields, and the event itself."""


def read(value: object, chain: str) -> Submission:
    """Check an event, parsed from JSON; ``chain`` is where it goes unless it says so itself.

    Raises:
        InvalidError: all fields that are wrong, each with its pointer into the event.
        TooLargeError: the payload is over 256 KiB.
    """
    if isinstance(value, dict) and len(value) > MAX_PROBLEMS:  # pydantic would describe every single one
        unknown = islice((name for name in value if name not in NewEvent.model_fields), MAX_PROBLEMS)
        raise InvalidError([Problem(pointer([name]), "Extra inputs are not permitted") for name in unknown])
    try:
        event = NewEvent.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error
    # An event's own chain counts before the request's.
    return Submission(
        chain=event.chain or chain,
        event_id=event.event_id,
        event_type=event.event_type,
        source_id=event.source_id,
        timestamp=event.timestamp,
        payload=canonical_payload(event.payload, "/payload"),
    )
