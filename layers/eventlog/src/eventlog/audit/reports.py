"""Stored reports, as they are shown."""

from collections.abc import Sequence

from eventlog.audit.report import AuditReport
from eventlog.audit.report_documents import read_report
from eventlog.errors import unknown_audit
from eventlog.store.interface.audits import ReportStore


class Reports:
    """Reads the reports that audits have stored."""

    def __init__(self, store: ReportStore) -> None:
        self._reports = store

    def report(self, audit_id: str) -> AuditReport:
        """Read a stored report.

        Raises:
            NotFoundError: there is no such report.
        """
        if found := self._reports.get(audit_id):
            return read_report(found)
        raise unknown_audit(audit_id)

    def reports(
        self, chain: str | None, limit: int, before: str | None, among: Sequence[str] | None = None
    ) -> list[AuditReport]:
        """Read stored reports, newest first; with ``among``, only those on these chains (chain_names.py)."""
        return [read_report(found) for found in self._reports.newest(chain, limit, before, among)]

    def unnamed_reports(self, chain: str | None, limit: int, among: Sequence[str] | None = None) -> list[AuditReport]:
        """Read what stands among the reports under an id that no audit has; no list can go on behind one."""
        return [read_report(found) for found in self._reports.unnamed(chain, limit, among)]
