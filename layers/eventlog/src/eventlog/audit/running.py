"""One audit of a chain: sequence document, every stored document, every link, the Merkle root, every anchor.

It reads what is anchored, then ``sequences``, then what stands outside the settled part, then ``sequences`` again, so
that appends, settling and other audits under way never look like tampering (``plan.py``); then it streams the settled
part, in steps that are stored, so that it can be resumed (``scan.py``). Memory stays flat. What it found intact it
signs and anchors (``conclude.py``).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventlog.audit import scan
from eventlog.audit.anchored import AuditAnchors, with_unanchored
from eventlog.audit.conclude import Conclusion, conclude
from eventlog.audit.index_results import IndexResults
from eventlog.audit.keeper import Keeper, given_up
from eventlog.audit.marks import Marks
from eventlog.audit.plan import check_outside, plan
from eventlog.audit.preparing import NOTHING, Preparation
from eventlog.audit.report import AuditReport
from eventlog.audit.rolling import Rolling
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.segments import Segments
from eventlog.audit.workers import WorkerPool, Workers
from eventlog.errors import NotFoundError
from eventlog.store.errors import CorruptionError, StoreError
from eventlog.store.interface import EventStore
from eventlog.store.interface.audits import AuditDatabase
from eventlog.verify.findings import Finding

if TYPE_CHECKING:  # where no witnesses are asked, no start pays for what asks them
    from eventlog.audit.witnessed import WitnessView


@dataclass(slots=True, kw_only=True)
class RunningAudits:
    """Begins audits, and takes each to its end or as far as time allows.

    ``preparation`` has the chains that their round has just settled. Without ``workers`` all is done here, without
    ``segments`` nothing that was signed of a chain's parts is taken over. ``governance``: as in ``Auditor``.
    """

    store: EventStore
    audits: AuditDatabase
    origin: str
    anchors: AuditAnchors
    keeper: Keeper
    preparation: Preparation
    rolling: Rolling
    index_results: IndexResults
    segments: Segments | None
    workers: Workers | None
    witnessed: "WitnessView | None"
    governance: Sequence[bytes]
    clock: Callable[[], int]

    def begin(self, opened: OpenReport, *, scheduled: bool = False) -> AuditRun:
        """Check the sequence document and what stands outside the settled part; store the report as running.

        The caller holds the report: what is found is in it, even if this raises. An audit of the schedule may rest on
        what earlier ones have signed (``rolling.py``), no other does.

        Raises:
            NotFoundError: no such chain.
            StoreError: MongoDB can't be reached.
        """
        try:
            run = self._plan(opened, self.preparation.settled if scheduled else NOTHING, alone=not scheduled)
            run.trusts_since = self.rolling.trusts_since(run) if scheduled else None
            if scheduled and scan.is_short(run):
                self.keeper.tell(run.report)  # it is stored once, when it is done: until then there is nothing to keep
            else:
                self.keeper.begin(run)
            return run
        except Exception:
            self.keeper.tell(opened.report)  # whatever stops the audit must not silence what it has found so far
            raise

    def _plan(self, opened: OpenReport, settled: Mapping[str, str], *, alone: bool) -> AuditRun:
        chain = opened.report.chain
        # What is anchored is read first: what the database says later must reach at least as far.
        standing = self.anchors.look(opened, settled.get(chain), alone=alone)
        # Settling leaves few events outside the part that is streamed. If it fails because something is damaged, the
        # reads that follow find out what, and where; if they don't, that it failed is the finding.
        damage = None if chain in settled else self._settle(chain)
        outside = check_outside(self.audits, opened)
        if damage and not opened.report.findings:
            opened.emit(Finding("unexpected", None, None, None, f"what is pending can't be settled: {damage}"))
        # A chain of which nothing is there, and of which nothing says that it ever was, does not exist.
        anchored = standing is not None and standing.last
        if outside.image is None and not (anchored or opened.report.findings or opened.report.incomplete_because):
            raise NotFoundError(f"There is no chain {chain}.")
        if self.witnessed is not None:
            self.witnessed.look(opened)
        run = plan(self.audits, opened, outside, standing, self.origin)
        run.report = with_unanchored(run.report, run.size)
        return run

    def run(self, run: AuditRun, seconds: float) -> AuditReport:
        """Continue a running audit until it is done or time is up; return the report as stored."""
        until = time.monotonic() + seconds
        with self._pool(run) as pool:
            if run.report.status == "running":
                if run.trusts_since is not None:
                    self.index_results.take_over(run)
                marks = Marks(run, self.anchors.steps(run))
                way = scan.Pass(self.audits, run, marks, pool, self.segments, governance=self.governance)
                try:
                    with closing(way):
                        self._go_on(run, way, until)
                except Exception:
                    self.keeper.tell(run.report)  # as in ``begin``
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
                conclusion = conclude(run, self.anchors, self.clock)
                run.report = conclusion.report
            # Time is looked at after the step: every call gets at least one step further.
            over = time.monotonic() >= until
            if over:
                way.pause()
            self._keep(run, conclusion, over=over)

    def _keep(self, run: AuditRun, conclusion: Conclusion | None, *, over: bool) -> None:
        """Store the state after a step. ``over``: this process stops here, and any process may resume the audit."""
        run.lease = self.clock()
        if over:
            run.let_go(run.lease)
            if conclusion is None:
                self.anchors.vouch(run)
        if conclusion is not None:
            self.keeper.keep(conclusion.report, run.lease, conclusion.verified)
        elif not self.keeper.keep_run(run) and over:
            because = "how far it came could not be stored, so nobody can go on with it"
            run.report = given_up(run.report, because, self.clock())
            self.keeper.keep_run(run)

    def _settle(self, chain: str) -> str | None:
        """Settle; return what prevents it, if anything does. As a rule the audit finds the same, and says where."""
        with suppress(StoreError):  # MongoDB can't be reached: the audit's own reads say so, if it still is the case
            try:
                self.store.settle(chain)
            except CorruptionError as error:
                return str(error)
        return None

    def _pool(self, run: AuditRun) -> AbstractContextManager[WorkerPool | None]:
        end = run.report.to_seq if run.report.status == "running" else None
        # Whole segments are not for workers, which have shorter ones: several invocations share those (spreading.py).
        if self.workers is None or end is None or run.trusts_since is not None:
            return nullcontext()
        return self.workers.start(run.report.chain, run.read_at, start=run.position, end=end, step=scan.STEP)
