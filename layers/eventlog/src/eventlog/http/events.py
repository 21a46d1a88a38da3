"""``GET /api/v1/events/{event_id}``: one event, and its receipt."""

from fastapi import Response

from eventlog.errors import NotFoundError, unknown_event
from eventlog.fields import ChainName
from eventlog.formats.event_json import event_fields
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.event_schemas import EventOut
from eventlog.http.problems import api_router, documented
from eventlog.http.query import EventId, WiredQuery
from eventlog.http.receipt_schemas import Receipt, receipt
from eventlog.store.interface import Placed

router = api_router("query")


@router.get("/events/{event_id}", responses={200: {"model": EventOut}, **documented(404, 422, 500, 503)})
def get_event(caller: Reader, wired: WiredQuery, event_id: EventId, chain: ChainName = "main") -> Response:
    """One event, found as soon as it is acknowledged."""
    event = wired.log.get(chain, event_id) if caller.may(chain) else None
    if event is None:
        raise unknown_event(event_id, chain)
    return json_response(event_fields(event))


@router.get("/events/{event_id}/receipt", responses={200: {"model": Receipt}, **documented(404, 422, 500, 503)})
def get_receipt(caller: Reader, wired: WiredQuery, event_id: EventId, chain: ChainName = "main") -> Response:
    """An event's receipt as its append answers it; of one accepted with 202, as soon as it has its place."""
    event = wired.log.get(chain, event_id) if caller.may(chain) else None
    if event is None:
        raise NotFoundError(
            f"There is no event {event_id} in chain {chain} (yet): if it was accepted with 202, it may be on its way."
        )
    return json_response(receipt(Placed(event, replayed=True)))
