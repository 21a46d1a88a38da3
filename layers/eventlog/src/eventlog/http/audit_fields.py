"""How an audit's report is shown. It stands alone because a chain's answer has it too, without the models of audits."""

from dataclasses import asdict
from typing import Any

from eventlog.audit.report import AuditReport, WitnessSummary
from eventlog.formats.times import format_time


def audit_fields(report: AuditReport) -> dict[str, Any]:
    """An audit's report as shown; ``audit_schemas.AuditReport`` describes it."""
    times = {name: getattr(report, name) for name in ("rehashed_since", "anchored_at", "started_at", "finished_at")}
    shown: dict[str, Any] = {name: None if millis is None else format_time(millis) for name, millis in times.items()}
    shown |= {"witnesses": [_witness_fields(witness) for witness in report.witnesses]}
    return asdict(report) | shown | {"findings": [asdict(finding) for finding in report.findings]}


def _witness_fields(witness: WitnessSummary) -> dict[str, Any]:
    time = None if witness.time is None else format_time(witness.time)
    return asdict(witness) | {"time": time, "since": format_time(witness.since)}
