"""The audit of one chain: sequence document, every stored document, every link, the Merkle root, every anchor.

It reads what is anchored, then ``sequences``, then what stands outside the settled part, then ``sequences`` again, so
that appends, settling and other audits under way never look like tampering (``plan.py``); then it streams the settled
part, in steps that are stored, so that it can be resumed (``scan.py``). Memory stays flat. What it found intact it
signs and anchors (``conclude.py``).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit import scan
from eventlog.audit.anchored import AuditAnchors, with_unanchored
from eventlog.audit.conclude import Conclusion, conclude
from eventlog.audit.database import DatabaseAudit, concluded
from eventlog.audit.keeper import Keeper, given_up
from eventlog.audit.marks import Marks
from eventlog.audit.notices import Notices, Silence
from eventlog.audit.plan import check_outside, plan
from eventlog.audit.progress import Backlog, backlog
from eventlog.audit.report import AuditReport, Mode, new_report
from eventlog.audit.report_documents import read_report
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.run_documents import encode_run, read_run, voucher_message
from eventlog.audit.workers import WorkerPool, Workers
from eventlog.errors import NotFoundError, unknown_audit
from eventlog.store.errors import CorruptionError, CredentialsRefusedError, StoreError, StoreUnavailableError
from eventlog.store.interface import EventStore
from eventlog.store.interface.audits import AuditDatabase
from eventlog.stored.errors import NotOursError
from eventlog.verify.findings import Finding


class Auditor:
    """Starts, runs and resumes audits. Without ``anchoring`` the chain alone is checked. ``clock`` gives seconds.

    ``set_up``: an operator has set the database up (``DatabaseAudit``).
    """

    def __init__(
        self,
        store: EventStore,
        audits: AuditDatabase,
        origin: str,
        clock: Callable[[], float] = time.time,
        workers: Workers | None = None,
        *,
        anchoring: Anchoring | None = None,
        notices: Notices | None = None,
        set_up: bool = False,
    ) -> None:
        self._store = store
        # Without anchoring it verifies all the same, and only signs nothing; without workers it does all of it itself.
        self._notices = notices or Silence()
        self._audits = audits
        self._keeper = Keeper(audits, self._notices)
        self._database = DatabaseAudit(audits.database, set_up=set_up)
        self._origin = origin
        self._clock = clock
        self._workers = workers
        self._anchors = AuditAnchors(store, anchoring, origin, self._millis)

    def start(self, chain: str, mode: Mode) -> AuditRun:
        """Check the sequence document and what stands outside the settled part; store the report as running.

        Raises:
            NotFoundError: no such chain.
            StoreError: MongoDB can't be reached.
        """
        return self._begin(OpenReport(new_report(chain, mode, self._millis())))

    def _begin(self, opened: OpenReport) -> AuditRun:
        """Do what ``start`` does, on a report that the caller holds: what is found is in it, even if this raises."""
        try:
            return self._plan(opened)
        except Exception:
            self._keeper.tell(opened.report)  # whatever stops the audit must not silence what it has found so far
            raise

    def _plan(self, opened: OpenReport) -> AuditRun:
        chain = opened.report.chain
        # What is anchored is read first: what the database says later must reach at least as far.
        standing = self._anchors.look(opened)
        # Settling leaves as few events as possible outside the part that is streamed. If it fails because something is
        # damaged, the reads that follow find out what, and where; if they don't, that it failed is the finding.
        damage = self._settle(chain)
        outside = check_outside(self._audits, opened)
        if damage and not opened.report.findings:
            opened.emit(Finding("unexpected", None, None, None, f"what is pending can't be settled: {damage}"))
        # A chain of which nothing is there, and of which nothing says that it ever was, does not exist.
        anchored = standing is not None and standing.last
        if outside.image is None and not (anchored or opened.report.findings or opened.report.incomplete_because):
            raise NotFoundError(f"There is no chain {chain}.")
        run = plan(self._audits, opened, outside, standing, self._origin)
        run.report = with_unanchored(run.report, run.size)
        self._keeper.begin(run)
        return run

    def run(self, run: AuditRun, seconds: float) -> AuditReport:
        """Continue a running audit until it is done or time is up; return the report as stored."""
        until = time.monotonic() + seconds
        with self._pool(run) as pool:
            if run.report.status == "running":
                way = scan.Pass(self._audits, run, Marks(run, self._anchors.steps(run)), pool)
                try:
                    self._go_on(run, way, until)
                except Exception:
                    self._keeper.tell(run.report)  # as in ``_begin``
                    raise
        return run.report

    def _go_on(self, run: AuditRun, way: scan.Pass, until: float) -> None:
        """Take steps to the end, or until time is up.

        Each step is stored: if this process dies after it, another goes on from there.
        """
        over = False
        while not over and run.report.status == "running":
            done = way.step()
            conclusion = None
            if done:
                way.finish()
                conclusion = conclude(run, self._anchors, self._millis)
                run.report = conclusion.report
            # Time is looked at after the step, so that every call gets at least one step further.
            over = time.monotonic() >= until
            self._keep(run, conclusion, over=over)

    def _keep(self, run: AuditRun, conclusion: Conclusion | None, *, over: bool) -> None:
        """Store the state after a step. ``over``: this process stops here, and any process may resume the audit."""
        if conclusion is None and over:
            run.voucher = self._anchors.vouch(voucher_message(encode_run(run)))
        run.lease = 0 if over else self._millis()
        if conclusion is not None:
            self._keeper.keep(conclusion.report, run.lease, conclusion.verified)
        elif not self._keeper.keep_run(run) and over:
            because = "how far it came could not be stored, so nobody can go on with it"
            run.report = given_up(run.report, because, self._millis())
            self._keeper.keep_run(run)

    def resume(self, seconds: float) -> list[AuditReport]:
        """Continue the audits that no process is working on; return their reports."""
        return list(self._resumed(seconds))

    def _resumed(self, seconds: float) -> Iterator[AuditReport]:
        until = time.monotonic() + seconds
        while time.monotonic() < until and (audit_id := self._audits.take_running()):
            stored = self._audits.get(audit_id)
            if stored is not None:
                yield self._resume(audit_id, stored, until - time.monotonic())

    def _resume(self, audit_id: str, stored: bytes, seconds: float) -> AuditReport:
        """Continue an audit; one that another version stored, or that was damaged, is given up."""
        try:
            run = read_run(stored)
        except NotOursError as error:
            return self._give_up_resumed(audit_id, read_report(stored), error.__cause__ or error)
        try:
            self._keeper.resume(run.report)
            self._anchors.check_voucher(run, stored)
            return self.run(run, seconds)
        except StoreUnavailableError:
            raise
        except Exception as error:  # whatever it is, it must block neither this audit for ever nor other chains
            return self._give_up_resumed(audit_id, run.report, error)

    def _give_up_resumed(self, audit_id: str, report: AuditReport, error: BaseException) -> AuditReport:
        """Give an audit up. Nothing of its stored report can be relied on but that what it found was found."""
        because = f"it was begun by another version, or its report was damaged ({type(error).__name__})"
        fresh = replace(new_report(report.chain, "full", self._millis()), audit_id=audit_id)
        found = replace(fresh, findings=report.findings, findings_total=report.findings_total)
        return self._keeper.give_up(found, because, self._millis())

    def _audit(self, chain: str, mode: Mode, until: float) -> AuditReport | None:
        """Start and run one audit of the schedule; None: there is no such chain."""
        opened = OpenReport(new_report(chain, mode, self._millis()))
        try:
            opened = run = self._begin(opened)
            return self.run(run, max(0.0, until - time.monotonic()))
        except NotFoundError:  # there is no registry yet
            return None
        except StoreUnavailableError:
            raise
        except Exception as error:  # one chain's damage must not keep the others from being audited
            because = f"what is stored of it can't be read: {type(error).__name__}: {error}"
            return self._keeper.give_up(opened.report, because, self._millis())

    def _audit_database(self, mode: Mode) -> AuditReport | None:
        """Audit what belongs to no chain; None if there is nothing to say of it."""
        opened = OpenReport(new_report("", mode, self._millis()))
        try:
            self._database.run(opened)
        except CredentialsRefusedError:
            self._keeper.tell(opened.report)  # as in ``_begin``
            raise
        if report := concluded(opened.report, self._millis()):
            self._keeper.keep(report, report.started_at)
        return report

    def audit_all(self, mode: Mode, seconds: float) -> list[AuditReport]:
        """Resume what is running, then audit every chain, those that are gone too: what the schedule does."""
        return list(self.each(mode, seconds))

    def each(self, mode: Mode, seconds: float) -> Iterator[AuditReport]:
        """Do what ``audit_all`` does, and yield each report as soon as it is there."""
        until = time.monotonic() + seconds
        try:
            # Audits that ran out of time get half of it, so that one of a huge chain can't starve all other chains.
            yield from self._resumed(seconds / 2)
        except CredentialsRefusedError:
            raise
        except StoreError as error:  # even if no audit can be leased, new ones are made
            self._notices.failed("audits that are running could not be resumed", "", error)
        if report := self._audit_database(mode):
            yield report
        # When the time is over each chain still gets its one step: it finds what is wrong at a chain's edges, and the
        # rest is resumed by a later round.
        for chain in self._anchors.names(self._audits.chain_names()):
            if report := self._audit(chain, mode, until):
                yield report

    def finished(self, mode: Mode, reports: Iterable[AuditReport]) -> set[Mode]:
        """Tell in which modes all chains have been audited, now that the schedule made these reports in ``mode``.

        An audit that runs out of time is resumed by a later run of the schedule. Its mode counts as finished in the run
        that completes the last of its audits.
        """
        found = [(report.mode, report.status == "running") for report in reports]
        left = {of for of, running in found if running}
        resumed = {of for of, _ in found} - {mode} - left
        return ({mode} - left) | {of for of in resumed if not self._audits.is_running(of)}

    def backlog(self) -> Backlog:
        """Count what waits to be settled, in all chains."""
        return backlog(self._audits.heads(), self._millis())

    def report(self, audit_id: str) -> AuditReport:
        """Read a stored report.

        Raises:
            NotFoundError: there is no such report.
        """
        found = self._audits.get(audit_id)
        if found is None:
            raise unknown_audit(audit_id)
        return read_report(found)

    def reports(
        self, chain: str | None, limit: int, before: str | None, among: Sequence[str] | None = None
    ) -> list[AuditReport]:
        """Read stored reports, newest first; with ``among``, only those on these chains (chain_names.py)."""
        return [read_report(found) for found in self._audits.newest(chain, limit, before, among)]

    def _settle(self, chain: str) -> str | None:
        """Settle; return what prevents it, if anything does. As a rule the audit finds the same, and says where."""
        try:
            self._store.settle(chain)
        except CorruptionError as error:
            return str(error)
        except StoreError:
            return None  # MongoDB can't be reached: the audit's own reads say so, if it still is the case
        return None

    def _pool(self, run: AuditRun) -> AbstractContextManager[WorkerPool | None]:
        end = run.report.to_seq if run.report.status == "running" else None
        if self._workers is None or end is None:
            return nullcontext()
        return self._workers.start(run.report.chain, run.read_at, start=run.position, end=end, step=scan.STEP)

    def _millis(self) -> int:
        return int(self._clock() * 1000)
