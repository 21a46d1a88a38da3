"""Tells what audits find, and stores their reports: in this order.

Whoever controls the database can make it refuse a report (a validator, a full disk). That is told too, and ends no
audit: findings must be heard, and the other chains must still be audited.
"""

from dataclasses import replace

from eventlog.audit.notices import Notices
from eventlog.audit.report import AuditReport, Status
from eventlog.audit.report_documents import encode_report
from eventlog.audit.run import AuditRun
from eventlog.audit.run_documents import encode_run
from eventlog.audit.standings import StandingKeeper
from eventlog.formats.event import ChainState
from eventlog.store.errors import StoreError
from eventlog.store.interface.audits import ReportStore

_NOT_STORED = "an audit report could not be stored"


class Keeper:
    """Keeps reports, done or running. It remembers how many findings of each running one were told.

    ``standings``: keeps what stands of each chain; None: what this audit says is nobody's last word.
    """

    def __init__(self, store: ReportStore, notices: Notices, standings: StandingKeeper | None = None) -> None:
        self._store = store
        self._notices = notices
        self._standings = standings
        self._told: dict[str, int] = {}

    def begin(self, run: AuditRun) -> None:
        """Keep an audit that has just begun."""
        self.tell(run.report)
        try:
            self._store.add(encode_run(run))
        except StoreError as error:
            self._notices.failed(_NOT_STORED, run.report.chain, error)

    def resume(self, report: AuditReport) -> None:
        """Remember that what a stored report says was told when it was stored.

        If this process told of more before something stopped the audit, that was not stored, and will be found again.
        """
        self._told[report.audit_id] = max(report.findings_total, self._told.get(report.audit_id, 0))

    def keep_run(self, run: AuditRun) -> bool:
        """Store how far an audit has come; return whether that worked."""
        self.tell(run.report)
        return self._save(run.report, encode_run(run))

    def keep(self, report: AuditReport, lease: int, verified: ChainState | None = None) -> bool:
        """Store a finished report; return whether that worked.

        ``lease``: milliseconds since 1970. ``verified``: the state from which a later audit may go on.
        """
        self.tell(report)
        return self._save(report, encode_report(report, lease, verified))

    def give_up(self, report: AuditReport, because: str, now: int) -> AuditReport:
        """Store a report that says why an audit can't go on, in the place of the one with its id; findings stand."""
        report = given_up(report, because, now)
        self.keep(report, report.started_at)
        return report

    def _save(self, report: AuditReport, document: bytes) -> bool:
        try:
            self._store.save(report.audit_id, document)
        except StoreError as error:
            self._notices.failed(_NOT_STORED, report.chain, error)
            return False
        return True

    def tell(self, report: AuditReport) -> None:
        """Tell of findings that are new, and of each report with findings once more when it is done; let them stand.

        Keeping a report does this first; an audit that something stops calls it, as it keeps nothing any more.
        """
        total, done = report.findings_total, report.status != "running"
        new = total - self._told.get(report.audit_id, 0)
        if total and (new or done):
            self._notices.found(report, new)
        # What was found stands from now on, before the report is stored: whatever becomes of that.
        if self._standings is not None and (done or new):
            self._standings.record(report)
        if done:
            self._told.pop(report.audit_id, None)
        elif total:
            self._told[report.audit_id] = total


def given_up(report: AuditReport, because: str, now: int) -> AuditReport:
    """End a report early, with the reason. What was found stands, whatever happened to the audit afterwards."""
    status: Status = "tampered" if report.findings_total else "incomplete"
    return replace(report, status=status, incomplete_because=because, finished_at=now)
