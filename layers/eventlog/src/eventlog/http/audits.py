"""From a request or the schedule to audits."""

from typing import Annotated, Any

from aws_lambda_powertools import Logger
from fastapi import Depends, Path, Query, Response
from pydantic import ValidationError

from eventlog.audit import metrics as audit_metrics
from eventlog.audit.exclusive import exclusive
from eventlog.audit.report import Mode, Report
from eventlog.errors import InvalidError, unknown_audit
from eventlog.formats import strict_json
from eventlog.formats.strict_json import Problem
from eventlog.http.access import AuditStarter, Reader
from eventlog.http.callers import Caller
from eventlog.http.problems import api_router, documented
from eventlog.http.requests import Body
from eventlog.http.schemas import AuditReport, AuditReports, AuditRequest, audit_fields, json_response
from eventlog.http.wired import wired_by
from eventlog.ingest.submission import ChainName, pointer
from eventlog.telemetry import metrics
from eventlog.wiring.audit import AuditWiring

BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AuditRequest"}}},
    }
}
_SCHEDULED_SECONDS = 600.0
_SKIPPED = "another audit of the schedule in this mode is at work"
_SHOWN = ("audit_id", "chain", "mode", "status")


def start(wired: AuditWiring, body: bytes, caller: Caller) -> Response:
    """Audit a chain: 200 and the report if it is done in time, else 202 and how far it is."""
    value = strict_json.parse(body, max_depth=2) if body else {}
    try:
        wanted = AuditRequest.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error
    caller.check(wanted.chain)
    report = wired.auditor.start(wanted.chain, wanted.mode)
    report = wired.auditor.run(report, wired.settings.audit_seconds)
    _report([report])
    running = report["status"] == "running"
    headers = {"Location": f"/api/v1/audits/{report['_id']}"}
    return json_response(audit_fields(report), 202 if running else 200, headers)


def find(wired: AuditWiring, audit_id: str, caller: Caller) -> Response:
    """A stored report; one on a chain of others is as unknown as one that does not exist."""
    report = wired.auditor.report(audit_id)
    if not caller.may(str(report.get("chain"))):
        raise unknown_audit(audit_id)
    return json_response(audit_fields(report))


def run_scheduled(wired: AuditWiring, mode: str) -> dict[str, Any]:
    """Audit every chain and go on with audits still running; a short form of each report.

    Nothing is done, and ``skipped`` says so, while another audit of the schedule in this mode is at work.
    """
    wanted: Mode = "full" if mode == "full" else "incremental"
    with wired.connection.renew_if_refused(), exclusive(wired.leases, f"schedule/{wanted}") as alone:
        if not alone:
            Logger(service=audit_metrics.SERVICE).info("audit skipped", extra={"mode": wanted, "because": _SKIPPED})
            return {"mode": wanted, "skipped": _SKIPPED, "audits": []}
        backlog = wired.auditor.backlog()
        audit_metrics.waiting(backlog)
        reports = _run(wired, wanted)
        audit_metrics.finished(wired.auditor.finished(wanted, reports), backlog, reports)
    shown = [audit_fields(report) for report in reports]
    return {"mode": wanted, "audits": [{name: report[name] for name in _SHOWN} for report in shown]}


def _run(wired: AuditWiring, mode: Mode) -> list[Report]:
    """All reports. What was found is told by the audit itself, before it is stored (``AuditLog``)."""
    reports: list[Report] = []
    try:
        for report in wired.auditor.each(mode, _SCHEDULED_SECONDS):
            reports.append(report)
    finally:
        _report(reports)
    return reports


def restore(wired: AuditWiring, chain: str, reason: str) -> dict[str, Any]:
    """Declare that a chain was restored from a backup, and say so loudly; the report of the audit that follows."""
    Logger(service=audit_metrics.SERVICE).warning("restore declared", extra={"chain": chain, "reason": reason})
    with wired.connection.renew_if_refused():
        report = wired.restorer.restore(chain, reason)
    _report([report])
    return audit_fields(report)


def _report(reports: list[Report]) -> None:
    """Say which audits could not reach everything, and count those in which nothing was found."""
    logger = Logger(service=audit_metrics.SERVICE)
    quiet = [report for report in reports if not report["findings_total"]]
    for report in reports:
        if report["status"] == "incomplete":
            fields = {"chain": report["chain"], "audit_id": report["_id"], "because": report["incomplete_because"]}
            logger.warning("audit incomplete", extra=fields)
    if quiet or not reports:
        metrics.emit(audit_metrics.SERVICE, audit_metrics.audited(quiet))


Wired = Annotated[AuditWiring, Depends(wired_by(AuditWiring))]
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
def start_audit(caller: AuditStarter, wired: Wired, body: Body) -> Response:
    """Audit a chain now; an empty body audits the default chain incrementally."""
    return start(wired, body, caller)


@router.get("/audits", responses={200: {"model": AuditReports}, **documented(422, 500, 503)})
def list_audits(
    caller: Reader,
    wired: Wired,
    chain: ChainName | None = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Audit reports, newest first."""
    found = [audit_fields(report) for report in wired.auditor.reports(chain, limit, before, caller.chains)]
    return json_response({"audits": found, "next": found[-1]["audit_id"] if len(found) == limit else None})


@router.get("/audits/{audit_id}", responses={200: {"model": AuditReport}, **documented(404, 422, 500, 503)})
def get_audit(caller: Reader, wired: Wired, audit_id: AuditId) -> Response:
    """One report, or how far a running audit is."""
    return find(wired, audit_id, caller)
