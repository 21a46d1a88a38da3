"""GET events and chains."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from eventlog.formats.event_json import event_fields
from eventlog.http import pages
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.event_query import EventQuery
from eventlog.http.problems import documented
from eventlog.http.resources import Held
from eventlog.http.schemas import (
    ChainDetail,
    Chains,
    EventOut,
    EventPage,
    audit_fields,
    chain_fields,
    json_response,
)
from eventlog.service.errors import NotFoundError
from eventlog.service.submission import ID_PATTERN, ChainName

router = APIRouter(prefix="/api/v1", tags=["query"])


@router.get("/events", responses={200: {"model": EventPage, **pages.EXPORTS}, **documented(422, 500, 503)})
def list_events(held: Held, request: Request, parameters: Annotated[EventQuery, Query()]) -> Response:
    """Query settled events by time, type and source; JSON, or NDJSON and CSV by the Accept header."""
    return pages.page(held, request, parameters)


@router.get("/events/{event_id}", responses={200: {"model": EventOut}, **documented(404, 422, 500, 503)})
def get_event(held: Held, event_id: Annotated[str, Path(pattern=ID_PATTERN)], chain: ChainName = "main") -> Response:
    """One event, found as soon as it is acknowledged."""
    event = held.store.get(chain, event_id)
    if event is None:
        raise NotFoundError(f"There is no event {event_id} in chain {chain}.")
    return json_response(event_fields(event))


@router.get("/chains", responses={200: {"model": Chains}, **documented(422, 500, 503)})
def list_chains(
    held: Held,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Chains by name."""
    found = held.store.chains(after, limit)
    shown = [chain_fields(chain) for chain in found]
    return json_response({"chains": shown, "next": found[-1].name if len(found) == limit else None})


@router.get("/chains/{chain}", responses={200: {"model": ChainDetail}, **documented(404, 422, 500, 503)})
def get_chain(held: Held, chain: ChainName) -> Response:
    """A chain's head and its last audit."""
    found = held.store.chain(chain)
    if found is None:
        raise NotFoundError(f"There is no chain {chain}.")
    audits = [audit_fields(report) for report in held.auditor.reports(chain, 1, None)]
    return json_response(chain_fields(found) | {"last_checkpoint": None, "last_audit": next(iter(audits), None)})


@router.get("/health", responses=documented(503))
def health(held: Held) -> dict[str, str]:
    """Whether the log can reach its database."""
    held.store.ping()
    return {"status": "ok"}


app = create_app(router, title="query")
handler = lambda_handler(app)
