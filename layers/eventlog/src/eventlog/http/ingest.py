"""A submission's way in over HTTP: decode, check the caller's right to the chain, complete, append, answer."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import Headers

from eventlog.clock import now_millis
from eventlog.errors import InvalidError
from eventlog.fields import DEFAULT_CHAIN, OpenChainName
from eventlog.formats.strict_json import Problem
from eventlog.formats.times import format_time
from eventlog.http.access import Writer
from eventlog.http.answers import json_response
from eventlog.http.callers import Caller
from eventlog.http.decoding import CLOUDEVENT, CLOUDEVENTS, JSON, NDJSON, decode_batch, decode_one
from eventlog.http.observability import NEW_EVENTS
from eventlog.http.problems import api_router, documented
from eventlog.http.query_strings import FLAG
from eventlog.http.receipt_schemas import Accepted, Receipt, Receipts, receipt
from eventlog.http.requests import BatchBody, EventBody
from eventlog.http.waiting import is_alone, waited_for
from eventlog.http.wired import wired_by
from eventlog.ingest.queue_message import enqueue
from eventlog.ingest.submission import check_batch, make_draft
from eventlog.store.interface import Draft, Placed
from eventlog.wiring.ingest import IngestWiring

REPLAYED = "Idempotent-Replayed"
_SMALL = 16 << 10
"""A body of so many bytes is read within a millisecond; a larger one in a thread, so that nobody waits for it."""


class AppendQuery(BaseModel):
    """An append's parameters."""

    chain: OpenChainName | None = Field(default=None, description="The chain of events that name none (default: main)")


class AppendOneQuery(AppendQuery):
    """Parameters of an append of one event."""

    asynchronous: Annotated[bool, FLAG] | None = Field(
        default=None,
        alias="async",
        description="true: answer 202 as soon as the event is in a queue, before it has its place in the chain; "
        "false: answer with the receipt (default: as the log is set up, as a rule false)",
    )


AppendParameters = Annotated[AppendQuery, Query()]
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
    """Append the event of a request, now or later."""
    given = (request, body, query.chain or DEFAULT_CHAIN, caller)
    draft = _draft(*given) if len(body) <= _SMALL else await waited_for(request, _draft, *given)
    if wired.indexer is not None:
        known = wired.indexer.index_known(draft)
        draft = await waited_for(request, wired.indexer.index, draft) if known is None else known
    if wired.settings.asynchronous if query.asynchronous is None else query.asynchronous:
        return await waited_for(request, _accept, wired, draft)
    placed = wired.ingest.one(draft) if is_alone(request) else await wired.ingest.one_async(draft)
    _count(request, [placed])
    where = f"{wired.settings.base_path}/api/v1/events/{draft.entry.event_id}?chain={draft.entry.chain}"
    headers = {"Location": where}
    if placed.replayed:
        return json_response(receipt(placed), 200, headers | {REPLAYED: "true"})
    return json_response(receipt(placed), 201, headers)


def _draft(request: Request, body: bytes, chain: str, caller: Caller) -> Draft:
    """Decode the event of a request, check that the caller may append it, and complete it."""
    submission = decode_one(request.headers, body, chain, joined="aws.event" in request.scope)
    caller.check(submission.chain)
    return make_draft(submission, principal=caller.principal, received_at=now_millis())


def _accept(wired: IngestWiring, draft: Draft) -> Response:
    """Answer for an event as soon as the queue has it: all of it but its place in the chain is settled now."""
    if wired.queue is None:
        raise InvalidError([Problem("/query/async", "this log has no queue; send the event without async")])
    wired.ingest.check_chain(draft)
    enqueue(draft, wired.queue)
    entry = draft.entry
    where = f"{wired.settings.base_path}/api/v1/events/{entry.event_id}/receipt?chain={entry.chain}"
    accepted = {"event_id": entry.event_id, "chain": entry.chain, "received_at": format_time(entry.received_at)}
    return json_response(accepted | {"receipt": where}, 202, {"Location": where})


def append_all(wired: IngestWiring, request: Request, body: bytes, *, chain: str | None, caller: Caller) -> Response:
    """Append the events of a request, all or none."""
    drafts = _drafts(request.headers, body, chain or DEFAULT_CHAIN, caller)
    placed = wired.ingest.batch(drafts if wired.indexer is None else wired.indexer.index_all(drafts))
    _count(request, placed)
    shown = {"receipts": [receipt(item) for item in placed]}
    if all(item.replayed for item in placed):
        return json_response(shown, 200, {REPLAYED: "true"})
    return json_response(shown, 201)


def _drafts(headers: Headers, body: bytes, chain: str, caller: Caller) -> list[Draft]:
    """Decode the events of a request, check that the caller may append them, and complete them."""
    submissions = decode_batch(headers, body, chain)
    for submission in submissions:
        caller.check(submission.chain)
    check_batch(submissions)  # of chains that differ, one that the caller may not append to is the first thing to say
    received_at = now_millis()
    return [make_draft(item, principal=caller.principal, received_at=received_at) for item in submissions]


def _count(request: Request, placed: Iterable[Placed]) -> None:
    """Leave word of how many events are new."""
    setattr(request.state, NEW_EVENTS, sum(not item.replayed for item in placed))


WiredIngest = Annotated[IngestWiring, Depends(wired_by(IngestWiring))]
_ERRORS = documented(400, 404, 409, 410, 413, 415, 422, 429, 500, 503)

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
async def append_event(
    caller: Writer, wired: WiredIngest, request: Request, body: EventBody, query: OneParameters
) -> Response:
    """Append one event: native JSON, or a CloudEvent in structured or binary mode; at once, or by a queue."""
    return await append_one(wired, request, body, query=query, caller=caller)


@router.post(
    "/events/batch",
    status_code=201,
    responses={201: {"model": Receipts}, 200: {"model": Receipts, "description": "All replays"}, **_ERRORS},
    openapi_extra=BATCH_BODY,
)
async def append_batch(
    caller: Writer, wired: WiredIngest, request: Request, body: BatchBody, query: AppendParameters
) -> Response:
    """Append up to 500 events of one chain in their order, all or none."""
    return await waited_for(request, append_all, wired, request, body, chain=query.chain, caller=caller)
