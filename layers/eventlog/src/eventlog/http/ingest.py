"""From a request to drafts and receipts: which media type means which parser."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from eventlog.errors import InvalidError, TooLargeError
from eventlog.formats.strict_json import Problem
from eventlog.formats.times import format_time
from eventlog.http import requests
from eventlog.http.access import Writer
from eventlog.http.callers import Caller
from eventlog.http.observability import NEW_EVENTS
from eventlog.http.problems import api_router, documented
from eventlog.http.requests import Body
from eventlog.http.schemas import Accepted, Receipt, Receipts, json_response, receipt
from eventlog.http.wired import wired_by
from eventlog.ingest import cloudevents, submission
from eventlog.ingest.appending import MakeDraft
from eventlog.ingest.queue_message import format_message
from eventlog.ingest.submission import OpenChainName
from eventlog.store.errors import MessageTooLargeError
from eventlog.store.interface import Draft, Placed
from eventlog.wiring.ingest import IngestWiring

JSON, NDJSON = "application/json", "application/x-ndjson"
CLOUDEVENT, CLOUDEVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
REPLAYED = "Idempotent-Replayed"
_SMALL = 16 << 10
"""A body of so many bytes is read within a millisecond; a larger one in a thread, so that nobody waits for it."""


class AppendQuery(BaseModel):
    """An append's parameters; unknown ones are refused, so that a misspelt ``chain`` can't send events elsewhere."""

    model_config = ConfigDict(extra="forbid")

    chain: OpenChainName | None = Field(default=None, description="The chain of events that name none (default: main)")


class AppendOneQuery(AppendQuery):
    """Parameters of an append of one event."""

    asynchronous: bool | None = Field(
        default=None,
        alias="async",
        description="true: answer 202 as soon as the event is in a queue, before it has its place in the chain; "
        "false: answer with the receipt (default: as the log is set up, as a rule false)",
    )


Parameters = Annotated[AppendQuery, Query()]
OneParameters = Annotated[AppendOneQuery, Query()]

_EVENT = {"$ref": "#/components/schemas/NewEvent"}
_CLOUDEVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {name: {"type": "string"} for name in ("specversion", "id", "source", "type", "time")},
}
EVENT_BODY = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": _EVENT}, CLOUDEVENT: {"schema": _CLOUDEVENT}},
    }
}
BATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": 500}},
            NDJSON: {"schema": {"type": "string", "description": "One event a line"}},
            CLOUDEVENTS: {"schema": {"type": "array", "items": _CLOUDEVENT, "minItems": 1, "maxItems": 500}},
        },
    }
}


async def append_one(
    wired: IngestWiring, request: Request, body: bytes, *, query: AppendOneQuery, caller: Caller
) -> Response:
    """Append the event of a request, now or later: native, or a CloudEvent in structured or binary mode."""
    read = partial(_read_one, wired, request.headers, body, chain=query.chain, caller=caller)
    draft = read() if len(body) <= _SMALL else await run_in_threadpool(read)
    if wired.settings.asynchronous if query.asynchronous is None else query.asynchronous:
        return await run_in_threadpool(_accept, wired, draft)
    placed = await wired.ingest.one(draft)
    _count(request, [placed])
    headers = {"Location": f"/api/v1/events/{draft.entry.event_id}?chain={draft.entry.chain}"}
    if placed.replayed:
        return json_response(receipt(placed), 200, headers | {REPLAYED: "true"})
    return json_response(receipt(placed), 201, headers)


def _accept(wired: IngestWiring, draft: Draft) -> Response:
    """Answer for a checked event as soon as the queue has it; what it is appended as is settled now."""
    if wired.queue is None:
        raise InvalidError([Problem("/query/async", "this log has no queue; send the event without async")])
    entry = draft.entry
    try:
        wired.queue.send(entry.chain, format_message(draft), once=str(uuid4()))
    except MessageTooLargeError as error:
        detail = "larger as a message than the queue takes; send it with ?async=false"
        raise TooLargeError([Problem("", detail)]) from error
    where = f"/api/v1/events/{entry.event_id}/receipt?chain={entry.chain}"
    accepted = {"event_id": entry.event_id, "chain": entry.chain, "received_at": format_time(entry.received_at)}
    return json_response(accepted | {"receipt": where}, 202, {"Location": where})


def _read_one(wired: IngestWiring, headers: Headers, body: bytes, *, chain: str | None, caller: Caller) -> Draft:
    make: Any = cloudevents.draft
    if cloudevents.is_binary(headers):
        value = cloudevents.from_binary(headers, body)
    elif requests.media_type(headers, JSON, CLOUDEVENT) == CLOUDEVENT:
        value = cloudevents.parse_structured(body)
    else:
        make, value = submission.native_draft, submission.parse_event(body)
    return wired.ingest.draft(_allowed(make, caller), value, chain=chain, principal=caller.principal)


def append_all(wired: IngestWiring, request: Request, body: bytes, *, chain: str | None, caller: Caller) -> Response:
    """Append the events of a request, all or none."""
    kind = requests.media_type(request.headers, JSON, NDJSON, CLOUDEVENTS)
    make: Any = submission.native_draft
    if kind == CLOUDEVENTS:
        make, values = cloudevents.draft, cloudevents.parse_batch(body)
    else:
        values = submission.parse_lines(body) if kind == NDJSON else submission.parse_array(body)
    placed = wired.ingest.batch(_allowed(make, caller), values, chain=chain, principal=caller.principal)
    _count(request, placed)
    shown = {"receipts": [receipt(item) for item in placed]}
    if all(item.replayed for item in placed):
        return json_response(shown, 200, {REPLAYED: "true"})
    return json_response(shown, 201)


def _count(request: Request, placed: Iterable[Placed]) -> None:
    """Leave word of how many events are new."""
    setattr(request.state, NEW_EVENTS, sum(not item.replayed for item in placed))


def _allowed(make: MakeDraft, caller: Caller) -> MakeDraft:
    """``make``, where the chain that an event turns out to be for is one that the caller may append to."""

    def checked(value: Any, *, chain: str | None, principal: str, received_at: int) -> Draft:
        draft = make(value, chain=chain, principal=principal, received_at=received_at)
        caller.check(draft.entry.chain)
        return draft

    return checked


Wired = Annotated[IngestWiring, Depends(wired_by(IngestWiring))]
_ERRORS = documented(400, 404, 409, 413, 415, 422, 500, 503)

router = api_router("ingest")


@router.post(
    "/events",
    status_code=201,
    responses={
        201: {"model": Receipt},
        200: {"model": Receipt, "description": "A replay"},
        202: {"model": Accepted, "description": "In the queue; the receipt comes later"},
        **_ERRORS,
    },
    openapi_extra=EVENT_BODY,
)
async def append_event(caller: Writer, wired: Wired, request: Request, body: Body, query: OneParameters) -> Response:
    """Append one event: native JSON, or a CloudEvent in structured or binary mode; at once, or by a queue."""
    return await append_one(wired, request, body, query=query, caller=caller)


@router.post(
    "/events/batch",
    status_code=201,
    responses={201: {"model": Receipts}, 200: {"model": Receipts, "description": "All replays"}, **_ERRORS},
    openapi_extra=BATCH_BODY,
)
def append_batch(caller: Writer, wired: Wired, request: Request, body: Body, query: Parameters) -> Response:
    """Append up to 500 events of one chain in their order, all or none."""
    return append_all(wired, request, body, chain=query.chain, caller=caller)
