"""From a request to audits; what the schedule and an operator ask for (audit/schedule.py), with their answers."""

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from eventlog.audit import schedule
from eventlog.audit.report import AuditReport as AuditOutcome
from eventlog.errors import InvalidError, unknown_audit
from eventlog.fields import ChainName, pointer
from eventlog.formats import strict_json
from eventlog.formats.strict_json import Problem
from eventlog.http import answers
from eventlog.http.access import AuditStarter, Reader
from eventlog.http.answers import json_response
from eventlog.http.audit_fields import audit_fields
from eventlog.http.audit_schemas import AuditReport, AuditReports, AuditRequest
from eventlog.http.callers import Caller
from eventlog.http.problems import api_router, documented
from eventlog.http.query_strings import DIGITS
from eventlog.http.requests import SmallBody
from eventlog.http.wired import wired_by
from eventlog.store.errors import LimitError, StoreUnavailableError
from eventlog.wiring.audit import AuditWiring

BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AuditRequest"}}},
    }
}
_SCHEDULED_SECONDS = 600.0
_LEFT_OVER_SECONDS = 60
_SMALL = 16 << 10
"""A body of so many bytes is read within a millisecond; a larger one in a thread, so that nobody waits for it."""


def start(wired: AuditWiring, body: bytes, caller: Caller) -> Response:
    """Audit a chain behind Lambda, where nothing goes on after the answer: the schedule does what is left.

    Raises:
        LimitError: an audit of it waits for that already. More of them would only keep the schedule from getting there.
    """
    wanted = _wanted(body, caller)
    if waiting := wired.reports.left_over(wanted.chain, wanted.mode):
        left = f"a {wanted.mode} audit of chain {wanted.chain} ran out of time, and the schedule goes on with it"
        raise LimitError(f"{left}: ask for {wired.settings.base_path}/api/v1/audits/{waiting}.", _LEFT_OVER_SECONDS)
    auditor = wired.auditor
    report = auditor.run(auditor.start(wanted.chain, wanted.mode), wired.settings.audit_seconds)
    schedule.tell([report])
    return _answer(report, wired)


async def ask(wired: AuditWiring, body: bytes, caller: Caller) -> Response:
    """Audit a chain on a server: join the audit of it that is at work, or begin one, and wait a while for its end.

    Raises:
        LimitError: another audit of this caller is at work.
        StoreUnavailableError: it has not begun in that time, as others are at work; it still waits for its turn.
    """
    wanted = _wanted(body, caller) if len(body) <= _SMALL else await run_in_threadpool(_wanted, body, caller)
    asked = wired.on_demand.ask(caller.principal, wanted.chain, wanted.mode)
    # Whoever waits may go away: that neither ends the audit nor keeps a thread.
    ended = asyncio.wrap_future(asked.done)
    ended.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait([ended], timeout=wired.settings.audit_seconds)
    report = asked.done.result() if asked.done.done() else asked.so_far
    if report is None:
        raise StoreUnavailableError("audits that others asked for are at work; this one waits for its turn, ask again")
    return _answer(report, wired)


def _wanted(body: bytes, caller: Caller) -> AuditRequest:
    """What a request asks for, if its caller may see that chain."""
    value = strict_json.parse(body, max_depth=2) if body else {}
    try:
        wanted = AuditRequest.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error
    caller.check(wanted.chain)
    return wanted


def _answer(report: AuditOutcome, wired: AuditWiring) -> Response:
    """200 and the report if the audit is done, else 202 and how far it is."""
    headers = {"Location": f"{wired.settings.base_path}/api/v1/audits/{report.audit_id}"}
    return json_response(audit_fields(report), 202 if report.status == "running" else 200, headers)


def find(wired: AuditWiring, audit_id: str, caller: Caller) -> Response:
    """A stored report; one on a chain of others is as unknown as one that does not exist."""
    report = wired.auditor.report(audit_id)
    if not caller.may(report.chain):
        raise unknown_audit(audit_id)
    return json_response(audit_fields(report))


