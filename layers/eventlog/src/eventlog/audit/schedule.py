"""What no client asks for: the schedule's audits of every chain, and an operator's declarations."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from aws_lambda_powertools import Logger

from eventlog.audit import metrics as audit_metrics
from eventlog.audit.auditor import Auditor
from eventlog.audit.declaring import Declaring
from eventlog.audit.exclusive import exclusive
from eventlog.audit.going_round import RoundOutcome
from eventlog.audit.report import AuditReport, Mode, Status
from eventlog.audit.spreading import SharedWork
from eventlog.audit.watch import Watcher
from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.audits import LeaseStore
from eventlog.telemetry import metrics

if TYPE_CHECKING:  # as in ``auditor.py``
    from eventlog.audit.witness_round import Witnessing

LeaseName = Literal["schedule/full", "schedule/incremental"]
_NAMED = 100
_ANSWERED = 1000
"""Reports that an answer has: with those of every chain of a large log, Lambda could not return it."""
_SKIPPED = "another audit of the schedule in this mode is at work"
_WATCHED_PART = 5
"""A round may spend a fifth of its time on the changes of the database."""
_COUNTING_SECONDS = 5.0
_LEASES: dict[Mode, LeaseName] = {"full": "schedule/full", "incremental": "schedule/incremental"}


class ShortReport(TypedDict):
    """A report in short."""

    audit_id: str
    chain: str
    mode: Mode
    status: Status


class ScheduleAnswer(TypedDict):
    """The answer to the schedule.

    ``skipped``: why nothing was done. ``left``: how many chains the round still has to audit, as the time is over or
    they could not be checked to the end. ``next``: the first of them, with which the next one goes on. ``unnamed``: how
    many more reports there are; those that are named are first of all those that are not intact.
    """

    mode: Mode
    skipped: NotRequired[str]
    left: NotRequired[int]
    next: NotRequired[list[str]]
    unnamed: NotRequired[int]
    audits: list[ShortReport]


def run_scheduled(
    auditor: Callable[[], Auditor],
    watcher: Callable[[], Watcher],
    leases: LeaseStore,
    mode: str,
    seconds: float,
    *,
    concludes: str = "",
    witnessing: "Callable[[], Witnessing | None]" = lambda: None,
) -> ScheduleAnswer:
    """Audit every chain and continue audits still running, for ``seconds``; return a short form of each report.

    Chains for which there was no time come first when it is called again. An incremental round asks the ``watcher``
    first what was done to the database since the last one. At the end, when all that was found intact is anchored, the
    witnesses are asked, if there is ``witnessing``. ``concludes`` is as in ``GoingRound``.

    Nothing is done, and ``skipped`` says so, while another audit of the schedule in this mode is at work.
    """
    wanted: Mode = "full" if mode == "full" else "incremental"
    with exclusive(leases, _LEASES[wanted]) as alone:
        if not alone:
            Logger(service=audit_metrics.SERVICE).info("audit skipped", extra={"mode": wanted, "because": _SKIPPED})
            audit_metrics.skipped(wanted)
            return {"mode": wanted, "skipped": _SKIPPED, "audits": []}
        found, outcome = auditor(), RoundOutcome()  # only now: whoever is skipped needs no keys
        # Before the audits settle what waits, or the backlog would always be next to nothing.
        backlog = found.backlog()
        audit_metrics.waiting(backlog)
        watched = _watch(watcher(), seconds / _WATCHED_PART) if wanted == "incremental" else []
        reports = _run(found, wanted, seconds, outcome, concludes=concludes)
        audit_metrics.finished(outcome.finished, backlog, reports, found.heads.idle)
        audit_metrics.full_age(found.full_age())
        shown = _witnessed(witnessing(), reports)
        audit_metrics.rehash_age(reports)
        audit_metrics.standing(found.standings.open_findings())
        if wanted == "full":
            with suppress(StoreError):  # the next round counts again
                audit_metrics.leftover(found.leftover_payloads(_COUNTING_SECONDS))
    answer = _answer(wanted, [*watched, *reports, *shown])
    if outcome.left:
        answer["left"], answer["next"] = len(outcome.left), outcome.left[:_NAMED]
        extra = {"mode": wanted, "left": answer["left"], "next": answer["next"]}
        Logger(service=audit_metrics.SERVICE).warning("chains are left to be audited", extra=extra)
    return answer


class SharedPlan(TypedDict):
    """What a full round has for others to do: one invocation for each item, which it is sent as it is.

    ``round``: its id, for what concludes it; empty if none was begun, so that another has to begin after it.
    """

    items: list[dict[Literal["segment"], SharedWork]]
    round: str


def plan_shared(auditor: Callable[[], Auditor], leases: LeaseStore) -> SharedPlan:
    """Begin a full round, and list what other invocations can do of it; nothing while another one is at work."""
    with exclusive(leases, _LEASES["full"]) as alone:
        spreading = auditor().spreading if alone else None
        if spreading is None:
            return {"items": [], "round": ""}
        plan = spreading.plan()
        return {"items": [{"segment": item} for item in plan.work], "round": plan.begun}


def do_shared(auditor: Auditor, item: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Do one of these items; what came of it."""
    worker = auditor.shared
    if worker is None:
        return {"skipped": "nothing is signed here, so that nothing can be shared"}
    return {name: value for name, value in asdict(worker.do(item, seconds)).items() if value is not None}


