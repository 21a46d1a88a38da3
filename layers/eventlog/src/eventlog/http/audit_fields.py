"""How an audit's report is shown. It stands alone because a chain's answer has it too, without the models of audits."""

from dataclasses import asdict
from typing import Any

from eventlog.audit.report import AuditReport
from eventlog.formats.times import format_time


def audit_fields(report: AuditReport) -> dict[str, Any]:
    """An audit's report as shown; ``audit_schemas.AuditReport`` describes it."""
    times = {name: getattr(report, name) for name in ("rehashed_since", "anchored_at", "started_at", "finished_at")}
    shown = {name: None if millis is None else format_time(millis) for name, millis in times.items()}
    return asdict(report) | shown | {"findings": [asdict(finding) for finding in report.findings]}
