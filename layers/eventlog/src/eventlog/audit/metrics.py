"""What audits found, and how far the log is settled, verified and anchored, as metrics."""

from collections.abc import Collection, Iterable

from aws_lambda_powertools import Logger

from eventlog.audit.progress import Backlog, anchored, coverage
from eventlog.audit.report import AuditReport, Mode
from eventlog.store.errors import StoreError
from eventlog.stored.witness_records import WitnessRecord
from eventlog.telemetry import metrics

SERVICE = "eventlog-chain_audit"


class AuditLog:
    """``Notices``: a log line and metrics to alarm on for what is found, and for what could not be done."""

    def __init__(self) -> None:
        self._logger = Logger(service=SERVICE)

    def found(self, report: AuditReport, new: int) -> None:
        """See ``Notices``. The other figures of a report are counted once, when it is done."""
        kinds = sorted({finding.kind for finding in report.findings})
        extra = {"chain": report.chain, "audit_id": report.audit_id, "kinds": kinds}
        if new:
            self._logger.error("tampering found", extra=extra)
        rest = {} if report.status == "running" else audited([report])
        metrics.emit(SERVICE, rest | {"AuditFindings": [float(new)]})

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        """See ``Notices``."""
        self._logger.error(what, extra={"chain": chain, "error": str(error)})
        metrics.emit(SERVICE, {"IncompleteAudits": 1})


def audited(reports: Iterable[AuditReport]) -> dict[str, list[float]]:
    """Turn reports into metrics, one value for each; without reports a zero, as alarms take no data for no audit."""
    found: dict[str, list[float]] = {
        name: [] for name in ("AuditFindings", "IncompleteAudits", "EventsAudited", "UnanchoredEvents")
    }
    for report in reports:
        found["AuditFindings"].append(report.findings_total)
        found["IncompleteAudits"].append(report.status == "incomplete")
        found["EventsAudited"].append(report.events_checked)
        if report.unanchored_events is not None:
            found["UnanchoredEvents"].append(report.unanchored_events)
    return {name: values or [0.0] for name, values in found.items()}


def waiting(backlog: Backlog) -> None:
    """Emit what a scheduled audit finds waiting, before it settles."""
    metrics.emit(SERVICE, {"PendingEvents": backlog.pending, "SettleLag": backlog.lag_millis})


def finished(modes: Iterable[Mode], backlog: Backlog, reports: list[AuditReport], idle: Collection[str] = ()) -> None:
    """Emit that a scheduled audit is done, and that rounds over all chains were finished in these modes.

    ``idle``: chains that are as they were when they were audited, and anchored whole.
    """
    sizes = {chain: backlog.sizes.get(chain, 0) for chain in idle} | anchored(reports)
    covered = coverage(backlog.sizes, reports, idle)
    metrics.emit(SERVICE, {"AuditCoverage": covered, "AnchoredSize": sum(sizes.values())})
    for mode in modes:
        metrics.emit(SERVICE, {"AuditsFinished": 1}, mode=mode)


def standing(findings: int) -> None:
    """Emit how many findings stand, in all chains: what pages and the command show, too."""
    metrics.emit(SERVICE, {"OpenFindings": findings})


def leftover(payloads: int) -> None:
    """Emit how many payloads were stored apart for no event, by writers that died."""
    metrics.emit(SERVICE, {"LeftoverPayloads": payloads})


def witnessed(records: Iterable[WitnessRecord], sizes: Iterable[int]) -> None:
    """Emit what is known of the witnesses of a round's chains, in all and of each; ``sizes``: what is witnessed."""
    # By the state, not by what this round has asked: a witness that is left alone for an hour is as silent as before.
    failing: dict[str, int] = {}
    contradicting = 0
    for record in records:
        failing[record.witness] = failing.get(record.witness, 0) + (record.state != "cosigning")
        contradicting += record.state in {"ahead", "contradicts"}
    totals = {"WitnessFailures": sum(failing.values()), "WitnessContradictions": contradicting}
    metrics.emit(SERVICE, {"WitnessedSize": sum(sizes), **totals})
    for witness, failures in failing.items():
        metrics.emit(SERVICE, {"WitnessFailures": failures}, witness=witness)


def skipped(mode: Mode) -> None:
    """Emit that a scheduled audit was skipped, since another one is at work, or somebody says so.

    The zero lets an alarm see that none was finished meanwhile, as what is missing can't be compared.
    """
    metrics.emit(SERVICE, {"AuditsSkipped": 1, "AuditsFinished": 0}, mode=mode)


def rehash_age(reports: Iterable[AuditReport]) -> None:
    """Emit how long ago the event was re-hashed that has waited longest, by the full audits that are done now."""
    done = [report for report in reports if report.mode == "full" and report.finished_at is not None and report.chain]
    ages = [(report.finished_at or 0) - (report.rehashed_since or report.started_at) for report in done]
    if ages:
        metrics.emit(SERVICE, {"RehashAge": max(0, *ages) / 1000})


def full_age(seconds: float | None) -> None:
    """Emit how long ago the last full round began; nothing if nobody knows, which is an alarm, too."""
    if seconds is not None:
        metrics.emit(SERVICE, {"FullAuditAge": seconds})
