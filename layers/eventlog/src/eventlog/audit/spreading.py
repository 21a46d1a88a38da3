"""A full round in which several invocations share the long chains.

The plan begins the round as an invocation does that runs out of time at once: it starts the audits of the long chains,
stores them, and lists what there is to do for them. Each item is done by an invocation of its own, in any order
(``shared_work.py``). What they find out they sign. Then the round goes on as any other (``going_round.py``): its audits
are resumed, take over what was signed, and do themselves what nobody did. So nothing depends on any one of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from eventlog.audit.anchored import AuditAnchors
from eventlog.audit.keeper import Keeper
from eventlog.audit.notices import Notices
from eventlog.audit.report import new_report
from eventlog.audit.round import new_round
from eventlog.audit.rounds import Rounds
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.running import RunningAudits
from eventlog.audit.segments import Segments
from eventlog.errors import NotFoundError
from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.audits import AuditDatabase

LEAST_SEGMENTS = 4
"""A chain with fewer is audited by one process: starting others would take as long."""
MAX_ITEMS = 1000
"""What AWS Step Functions takes from one state to the next is 256 KiB; an item has some 150 bytes."""


class SharedWork(TypedDict):
    """A part of an audit: so many ``segments`` from ``start`` on, or the count of its events by an ``index``."""

    audit: str
    chain: str
    start: NotRequired[int]
    segments: NotRequired[int]
    index: NotRequired[str]


@dataclass(frozen=True, slots=True)
class SharedRound:
    """What there is to do of a full round. ``begun``: its id if it begins now; empty if it is gone on with."""

    work: list[SharedWork]
    begun: str


class Spreading:
    """Plans rounds whose long chains are shared."""

    def __init__(
        self,
        audits: AuditDatabase,
        segments: Segments,
        rounds: Rounds,
        anchors: AuditAnchors,
        keeper: Keeper,
        *,
        notices: Notices,
        running: RunningAudits,
        names: Callable[[], Iterable[str]],
        clock: Callable[[], int],
    ) -> None:
        self._audits, self._segments, self._rounds = audits, segments, rounds
        self._anchors, self._keeper, self._notices = anchors, keeper, notices
        self._running, self._names, self._clock = running, names, clock

    def plan(self, least: int = LEAST_SEGMENTS) -> SharedRound:
        """Begin a full round, or go on with one; start the audits of chains of ``least`` segments, and share them.

        Raises:
            StoreError: the database can't be reached.
        """
        left = self._rounds.find("full")
        found = left or new_round("full", self._names(), self._clock())
        sizes = {head.chain: head.size - head.pending for head in self._audits.heads()}
        work: list[SharedWork] = []
        for chain in list(found.left):
            if sizes.get(chain, 0) < least * self._segments.size:
                continue
            # What keeps one from being begun, the round says once it comes to that chain.
            if (run := self._started(chain)) is not None:
                found.count(run.report)
                work += self._work(run)
        self._rounds.settle(found)
        return SharedRound(work[:MAX_ITEMS], found.round_id if left is None else "")

    def _started(self, chain: str) -> AuditRun | None:
        """Start a chain's audit and store it for others to work on; None if that can't be done."""
        try:
            run = self._running.begin(OpenReport(new_report(chain, "full", self._clock())), scheduled=True)
            if run.trusts_since is None:  # no result of an earlier audit counts, but those that are made for it do
                run.trusts_since = run.report.started_at
            run.lease = self._clock()
            self._anchors.vouch(run)
            return run if self._keeper.keep_run(run) else None
        except CredentialsRefusedError:
            raise
        except NotFoundError:
            return None
        except Exception as error:  # one chain's damage must not keep the others from being audited
            told = error if isinstance(error, StoreError) else StoreError(f"{type(error).__name__}: {error}")
            self._notices.failed("an audit that others were to share could not be begun", chain, told)
            return None

    def _work(self, run: AuditRun) -> Iterable[SharedWork]:
        """List what there is to do: the indexes first, as one of them takes longer than a segment."""
        audit, chain = run.report.audit_id, run.report.chain
        yield from (SharedWork(audit=audit, chain=chain, index=name) for name in run.counted or ())
        due = self._segments.due(run)
        most = -(-len(due) // (MAX_ITEMS // 2))
        first = count = 0
        for start in due:
            # Those that stand side by side go into one item, so that there are never too many items.
            if count and (start != first + count * self._segments.size or count == most):
                yield SharedWork(audit=audit, chain=chain, start=first, segments=count)
                count = 0
            first, count = (start, 1) if not count else (first, count + 1)
        if count:
            yield SharedWork(audit=audit, chain=chain, start=first, segments=count)
