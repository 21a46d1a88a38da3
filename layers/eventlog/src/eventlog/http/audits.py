"""From a request to audits; what the schedule and an operator ask for (audit/schedule.py), with their answers."""

from typing import Any

from fastapi import Response
from pydantic import ValidationError

import eventlog.audit.auditor  # noqa: F401  held.auditor needs it: now, not in the first request
from eventlog.audit import schedule
from eventlog.errors import InvalidError, unknown_audit
from eventlog.formats import strict_json
from eventlog.formats.strict_json import Problem
from eventlog.http.callers import Caller
from eventlog.http.schemas import AuditRequest, audit_fields, json_response
from eventlog.ingest.submission import pointer
from eventlog.wiring.resources import Resources

BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AuditRequest"}}},
    }
}
_SCHEDULED_SECONDS = 600.0


def start(held: Resources, body: bytes, caller: Caller) -> Response:
    """Audit a chain: 200 and the report if it is done in time, else 202 and how far it is."""
    value = strict_json.parse(body, max_depth=2) if body else {}
    try:
        wanted = AuditRequest.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error
    caller.check(wanted.chain)
    auditor = held.auditor
    report = auditor.run(auditor.start(wanted.chain, wanted.mode), held.settings.audit_seconds)
    schedule.tell([report])
    headers = {"Location": f"/api/v1/audits/{report.audit_id}"}
    return json_response(audit_fields(report), 202 if report.status == "running" else 200, headers)


def find(held: Resources, audit_id: str, caller: Caller) -> Response:
    """A stored report; one on a chain of others is as unknown as one that does not exist."""
    report = held.auditor.report(audit_id)
    if not caller.may(report.chain):
        raise unknown_audit(audit_id)
    return json_response(audit_fields(report))


def run_scheduled(held: Resources, mode: str) -> dict[str, Any]:
    """Audit every chain for the schedule; what it is answered."""
    with held.heeding_refusals():
        return {**schedule.run_scheduled(held.auditor, held.leases, mode, _SCHEDULED_SECONDS)}


def restore(held: Resources, chain: str, reason: str) -> dict[str, Any]:
    """Declare for an operator that a chain was restored from a backup; the report of the audit that follows."""
    with held.heeding_refusals():
        return audit_fields(schedule.restore(held.restorer, chain, reason))
