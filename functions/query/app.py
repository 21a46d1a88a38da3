"""GET events, chains and evidence."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath

from eventlog.errors import NotFoundError, unknown_event
from eventlog.http import evidence, export, pages, stats, stream
from eventlog.http.access import Reader
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.dashboard import dashboard
from eventlog.http.event_query import EventQuery
from eventlog.http.evidence_query import ConsistencyQuery, NoQuery, ProofQuery, SizeQuery
from eventlog.http.evidence_schemas import ConsistencyOut, ProofOut, RootOut
from eventlog.http.problems import documented
from eventlog.http.requests import Held
from eventlog.http.schemas import (
    ChainDetail,
    Chains,
    EventOut,
    EventPage,
    Receipt,
    audit_fields,
    chain_fields,
    json_response,
    receipt,
)
from eventlog.ingest.submission import ID_PATTERN, ChainName
from eventlog.shown import shown_fields
from eventlog.store.interface import Placed

router = APIRouter(prefix="/api/v1", tags=["query"], responses=documented(401, 403))
EventId = Annotated[str, InPath(pattern=ID_PATTERN)]


@router.get("/events", responses={200: {"model": EventPage, **pages.EXPORTS}, **documented(422, 500, 503)})
def list_events(caller: Reader, held: Held, request: Request, parameters: Annotated[EventQuery, Query()]) -> Response:
    """Query settled events by time, type and source; JSON, or NDJSON and CSV by the Accept header."""
    return pages.page(held, request, parameters, caller)


@router.get("/events/stream", response_class=Response, responses={200: stream.CONTENT, **documented(422, 500, 503)})
async def get_stream(
    caller: Reader,
    held: Held,
    request: Request,
    parameters: Annotated[stream.StreamQuery, Query()],
    last_event_id: stream.LastEventId = None,
) -> Response:
    """Events as they come, as Server-Sent Events; goes on after Last-Event-ID."""
    return await stream.respond(held, request, parameters, last_event_id, caller)


@router.get("/events/{event_id}", responses={200: {"model": EventOut}, **documented(404, 422, 500, 503)})
def get_event(caller: Reader, held: Held, event_id: EventId, chain: ChainName = "main") -> Response:
    """One event, found as soon as it is acknowledged."""
    event = held.store.get(chain, event_id) if caller.may(chain) else None
    if event is None:
        raise unknown_event(event_id, chain)
    return json_response(shown_fields(event))


@router.get("/events/{event_id}/receipt", responses={200: {"model": Receipt}, **documented(404, 422, 500, 503)})
def get_receipt(caller: Reader, held: Held, event_id: EventId, chain: ChainName = "main") -> Response:
    """An event's receipt as its append answers it; of one accepted with 202, as soon as it has its place."""
    event = held.store.get(chain, event_id) if caller.may(chain) else None
    if event is None:
        raise NotFoundError(
            f"There is no event {event_id} in chain {chain} (yet): if it was accepted with 202, it may be on its way."
        )
    return json_response(receipt(Placed(event, replayed=True)))


