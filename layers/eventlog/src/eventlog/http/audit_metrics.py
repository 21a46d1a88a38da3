"""What audits found, and how far the log is settled, verified and anchored, as metrics."""

from collections.abc import Iterable

from eventlog.http import metrics
from eventlog.service.audit_report import Mode, Report
from eventlog.service.progress import Backlog, anchored, coverage

SERVICE = "eventlog-chain_audit"


def audited(reports: Iterable[Report]) -> dict[str, list[float]]:
    """What reports say, one value each; of no report a zero, as an alarm takes no data for no audit."""
    found: dict[str, list[float]] = {
        name: [] for name in ("AuditFindings", "IncompleteAudits", "EventsAudited", "UnanchoredEvents")
    }
    for report in reports:
        found["AuditFindings"].append(report["findings_total"])
        found["IncompleteAudits"].append(report["status"] == "incomplete")
        found["EventsAudited"].append(report["events_checked"])
        if report.get("unanchored_events") is not None:
            found["UnanchoredEvents"].append(report["unanchored_events"])
    return {name: values or [0.0] for name, values in found.items()}


def waiting(backlog: Backlog) -> None:
    """What a scheduled audit finds waiting, before it settles."""
    metrics.emit(SERVICE, {"PendingEvents": backlog.pending, "SettleLag": backlog.lag_millis})


def finished(modes: Iterable[Mode], backlog: Backlog, reports: list[Report]) -> None:
    """A scheduled audit is done, and in these modes all chains were gone over."""
    metrics.emit(
        SERVICE, {"AuditCoverage": coverage(backlog.sizes, reports), "AnchoredSize": sum(anchored(reports).values())}
    )
    for mode in modes:
        metrics.emit(SERVICE, {"AuditsFinished": 1}, mode=mode)
