"""Going on with audits that ran out of time, or whose process died: each is caught on its own.

What they left is in the database under suspicion. A document that no audit can have stored is a finding, and whatever
one of them holds, the others are resumed.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from uuid import NAMESPACE_OID, UUID, uuid5

from eventlog.audit.anchored import AuditAnchors
from eventlog.audit.keeper import Keeper
from eventlog.audit.notices import Notices
from eventlog.audit.report import AuditReport, new_report
from eventlog.audit.report_documents import UnknownValueError, read_report
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.run_documents import read_run
from eventlog.audit.running import RunningAudits
from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.audits import ReportStore
from eventlog.stored.errors import NotOursError
from eventlog.verify.findings import Finding

NOT_RESUMED = "audits that are running could not be resumed"
_FUTURE_MILLIS = 86_400_000
"""No clock is as far ahead as this."""
_NAME = 200
"""Characters of a chain's name that are kept: more has no chain, but a document may."""


class Resuming:
    """Takes running audits that no process is working on, and continues them."""

    def __init__(
        self,
        store: ReportStore,
        keeper: Keeper,
        anchors: AuditAnchors,
        notices: Notices,
        *,
        running: RunningAudits,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._anchors = anchors
        self._notices = notices
        self._running = running
        self._clock = clock

    def each(self, seconds: float) -> Iterator[AuditReport]:
        """Continue each audit once, the one that has waited longest first, until time is up; yield their reports.

        However little time there is, one audit gets on by a step.

        Raises:
            StoreError: the database does not say which there are.
        """
        until = time.monotonic() + seconds
        for number, key in enumerate(self._store.waiting()):
            if number and time.monotonic() >= until:
                return
            if report := self._take(key, until):
                yield report

    def _take(self, key: bytes, until: float) -> AuditReport | None:
        """Continue one audit; None if another process has it by now, or if it can't be had."""
        try:
            stored = self._store.take(key)
            return None if stored is None else self._resume(stored, max(0.0, until - time.monotonic()))
        except CredentialsRefusedError:
            raise
        except Exception as error:  # a document may cause it; if it is the database, the other audits will say so
            told = error if isinstance(error, StoreError) else StoreError(f"{type(error).__name__}: {error}")
            self._notices.failed(NOT_RESUMED, "", told)
            return None

    def _resume(self, stored: bytes, seconds: float) -> AuditReport:
        try:
            run = read_run(stored)
            self._check(run)
        except NotOursError as error:
            return self._unreadable(stored, error)
        try:
            self._keeper.resume(run.report)
            self._anchors.check_voucher(run, stored)
            return self._running.run(run, seconds)
        except StoreError:
            raise
        except Exception as error:  # whatever it is, it must block neither this audit for ever nor other chains
            return self._give_up(run.report.audit_id, run.report, error)

    def _check(self, run: AuditRun) -> None:
        """Check what no audit can have stored, though the types are right.

        Raises:
            NotOursError: saying what it is.
        """
        latest = self._clock() + _FUTURE_MILLIS
        read_at = run.read_at.seconds * 1000 if run.read_at else 0
        # Reads wait for the moment ``read_at`` of the database's clock, and fail if it is not near.
        for name, moment in (("read_at", read_at), ("started_at", run.report.started_at)):
            if moment > latest:
                raise NotOursError(f"{name} lies in the future")
        if not _is_audit_id(run.report.audit_id):
            raise NotOursError("_id is not the id of an audit")

    def _unreadable(self, stored: bytes, error: NotOursError) -> AuditReport:
        """Give up an audit that can't be read: one that another version stored, or a document that no version stores.

        Another version may have fields, kinds and modes that this one does not know. It has no other types.
        """
        report = read_report(stored)
        # Where the id is none of ours, the report gets one of its own, always the same.
        key = report.audit_id
        audit_id = key if _is_audit_id(key) else str(uuid5(NAMESPACE_OID, sha256(stored[:4096]).hexdigest()))
        if isinstance(error, UnknownValueError) or isinstance(error.__cause__, KeyError):
            return self._give_up(audit_id, report, error.__cause__ or error)
        opened = OpenReport(report)
        opened.emit(Finding("unexpected", None, None, None, f"no audit can have stored this running one: {error}"))
        return self._give_up(audit_id, opened.report, error)

    def _give_up(self, audit_id: str, report: AuditReport, error: BaseException) -> AuditReport:
        """Give an audit up. Nothing of its stored report can be relied on but that what it found was found."""
        because = f"it was begun by another version, or its report was damaged ({type(error).__name__})"
        fresh = replace(new_report(report.chain[:_NAME], "full", self._clock()), audit_id=audit_id)
        found = replace(fresh, findings=report.findings, findings_total=report.findings_total)
        return self._keeper.give_up(found, because, self._clock())


def _is_audit_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
