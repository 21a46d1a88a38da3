"""Audits on demand and on schedule."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from eventlog.http import audits
from eventlog.http.access import AuditStarter, Reader
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.audit_schemas import AuditReport, AuditReports
from eventlog.http.problems import documented
from eventlog.http.requests import Body, Held
from eventlog.http.schemas import audit_fields, json_response
from eventlog.ingest.submission import ChainName
from eventlog.store.mongo import audits as _audits  # noqa: F401  what an audit needs: now, not in the first request
from eventlog.store.mongo import leases as _leases  # noqa: F401

router = APIRouter(prefix="/api/v1", tags=["audit"], responses=documented(401, 403))
AuditId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


@router.post(
    "/audits",
    responses={
        200: {"model": AuditReport},
        202: {"model": AuditReport, "description": "It goes on; ask for it by audit_id"},
        **documented(400, 404, 413, 415, 422, 500, 503),
    },
    openapi_extra=audits.BODY,
)
def start_audit(caller: AuditStarter, held: Held, body: Body) -> Response:
    """Audit a chain now; an empty body audits the default chain incrementally."""
    return audits.start(held, body, caller)


@router.get("/audits", responses={200: {"model": AuditReports}, **documented(422, 500, 503)})
def list_audits(
    caller: Reader,
    held: Held,
    chain: ChainName | None = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Audit reports, newest first."""
    found = [audit_fields(report) for report in held.auditor.reports(chain, limit, before, caller.chains)]
    return json_response({"audits": found, "next": found[-1]["audit_id"] if len(found) == limit else None})


@router.get("/audits/{audit_id}", responses={200: {"model": AuditReport}, **documented(404, 422, 500, 503)})
def get_audit(caller: Reader, held: Held, audit_id: AuditId) -> Response:
    """One report, or how far a running audit is."""
    return audits.find(held, audit_id, caller)


app = create_app(router, title="chain_audit")
_http = lambda_handler(app)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An API Gateway request, the schedule's {"source": "eventlog.schedule", "mode": ...}, or an operator's
    {"source": "eventlog.restore", "chain": ..., "reason": ...} after a chain was restored from a backup."""
    if "requestContext" in event:
        return dict(_http(event, context))
    if event.get("source") == "eventlog.restore":
        return audits.restore(app.state.resources, event["chain"], event["reason"])
    return audits.run_scheduled(app.state.resources, event.get("mode", "incremental"))
