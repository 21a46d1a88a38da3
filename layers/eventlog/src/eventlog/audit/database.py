"""The audit of what belongs to no chain: how the database is set up, and rows that no version of the log wrote.

It has a report of its own, with an empty chain, if there is anything to say. Nothing that it meets may keep the chains
from being audited.
"""

from dataclasses import replace

from eventlog.audit.report import AuditReport
from eventlog.audit.run import OpenReport
from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.database import DatabaseReads
from eventlog.verify.findings import Finding


class DatabaseAudit:
    """Audits one database. ``set_up``: an operator has set it up, so that nothing that is declared may be missing."""

    def __init__(self, database: DatabaseReads, *, set_up: bool) -> None:
        self._database = database
        self._set_up = set_up

    def run(self, opened: OpenReport) -> None:
        """Look at the database, and put what is wrong into a report.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        reasons = []
        for look in (self._shape, self._rows):
            try:
                reasons += look(opened)
            except CredentialsRefusedError:
                raise
            except StoreError as error:
                # Perhaps somebody made it so; else the audits of the chains meet the same, and say so.
                reasons.append(f"the database could not be looked at as a whole: {error}")
        if reasons:
            opened.leave_incomplete("; ".join(reasons))

    def _shape(self, opened: OpenReport) -> list[str]:
        shape = self._database.shape(set_up=self._set_up)
        for detail in shape.mismatches:
            opened.emit(Finding("schema_mismatch", None, None, None, detail))
        return shape.unclear

    def _rows(self, opened: OpenReport) -> list[str]:
        for detail in self._database.odd_rows(whole=opened.report.mode == "full"):
            opened.emit(Finding("unexpected", None, None, None, detail))
        return []


def concluded(report: AuditReport, now: int) -> AuditReport | None:
    """End the report at ``now``, in milliseconds since 1970; None if there is nothing to say, as is normal."""
    if report.findings_total:
        return replace(report, status="tampered", finished_at=now)
    return None if report.incomplete_because is None else replace(report, status="incomplete", finished_at=now)
