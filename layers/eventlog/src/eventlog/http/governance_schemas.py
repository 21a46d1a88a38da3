"""What is asked and answered about erasures and holds: models, of answers for the OpenAPI document alone."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema

from eventlog.fields import EndMillis
from eventlog.formats.governance import BASIS_PATTERN, MAX_REASON, MAX_TARGETS
from eventlog.formats.names import ID_PATTERN
from eventlog.governance.requests import check_uuid

_ID = re.compile(ID_PATTERN)
_Seq = Annotated[int, Field(ge=0, lt=2**53)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON)]
RequestId = Annotated[str, AfterValidator(check_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]


def _event(value: Any) -> str | int:
    """Read an event's id, or an object that has its seq."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    if isinstance(value, dict) and set(value) == {"seq"} and type(value["seq"]) is int and 0 <= value["seq"] < 2**53:
        return int(value["seq"])
    raise ValueError('must be the id of an event, or {"seq": n}')


_SEQ_SCHEMA = {"type": "object", "properties": {"seq": {"type": "integer", "minimum": 0}}, "required": ["seq"]}
NamedEvent = Annotated[
    Any, AfterValidator(_event), WithJsonSchema({"anyOf": [{"type": "string", "pattern": ID_PATTERN}, _SEQ_SCHEMA]})
]
"""An event by its id, or by its seq."""


class OrderRequest(BaseModel):
    """What every order says: why, and by which request; the same request again is the same order."""

    model_config = {"extra": "forbid", "strict": True}

    reason: Reason = Field(description="One line; it stands in the log for ever, so it names nobody")
    request_id: RequestId | None = None


class ErasureRequest(OrderRequest):
    """Which events to erase, and on what ground."""

    events: list[NamedEvent] = Field(min_length=1, max_length=MAX_TARGETS)
    basis: Annotated[str, StringConstraints(pattern=BASIS_PATTERN)] = Field(description="Such as gdpr-art-17")


class HoldRequest(OrderRequest):
    """What to hold: events from_seq to to_seq - 1; without both the whole chain, what comes later too."""

    from_seq: _Seq | None = None
    to_seq: _Seq | None = None
    until: EndMillis | None = Field(default=None, description="When it ends by itself; none: when it is released")


class ReleaseRequest(OrderRequest):
    """Why a hold is released."""


class ErasureOut(BaseModel, defer_build=True):
    """An erasure, and how far it is."""

    erasure_id: str = Field(description="The request's id")
    chain: str
    state: Literal["waiting", "logged", "anchored", "erased"]
    event_id: str | None = Field(description="The event that orders it; null while it waits for an approval")
    seq: int | None
    events: int = Field(description="How many events it names")
    seqs: list[int] | None = Field(description="Which; null in a list")
    erased: int | None = Field(description="How many of them are erased; null in a list")
    held: int | None = Field(description="How many of the others a hold keeps; null in a list")
    time: str
    by: str
    approved_by: str | None
    basis: str
    reason: str


class ErasureList(BaseModel, defer_build=True):
    """ErasureList, those that wait for an approval first, then the newest first."""

    erasures: list[ErasureOut]
    next: str | None = Field(description="The parameter before of the next page")


class Released(BaseModel, defer_build=True):
    """The release of a hold."""

    event_id: str
    seq: int
    time: str
    by: str


class HoldOut(BaseModel, defer_build=True):
    """A hold."""

    hold_id: str = Field(description="The request's id")
    event_id: str = Field(description="The event that orders it")
    chain: str
    seq: int
    from_seq: int | None = Field(description="null: the whole chain")
    to_seq: int | None
    until: str | None
    in_force: bool
    released: Released | None
    time: str
    by: str
    reason: str


class HoldsOut(BaseModel, defer_build=True):
    """All holds of a chain, the newest first."""

    holds: list[HoldOut]