def declare_fields(declaring: Callable[[], Declaring]) -> None:
    """Declare the search fields that are set; if that fails the audits go on, and the next round tries again.

    Raises:
        CredentialsRefusedError: the database refuses the password.
    """
    try:
        declaring().declare()
    except CredentialsRefusedError:
        raise
    except StoreError as error:
        extra = {"error": type(error).__name__}
        Logger(service=audit_metrics.SERVICE).warning("search fields could not be declared", extra=extra)


def declare(
    what: Literal["restore", "strike-off"], make: Callable[[str, str], AuditReport], chain: str, reason: str
) -> AuditReport:
    """Declare something for an operator, and say so loudly; the report of the audit that follows.

    Raises what ``make`` does: ``Restorer.restore``, or ``Registrar.strike_off``.
    """
    Logger(service=audit_metrics.SERVICE).warning(f"{what} declared", extra={"chain": chain, "reason": reason})
    report = make(chain, reason)
    tell([report])
    return report


def tell(reports: list[AuditReport]) -> None:
    """Say which audits could not reach everything, and count those in which nothing was found.

    What was found is told by the audit itself, before it is stored (``AuditLog``).
    """
    logger = Logger(service=audit_metrics.SERVICE)
    quiet = [report for report in reports if not report.findings_total]
    for report in reports:
        if report.status == "incomplete":
            fields = {"chain": report.chain, "audit_id": report.audit_id, "because": report.incomplete_because}
            logger.warning("audit incomplete", extra=fields)
    if quiet or not reports:
        metrics.emit(audit_metrics.SERVICE, audit_metrics.audited(quiet))


def _run(auditor: Auditor, mode: Mode, seconds: float, outcome: RoundOutcome, *, concludes: str) -> list[AuditReport]:
    """Run the audits and return their reports; if the round breaks off, those that are there are told all the same."""
    reports: list[AuditReport] = []
    try:
        for report in auditor.each(mode, seconds, outcome, concludes=concludes):
            reports.append(report)
    finally:
        tell(reports)
    return reports


def _watch(watcher: Watcher, seconds: float) -> list[AuditReport]:
    """Have the changes of the database watched; what is found, or could not be watched, the watcher tells by itself."""
    watched = watcher.drain(seconds)
    if watched.lag_seconds is not None:
        metrics.emit(audit_metrics.SERVICE, {"WatchLag": watched.lag_seconds})
    return watched.reports


def _witnessed(witnessing: "Witnessing | None", reports: list[AuditReport]) -> list[AuditReport]:
    """Have the anchors of these chains witnessed; return reports on what witnesses show, which are told already."""
    if witnessing is None:
        return []
    outcome = witnessing.round(reports)
    audit_metrics.witnessed(outcome.records, outcome.sizes.values())
    return outcome.reports


def _answer(mode: Mode, reports: list[AuditReport]) -> ScheduleAnswer:
    if len(reports) <= _ANSWERED:
        return {"mode": mode, "audits": list(map(_short, reports))}
    first = sorted(reports, key=lambda report: report.status == "intact")[:_ANSWERED]
    return {"mode": mode, "unnamed": len(reports) - len(first), "audits": list(map(_short, first))}


def _short(report: AuditReport) -> ShortReport:
    return {"audit_id": report.audit_id, "chain": report.chain, "mode": report.mode, "status": report.status}