def run_scheduled(wired: AuditWiring, mode: str, *, concludes: str = "") -> dict[str, Any]:
    """Audit every chain for the schedule; what it is answered. ``concludes``: as in ``schedule.run_scheduled``."""
    with wired.connection.renew_if_refused():
        schedule.declare_fields(lambda: wired.declaring)
        return {
            **schedule.run_scheduled(
                lambda: wired.auditor,
                lambda: wired.watcher,
                wired.leases,
                mode,
                _SCHEDULED_SECONDS,
                concludes=concludes,
                witnessing=lambda: wired.witnessing,
            )
        }


def plan_shared(wired: AuditWiring) -> dict[str, Any]:
    """Begin a full round that several invocations share; the items that they are to be sent."""
    with wired.connection.renew_if_refused():
        return {**schedule.plan_shared(lambda: wired.auditor, wired.leases)}


def conclude_shared(wired: AuditWiring, round_id: str) -> dict[str, Any]:
    """End the full round that was shared, and do of it what nobody did; what the schedule is answered.

    ``round_id`` is what the plan was answered. A round that it went on with has none, and is followed by a new one.
    """
    return run_scheduled(wired, "full", concludes=round_id)


def do_shared(wired: AuditWiring, item: dict[str, Any]) -> dict[str, Any]:
    """Do one item of that; what came of it."""
    with wired.connection.renew_if_refused():
        return schedule.do_shared(wired.auditor, item, _SCHEDULED_SECONDS)


def restore(wired: AuditWiring, chain: str, reason: str) -> dict[str, Any]:
    """Declare for an operator that a chain was restored from a backup; the report of the audit that follows."""
    with wired.connection.renew_if_refused():
        return audit_fields(schedule.declare("restore", wired.restorer.restore, chain, reason))


def strike_off(wired: AuditWiring, chain: str, reason: str) -> dict[str, Any]:
    """Declare for an operator that an entry of the registry names no chain; the report of the registry's audit."""
    with wired.connection.renew_if_refused():
        return audit_fields(schedule.declare("strike-off", wired.registrar.strike_off, chain, reason))


WiredAudits = Annotated[AuditWiring, Depends(wired_by(AuditWiring))]
AuditId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]

router = api_router("audit")


@router.post(
    "/audits",
    responses={
        200: {"model": AuditReport},
        202: {"model": AuditReport, "description": "It goes on; ask for it by audit_id"},
        **documented(400, 404, 413, 415, 422, 429, 500, 503),
    },
    openapi_extra=BODY,
)
async def start_audit(caller: AuditStarter, wired: WiredAudits, request: Request, body: SmallBody) -> Response:
    """Audit a chain now, or join the audit of it that is at work; an empty body: the default chain, incrementally."""
    if "aws.event" in request.scope:
        return await run_in_threadpool(start, wired, body, caller)
    return await ask(wired, body, caller)


@router.get("/audits", responses={200: {"model": AuditReports}, **documented(422, 500, 503)})
def list_audits(
    caller: Reader,
    wired: WiredAudits,
    chain: ChainName | None = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=100), DIGITS] = 20,
) -> Response:
    """Audit reports, newest first."""
    found = wired.auditor.reports(chain, limit, before, caller.chains)
    # Whatever stands among the reports is shown. What nobody could ask to go on after comes last, on the last page.
    odd = wired.auditor.unnamed_reports(chain, limit - len(found), caller.chains) if len(found) < limit else []
    shown = answers.fitting(orjson.dumps(audit_fields(report)) for report in [*found, *odd])
    last = found[min(len(shown), len(found)) - 1] if len(found) == limit or len(shown) < len(found) else None
    audits = list(map(orjson.Fragment, shown))
    return json_response({"audits": audits, "next": last and last.audit_id})


@router.get("/audits/{audit_id}", responses={200: {"model": AuditReport}, **documented(404, 422, 500, 503)})
def get_audit(caller: Reader, wired: WiredAudits, audit_id: AuditId) -> Response:
    """One report, or how far a running audit is."""
    return find(wired, audit_id, caller)
