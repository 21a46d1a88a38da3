"""The audit of one chain: sequence document, every stored document, every link, the Merkle root, every anchor.

It reads what is anchored, then ``sequences``, then what stands outside the settled part, then ``sequences`` again, so
that appends, settling and other audits under way never look like tampering (``plan.py``); then it streams the settled
part, in steps that are stored, so that it can be resumed (``scan.py``). Memory stays flat. What it found intact it
signs and anchors (``conclude.py``).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit import scan
from eventlog.audit.anchored import AuditAnchors, with_unanchored
from eventlog.audit.conclude import Conclusion, conclude
from eventlog.audit.database import DatabaseAudit, concluded
from eventlog.audit.going_round import GoingRound, RoundOutcome, RoundParts
from eventlog.audit.heads import AllHeads
from eventlog.audit.index_results import IndexResults
from eventlog.audit.keeper import Keeper, given_up
from eventlog.audit.marks import Marks
from eventlog.audit.notices import Notices, Silence
from eventlog.audit.plan import check_outside, plan
from eventlog.audit.preparing import NOTHING, Preparation
from eventlog.audit.progress import Backlog, backlog
from eventlog.audit.report import AuditReport, Mode, new_report
from eventlog.audit.reports import Reports
from eventlog.audit.resuming import Resuming
from eventlog.audit.rolling import Rolling
from eventlog.audit.rounds import Rounds
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.segments import Segments
from eventlog.audit.shared_work import SharedWorker
from eventlog.audit.spreading import Spreading
from eventlog.audit.standings import StandingKeeper
from eventlog.audit.vouchers import DEFAULT_HOURS, Vouchers
from eventlog.audit.workers import WorkerPool, Workers
from eventlog.errors import NotFoundError
from eventlog.store.errors import CorruptionError, CredentialsRefusedError, StoreError, StoreUnavailableError
from eventlog.store.interface import EventStore
from eventlog.store.interface.audits import AuditDatabase
from eventlog.verify.findings import Finding

if TYPE_CHECKING:  # where no witnesses are asked, no start pays for what asks them
    from eventlog.audit.witnessed import WitnessView


class Auditor(Reports):
    """Starts, runs and resumes audits. Without ``anchoring`` the chain alone is checked. ``clock`` gives seconds.

    ``set_up``: an operator has set the database up (``DatabaseAudit``). ``full_audit_hours``: after so long a full
    round is missing, and what was signed to go on from counts no more. ``last_word``: what these audits say stands.
    ``rehash_days``: within so many days full audits of the schedule re-hash each event; 0: each one, each time.
    ``governance``: the public keys whose orders to erase count, 32 bytes each.
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
        full_audit_hours: int = DEFAULT_HOURS,
        last_word: bool = True,
        witnessed: "WitnessView | None" = None,
        rehash_days: int = 0,
        segment_events: int | None = None,
        governance: Sequence[bytes] = (),
    ) -> None:
        super().__init__(audits)
        # Without anchoring it only signs nothing; without workers it does all of it itself.
        self._notices = notices or Silence()
        self._audits, self._store = audits, store
        self.standings = StandingKeeper(audits.standings, anchoring, self._notices, origin=origin, clock=self._millis)
        self._keeper = Keeper(audits, self._notices, self.standings if last_word else None)
        self._witnessed = witnessed
        self._database = DatabaseAudit(audits.database, set_up=set_up)
        self._origin, self._clock, self._workers, self._governance = origin, clock, workers, governance
        self._preparation = Preparation(audits)
        vouchers = Vouchers(anchoring, self._millis, full_audit_hours * 3_600_000)
        self.heads = AllHeads(
            audits.all_heads, store, anchoring, vouchers, self._notices, origin=origin, clock=self._millis
        )
        self._anchors = AuditAnchors(store, anchoring, origin, self._millis, vouchers=vouchers, heads=self.heads)
        self._segments = Segments(audits, anchoring, origin, self._millis, segment_events) if anchoring else None
        self._rolling = Rolling(self._segments, self.standings, days=rehash_days, hours=full_audit_hours)
        self._index_results = IndexResults(audits, vouchers, origin)
        self._rounds = Rounds(audits, anchoring, vouchers, self._notices, origin=origin, clock=self._millis)
        self._resuming = Resuming(
            audits, self._keeper, self._anchors, self._notices, go_on=self.run, clock=self._millis
        )

    def start(self, chain: str, mode: Mode) -> AuditRun:
        """Check the sequence document and what stands outside the settled part; store the report as running.

        Raises:
            NotFoundError: no such chain.
            StoreError: MongoDB can't be reached.
        """
        return self._begin(OpenReport(new_report(chain, mode, self._millis())))

    def _begin(self, opened: OpenReport, *, scheduled: bool = False) -> AuditRun:
        """Do what ``start`` does, on a report that the caller holds: what is found is in it, even if this raises.

        An audit of the schedule may rest on what earlier ones have signed (``rolling.py``), no other does.
        """
        try:
            run = self._plan(opened, self._preparation.settled if scheduled else NOTHING, alone=not scheduled)
            run.trusts_since = self._rolling.trusts_since(run) if scheduled else None
            if scheduled and scan.is_short(run):
                self._keeper.tell(run.report)  # it is stored once, when it is done: until then there is nothing to keep
            else:
                self._keeper.begin(run)
            return run
        except Exception:
            self._keeper.tell(opened.report)  # whatever stops the audit must not silence what it has found so far
            raise

    def _plan(self, opened: OpenReport, settled: Mapping[str, str], *, alone: bool) -> AuditRun:
        chain = opened.report.chain
        # What is anchored is read first: what the database says later must reach at least as far.
        standing = self._anchors.look(opened, settled.get(chain), alone=alone)
        # Settling leaves few events outside the part that is streamed. If it fails because something is damaged, the
        # reads that follow find out what, and where; if they don't, that it failed is the finding.
        damage = None if chain in settled else self._settle(chain)
        outside = check_outside(self._audits, opened)
        if damage and not opened.report.findings:
            opened.emit(Finding("unexpected", None, None, None, f"what is pending can't be settled: {damage}"))
        # A chain of which nothing is there, and of which nothing says that it ever was, does not exist.
        anchored = standing is not None and standing.last
        if outside.image is None and not (anchored or opened.report.findings or opened.report.incomplete_because):
            raise NotFoundError(f"There is no chain {chain}.")
        if self._witnessed is not None:
            self._witnessed.look(opened)
        run = plan(self._audits, opened, outside, standing, self._origin)
        run.report = with_unanchored(run.report, run.size)
        return run

    def run(self, run: AuditRun, seconds: float) -> AuditReport:
        """Continue a running audit until it is done or time is up; return the report as stored."""
        until = time.monotonic() + seconds
        with self._pool(run) as pool:
            if run.report.status == "running":
                if run.trusts_since is not None:
                    self._index_results.take_over(run)
                marks = Marks(run, self._anchors.steps(run))
                way = scan.Pass(self._audits, run, marks, pool, self._segments, governance=self._governance)
                try:
                    with closing(way):
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
            # Time is looked at after the step: every call gets at least one step further.
            over = time.monotonic() >= until
            if over:
                way.pause()
            self._keep(run, conclusion, over=over)

    def _keep(self, run: AuditRun, conclusion: Conclusion | None, *, over: bool) -> None:
        """Store the state after a step. ``over``: this process stops here, and any process may resume the audit."""
        run.lease = self._millis()
        if over:
            run.let_go(run.lease)
            if conclusion is None:
                self._anchors.vouch(run)
        if conclusion is not None:
            self._keeper.keep(conclusion.report, run.lease, conclusion.verified)
        elif not self._keeper.keep_run(run) and over:
            because = "how far it came could not be stored, so nobody can go on with it"
            run.report = given_up(run.report, because, self._millis())
            self._keeper.keep_run(run)

    def resume(self, seconds: float) -> list[AuditReport]:
        """Continue the audits that no process is working on; return their reports."""
        with suppress(StoreError):  # each audit says so
            self._anchors.begin_anew()
        return list(self._resuming.each(seconds))

    def _audit(self, chain: str, mode: Mode, until: float) -> AuditReport | None:
        """Start and run one audit of the schedule; None: there is no such chain."""
        opened = OpenReport(new_report(chain, mode, self._millis()))
        try:
            opened = run = self._begin(opened, scheduled=True)
            return self.run(run, max(0.0, until - time.monotonic()))
        except NotFoundError:  # there is no registry yet; or nothing is left of a chain, or says that it ever was
            self.standings.pass_over(opened.report)
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
        else:
            self.standings.pass_over(opened.report)
        return report

    def audit_all(self, mode: Mode, seconds: float) -> list[AuditReport]:
        """Resume what is running, then audit every chain, those that are gone too: what the schedule does.

        Raises:
            StoreUnavailableError: a chain could not be audited, or the database does not say which there are.
        """
        return list(self.each(mode, seconds))

    def each(self, mode: Mode, seconds: float, outcome: RoundOutcome | None = None) -> Iterator[AuditReport]:
        """Do what ``audit_all`` does, and yield each report as soon as it is there (``going_round.py``)."""
        self.standings.check()
        self.heads.load()
        work = RoundParts(
            rounds=self._rounds,
            resuming=self._resuming,
            audit=self._audit,
            names=partial(self._names, mode),
            prepare=self._preparation.prepare,
            commit=lambda finished: self.heads.commit(finished=finished),
            odd_rows=self._audit_database,
            gathering=self._anchors.gathering,
            notices=self._notices,
            clock=self._millis,
        )
        return GoingRound(work, mode, seconds, outcome or RoundOutcome()).each()

    @property
    def spreading(self) -> Spreading | None:
        """What plans a round that several invocations share; None where nothing is signed, so nothing is believed."""
        if self._segments is None:
            return None
        return Spreading(
            self._audits,
            self._segments,
            self._rounds,
            self._anchors,
            self._keeper,
            notices=self._notices,
            begin=lambda opened: self._begin(opened, scheduled=True),
            names=self._names_anew,
            clock=self._millis,
        )

    @property
    def shared(self) -> SharedWorker | None:
        """What does a part of an audit that several invocations share; None as above."""
        if self._segments is None:
            return None
        return SharedWorker(
            self._audits, self._segments, self._index_results, self._keeper, self._millis, governance=self._governance
        )

    def _names_anew(self) -> list[str]:
        """List the chains of a full round that several invocations share, which begins with this."""
        with suppress(StoreError):  # each audit says so
            self._anchors.begin_anew()
        return self._names("full")

    def _names(self, mode: Mode) -> list[str]:
        """List the chains of a round: a full one goes over all, an incremental one over those that are not idle."""
        found = self.standings.chains()
        if mode == "incremental":
            return self.heads.select(found, self._anchors.names)
        return self._anchors.names([*self._audits.chain_names(), *found]).every

    def full_age(self) -> float | None:
        """Tell how many seconds ago the newest finished full round has begun; None: nothing that counts says so."""
        return self._rounds.full_age()

    def backlog(self) -> Backlog:
        """Count what waits to be settled, in all chains."""
        return backlog(self._audits.heads(), self._millis())

    def leftover_payloads(self, seconds: float) -> int:
        """Count payloads that no event has, long after they were stored apart; for so long at most."""
        return self._audits.database.leftover_payloads(seconds)

    def _settle(self, chain: str) -> str | None:
        """Settle; return what prevents it, if anything does. As a rule the audit finds the same, and says where."""
        with suppress(StoreError):  # MongoDB can't be reached: the audit's own reads say so, if it still is the case
            try:
                self._store.settle(chain)
            except CorruptionError as error:
                return str(error)
        return None

    def _pool(self, run: AuditRun) -> AbstractContextManager[WorkerPool | None]:
        end = run.report.to_seq if run.report.status == "running" else None
        # Whole segments are not for workers, which have shorter ones: several invocations share those (spreading.py).
        if self._workers is None or end is None or run.trusts_since is not None:
            return nullcontext()
        return self._workers.start(run.report.chain, run.read_at, start=run.position, end=end, step=scan.STEP)

    def _millis(self) -> int:
        return int(self._clock() * 1000)