@router.get("/chains", responses={200: {"model": Chains}, **documented(422, 500, 503)})
def list_chains(
    caller: Reader,
    held: Held,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Chains by name."""
    found = held.store.chains(after, limit, caller.chains)
    shown = [chain_fields(chain) for chain in found]
    return json_response({"chains": shown, "next": found[-1].name if len(found) == limit else None})


@router.get("/chains/{chain}", responses={200: {"model": ChainDetail}, **documented(404, 422, 500, 503)})
def get_chain(caller: Reader, held: Held, chain: ChainName) -> Response:
    """A chain's head, its newest checkpoint and its last audit."""
    caller.check(chain)
    checkpoint = evidence.checkpoint_fields(held.evidence.newest(chain))
    found = held.store.chain(chain)
    if found is None:
        raise NotFoundError(f"There is no chain {chain}.")
    audits = [audit_fields(report) for report in held.auditor.reports(chain, 1, None)]
    return json_response(chain_fields(found) | checkpoint | {"last_audit": next(iter(audits), None)})


@router.get(
    "/events/{event_id}/proof",
    responses={200: {"model": ProofOut, **evidence.TEXT_CONTENT}, **documented(404, 422, 500, 503)},
)
def get_proof(
    caller: Reader, held: Held, request: Request, event_id: EventId, parameters: Annotated[ProofQuery, Query()]
) -> Response:
    """Proof that the event is in the log: JSON, or a C2SP tlog-proof file by the Accept header."""
    caller.check(parameters.chain)
    return evidence.proof(held, request, event_id, parameters)


@router.get("/chains/{chain}/consistency", responses={200: {"model": ConsistencyOut}, **documented(404, 422, 500, 503)})
def get_consistency(
    caller: Reader, held: Held, chain: ChainName, parameters: Annotated[ConsistencyQuery, Query()]
) -> Response:
    """Proof that the log at one size is the beginning of the log at another."""
    caller.check(chain)
    return evidence.consistency(held, chain, parameters)


@router.get("/chains/{chain}/root", responses={200: {"model": RootOut}, **documented(404, 422, 500, 503)})
def get_root(caller: Reader, held: Held, chain: ChainName, parameters: Annotated[SizeQuery, Query()]) -> Response:
    """The Merkle root at a size, by default the chain's now."""
    caller.check(chain)
    return evidence.root(held, chain, parameters.size)


@router.get(
    "/chains/{chain}/checkpoint",
    response_class=Response,
    responses={200: evidence.TEXT_CONTENT, **documented(404, 422, 500, 503)},
)
def get_checkpoint(caller: Reader, held: Held, chain: ChainName, parameters: Annotated[SizeQuery, Query()]) -> Response:
    """A signed checkpoint byte for byte, the newest or the one of a size."""
    return evidence.checkpoint(held, chain, parameters.size, caller)


@router.get(
    "/chains/{chain}/tlog/checkpoint",
    response_class=Response,
    responses={200: evidence.TEXT_CONTENT, **documented(404, 422, 500, 503)},
)
def get_tlog_checkpoint(caller: Reader, held: Held, chain: ChainName, _: Annotated[NoQuery, Query()]) -> Response:
    """The newest checkpoint, where clients of C2SP tlog-tiles look for it."""
    return evidence.checkpoint(held, chain, None, caller)


@router.get(
    "/chains/{chain}/tlog/tile/{level}/{tile:path}",
    response_class=Response,
    responses={200: evidence.BINARY_CONTENT, **documented(404, 422, 500, 503)},
)
def get_tile(
    caller: Reader, held: Held, chain: ChainName, level: str, tile: str, _: Annotated[NoQuery, Query()]
) -> Response:
    """A tile of the tree, or with `entries` for its level a bundle of leaves (C2SP tlog-tiles)."""
    caller.check(chain)
    return evidence.tile(held, chain, level, tile)


@router.get("/export", response_class=Response, responses={200: export.CONTENT, **documented(404, 422, 500, 503)})
def get_export(
    caller: Reader, held: Held, request: Request, parameters: Annotated[export.ExportQuery, Query()]
) -> Response:
    """An evidence bundle: events by seq or by time with all it takes to verify them offline."""
    caller.check(parameters.chain)
    return export.stream(held, request, parameters)


@router.get("/stats", responses={200: {"model": stats.Stats}, **documented(422, 500, 503)})
def get_stats(caller: Reader, held: Held, parameters: stats.Parameters) -> Response:
    """How many events there are by time, and by type or source: from an index alone, at most a million of its keys."""
    return stats.stats(held, parameters, caller)


@router.get("/health", responses=documented(503))
def health(_: Reader, held: Held) -> dict[str, str]:
    """Whether the log can reach its database."""
    held.store.ping()
    return {"status": "ok"}


pages_router = dashboard(Path(__file__).parent / "dashboard")
app = create_app(router, pages_router, title="query")
handler = lambda_handler(app)
