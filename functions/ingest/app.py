"""POST events."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from fastapi import APIRouter, Request, Response

from eventlog.http import ingest
from eventlog.http.access import Writer
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.ingest import BATCH_BODY, EVENT_BODY, OneParameters, Parameters
from eventlog.http.problems import documented
from eventlog.http.requests import Body, Held
from eventlog.http.schemas import Accepted, Receipt, Receipts

_ERRORS = documented(400, 404, 409, 413, 415, 422, 500, 503)

router = APIRouter(prefix="/api/v1", tags=["ingest"], responses=documented(401, 403))


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
async def append_event(caller: Writer, held: Held, request: Request, body: Body, query: OneParameters) -> Response:
    """Append one event: native JSON, or a CloudEvent in structured or binary mode; at once, or by a queue."""
    return await ingest.append_one(held, request, body, query=query, caller=caller)


@router.post(
    "/events/batch",
    status_code=201,
    responses={201: {"model": Receipts}, 200: {"model": Receipts, "description": "All replays"}, **_ERRORS},
    openapi_extra=BATCH_BODY,
)
def append_batch(caller: Writer, held: Held, request: Request, body: Body, query: Parameters) -> Response:
    """Append up to 500 events of one chain in their order, all or none."""
    return ingest.append_batch(held, request, body, chain=query.chain, caller=caller)


app = create_app(router, title="ingest")
handler = lambda_handler(app)
