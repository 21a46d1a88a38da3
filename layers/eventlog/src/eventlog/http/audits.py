"""From a request to audits; what the schedule and an operator ask for (audit/schedule.py), with their answers."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Response
from pydantic import ValidationError

from eventlog.audit import schedule
from eventlog.errors import InvalidError, unknown_audit
from eventlog.fields import ChainName, pointer
from eventlog.formats import strict_json
from eventlog.formats.strict_json import Problem
from eventlog.http.access import AuditStarter, Reader
from eventlog.http.audit_schemas import AuditReport, AuditReports
from eventlog.http.callers import Caller
from eventlog.http.problems import api_router, documented
from eventlog.http.requests import Body
from eventlog.http.schemas import AuditRequest, audit_fields, json_response
from eventlog.http.wired import wired_by
from eventlog.wiring.audit import AuditWiring

BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AuditRequest"}}},
    }
}
_SCHEDULED_SECONDS = 600.0


def start(wired: AuditWiring, body: bytes, caller: Caller) -> Response:
    """Audit a chain: 200 and the report if it is done in time, else 202 and how far it is."""
    value = strict_json.parse(body, max_depth=2) if body else {}
    try:
        wanted = AuditRequest.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error
    caller.check(wanted.chain)
    auditor = wired.auditor
    report = auditor.run(auditor.start(wanted.chain, wanted.mode), wired.settings.audit_seconds)
    schedule.tell([report])
    headers = {"Location": f"/api/v1/audits/{report.audit_id}"}
    return json_response(audit_fields(report), 202 if report.status == "running" else 200, headers)


def find(wired: AuditWiring, audit_id: str, caller: Caller) -> Response:
    """A stored report; one on a chain of others is as unknown as one that does not exist."""
    report = wired.auditor.report(audit_id)
    if not caller.may(report.chain):
        raise unknown_audit(audit_id)
    return json_response(audit_fields(report))


def run_scheduled(wired: AuditWiring, mode: str) -> dict[str, Any]:
    """Audit every chain for the schedule; what it is answered."""
    with wired.connection.renew_if_refused():
        return {**schedule.run_scheduled(wired.auditor, wired.leases, mode, _SCHEDULED_SECONDS, wired.watcher)}


def restore(wired: AuditWiring, chain: str, reason: str) -> dict[str, Any]:
    """Declare for an operator that a chain was restored from a backup; the report of the audit that follows."""
    with wired.connection.renew_if_refused():
        return audit_fields(schedule.restore(lambda: wired.restorer, chain, reason))


WiredAudits = Annotated[AuditWiring, Depends(wired_by(AuditWiring))]
AuditId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]

router = api_router("audit")


@router.post(
    "/audits",
    responses={
        200: {"model": AuditReport},
        202: {"model": AuditReport, "description": "It goes on; ask for it by audit_id"},
        **documented(400, 404, 413, 415, 422, 500, 503),
    },
    openapi_extra=BODY,
)
def start_audit(caller: AuditStarter, wired: WiredAudits, body: Body) -> Response:
    """Audit a chain now; an empty body audits the default chain incrementally."""
    return start(wired, body, caller)


@router.get("/audits", responses={200: {"model": AuditReports}, **documented(422, 500, 503)})
def list_audits(
    caller: Reader,
    wired: WiredAudits,
    chain: ChainName | None = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Audit reports, newest first."""
    found = [audit_fields(report) for report in wired.auditor.reports(chain, limit, before, caller.chains)]
    return json_response({"audits": found, "next": found[-1]["audit_id"] if len(found) == limit else None})


@router.get("/audits/{audit_id}", responses={200: {"model": AuditReport}, **documented(404, 422, 500, 503)})
def get_audit(caller: Reader, wired: WiredAudits, audit_id: AuditId) -> Response:
    """One report, or how far a running audit is."""
    return find(wired, audit_id, caller)
