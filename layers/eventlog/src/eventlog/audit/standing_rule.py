"""What a report does to what stands of its chain: the rule of docs/findings.md, on values alone.

What an audit has found stands until a full audit that began after it ends intact. Nothing else takes anything back: no
incremental audit, as it looks at a part; no full audit with findings, as it names 100, and those may have kept it from
seeing others; none that could not check everything.
"""

from dataclasses import replace

from eventlog.audit.report import AuditReport
from eventlog.formats.standing import MAX_NAMED, FullAudit, StandingFinding, StandingNote


def with_report(before: StandingNote, report: AuditReport, now: int) -> StandingNote:
    """Take a report, done or running, into a standing; the same standing if it says nothing new.

    ``now``: milliseconds since 1970. The time of what comes out is later than that of ``before``, whatever clocks say.
    """
    after = before
    if report.mode == "full" and report.status != "running":
        after = _with_full(after, report, now)
    if report.findings_total:
        after = _with_findings(after, report, now)
    return before if after == before else replace(after, time=max(now, before.time + 1))


def _with_full(before: StandingNote, report: AuditReport, now: int) -> StandingNote:
    """Take a full audit that has ended; intact, it takes back what was found before it began."""
    finished = now if report.finished_at is None else report.finished_at
    audit = FullAudit(
        report.audit_id, report.status, report.started_at, max(finished, report.started_at), report.events_checked
    )
    # Two may have been at work at once: the one that began last counts, whichever ended last.
    full = audit if before.full is None or before.full.started <= audit.started else before.full
    if report.status != "intact":
        return replace(before, full=full)
    # Where it rests on what earlier audits have seen of a part, it says that all was intact then, and no more.
    since = audit.started if report.rehashed_since is None else min(audit.started, report.rehashed_since)
    clean = replace(audit, started=since)
    intact = clean if before.intact is None or before.intact.started <= since else before.intact
    # The last finding is always named. If it is older than all that the audit saw, all are, also those that are only
    # counted.
    left = tuple(finding for finding in before.findings if finding.found >= since)
    return replace(before, full=full, intact=intact, findings=left, total=len(left))


def _with_findings(before: StandingNote, report: AuditReport, now: int) -> StandingNote:
    """Add what is not known yet; of what is known, when and by which audit it was first found stays."""
    known = {(finding.kind, finding.seq) for finding in before.findings}
    at = now if report.finished_at is None else report.finished_at
    new: dict[tuple[str, int | None], StandingFinding] = {}
    for found in report.findings:
        if (found.kind, found.seq) not in known:
            new.setdefault((found.kind, found.seq), StandingFinding(found.kind, found.seq, at, report.audit_id))
    named = (*before.findings, *new.values())
    # One that is only counted can't be told from one that is known, so this is how many there are at least.
    total = max(before.total, report.findings_total, len(named))
    if len(named) > MAX_NAMED:
        if total == before.total:  # nothing that could be new: else it would be named anew by each audit
            return before
        named = (*named[: MAX_NAMED - 1], named[-1])
    return replace(before, findings=named, total=total)
