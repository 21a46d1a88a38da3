"""Audits of single chains, and rounds of audits over all of them: puts together what they work with.

What one audit does is in ``running.py``, what a round does in ``going_round.py``.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit.anchored import AuditAnchors
from eventlog.audit.database import DatabaseAudit, concluded
from eventlog.audit.going_round import GoingRound, RoundOutcome, RoundParts
from eventlog.audit.heads import AllHeads
from eventlog.audit.index_results import IndexResults
from eventlog.audit.keeper import Keeper
from eventlog.audit.notices import Notices, Silence
from eventlog.audit.preparing import Preparation
from eventlog.audit.progress import Backlog, backlog
from eventlog.audit.report import AuditReport, Mode, new_report
from eventlog.audit.reports import Reports
from eventlog.audit.resuming import Resuming
from eventlog.audit.rolling import Rolling
from eventlog.audit.rounds import Rounds
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.running import RunningAudits
from eventlog.audit.segments import Segments
from eventlog.audit.shared_work import SharedWorker
from eventlog.audit.spreading import Spreading
from eventlog.audit.standings import StandingKeeper
from eventlog.audit.vouchers import DEFAULT_HOURS, Vouchers
from eventlog.audit.workers import Workers
from eventlog.errors import NotFoundError
from eventlog.store.errors import CredentialsRefusedError, StoreError, StoreUnavailableError
from eventlog.store.interface import EventStore
from eventlog.store.interface.audits import AuditDatabase

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
        self._audits = audits
        self.standings = StandingKeeper(audits.standings, anchoring, self._notices, origin=origin, clock=self._millis)
        self._keeper = Keeper(audits, self._notices, self.standings if last_word else None)
        self._database = DatabaseAudit(audits.database, set_up=set_up)
        self._clock, self._governance = clock, governance
        self._preparation = Preparation(audits)
        vouchers = Vouchers(anchoring, self._millis, full_audit_hours * 3_600_000)
        self.heads = AllHeads(
            audits.all_heads, store, anchoring, vouchers, self._notices, origin=origin, clock=self._millis
        )
        self._anchors = AuditAnchors(store, anchoring, origin, self._millis, vouchers=vouchers, heads=self.heads)
        self._segments = Segments(audits, anchoring, origin, self._millis, segment_events) if anchoring else None
        self._index_results = IndexResults(audits, vouchers, origin)
        self._rounds = Rounds(audits, anchoring, vouchers, self._notices, origin=origin, clock=self._millis)
        self._running = RunningAudits(
            store=store,
            audits=audits,
            origin=origin,
            anchors=self._anchors,
            keeper=self._keeper,
            preparation=self._preparation,
            rolling=Rolling(self._segments, self.standings, days=rehash_days, hours=full_audit_hours),
            index_results=self._index_results,
            segments=self._segments,
            workers=workers,
            witnessed=witnessed,
            governance=governance,
            clock=self._millis,
        )
        self._resuming = Resuming(
            audits, self._keeper, self._anchors, self._notices, running=self._running, clock=self._millis
        )

    def start(self, chain: str, mode: Mode) -> AuditRun:
        """Check the sequence document and what stands outside the settled part; store the report as running.

        Raises:
            NotFoundError: no such chain.
            StoreError: MongoDB can't be reached.
        """
        return self._running.begin(OpenReport(new_report(chain, mode, self._millis())))

    def run(self, run: AuditRun, seconds: float) -> AuditReport:
        """Continue a running audit until it is done or time is up; return the report as stored."""
        return self._running.run(run, seconds)

    def resume(self, seconds: float) -> list[AuditReport]:
        """Continue the audits that no process is working on; return their reports."""
        with suppress(StoreError):  # each audit says so
            self._anchors.begin_anew()
        return list(self._resuming.each(seconds))

    def _audit(self, chain: str, mode: Mode, until: float) -> AuditReport | None:
        """Start and run one audit of the schedule; None: there is no such chain."""
        opened = OpenReport(new_report(chain, mode, self._millis()))
        try:
            opened = run = self._running.begin(opened, scheduled=True)
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
            self._keeper.tell(opened.report)  # as in ``running.py``
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

    def each(
        self, mode: Mode, seconds: float, outcome: RoundOutcome | None = None, *, concludes: str = ""
    ) -> Iterator[AuditReport]:
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
        return GoingRound(work, mode, seconds, outcome or RoundOutcome(), concludes=concludes).each()

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
            running=self._running,
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

    def _millis(self) -> int:
        return int(self._clock() * 1000)
