"""One part of a long chain's audit, done by an invocation of its own (``spreading.py``).

What it is given says where to look; what it says it has seen itself. So nobody gains by handing it something else. What
it finds is told at once, and the audit that takes the results over says it once more, with everything else.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventlog.audit.erasures import Erasures
from eventlog.audit.index_results import IndexResults
from eventlog.audit.keeper import Keeper
from eventlog.audit.marks import Marks
from eventlog.audit.run import AnchorWalk, AuditRun
from eventlog.audit.run_documents import read_run
from eventlog.audit.scan import Pass
from eventlog.audit.segments import Segments
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.audits import AuditDatabase, Counted
from eventlog.stored.errors import NotOursError
from eventlog.verify.verifier import VerifierState

_COUNT_STEP = 1 << 17
_OVER = "there is no such audit at work"


@dataclass(slots=True)
class SharedWorkDone:
    """What became of an item. ``skipped``: why nothing was done."""

    intact: int = 0
    """Segments that have a clean result now."""

    tampered: int = 0
    """Segments in which something was found."""

    counted: int = 0
    """Events that the index showed."""

    skipped: str | None = None


class SharedWorker:
    """Does items, for ``seconds`` each at most."""

    def __init__(
        self,
        audits: AuditDatabase,
        segments: Segments,
        indexes: IndexResults,
        keeper: Keeper,
        clock: Callable[[], int],
        *,
        governance: Sequence[bytes] = (),
    ) -> None:
        self._audits, self._segments, self._indexes = audits, segments, indexes
        self._keeper, self._clock, self._governance = keeper, clock, governance

    def do(self, item: Mapping[str, Any], seconds: float) -> SharedWorkDone:
        """Do one item: re-hash its segments, or count through its index, and keep what came of it, signed.

        Raises:
            StoreError: the database or a key can't be reached.
        """
        until = time.monotonic() + seconds
        run = self._run(str(item.get("audit")), str(item.get("chain")))
        if run is None:  # it has ended, or another version goes on with it
            return SharedWorkDone(skipped=_OVER)
        self._audits.renew(run.report.audit_id)
        if "index" in item:
            return self._count(run, str(item["index"]), until)
        done, size = SharedWorkDone(), self._segments.size
        first, segments = int(item["start"]), int(item["segments"])
        for start in range(first, first + segments * size, size):
            if time.monotonic() >= until:
                break
            if start in self._segments.starts(run):
                self._rehash(run, start, done)
        return done

    def _run(self, audit_id: str, chain: str) -> AuditRun | None:
        """Read the audit. It is not asked whether it is signed: it says what to read, and since when."""
        try:
            stored = self._audits.get(audit_id)
            run = None if stored is None else read_run(stored)
        except NotOursError:
            return None
        if run is None or run.report.status != "running" or run.report.chain != chain or run.trusts_since is None:
            return None
        return run

    def _rehash(self, run: AuditRun, start: int, done: SharedWorkDone) -> None:
        if self._segments.counted(run, start) is not None:
            done.intact += 1
            return
        began = self._clock()
        accepts = Erasures(self._audits, run, self._governance).accepts
        if (note := self._segments.make(run, start, accepts)) is not None:
            self._segments.keep(note)
            done.intact += 1
        elif found := self._go_over(run, start):
            self._segments.condemn(run, start, began, found)
            done.tampered += 1

    def _go_over(self, run: AuditRun, start: int) -> int:
        """Find out what is wrong with a segment, and tell it; return how many findings there are.

        What stands before the segment is not known here, so its first link and the nodes that reach beyond it are not
        compared: the audit that takes over does that.
        """
        end, report = start + self._segments.size, run.report
        part = replace(
            run,
            report=replace(report, from_seq=start, findings=(), findings_total=0),
            walk=AnchorWalk(),
            known=None,
            position=start,
            state=VerifierState(start, [], [None] * start.bit_count()),
            counted=None,
            trusts_since=None,
            voucher=None,
        )
        way = Pass(self._audits, part, Marks(part, iter(())), None, governance=self._governance)
        try:
            while part.position < end and not way.step():
                pass
        finally:
            way.close()
            self._keeper.tell(part.report)  # whatever stops it must not silence what it has found so far
        return part.report.findings_total

    def _count(self, run: AuditRun, index: str, until: float) -> SharedWorkDone:
        """Count through an index, to the end or as far as there is time for: the audit goes on from there."""
        end, counted = run.report.to_seq, (run.counted or {}).get(index)
        if counted is None or end is None:
            return SharedWorkDone(skipped=f"nothing is counted through {index[:100]}")
        try:
            while not counted.done and time.monotonic() < until:
                counted = self._further(run, index, end, counted)
        except CorruptionError:  # a key that can't be decoded: the audit says so
            return SharedWorkDone(skipped="it can't be counted")
        self._indexes.keep(run, index, counted)
        return SharedWorkDone(counted=counted.events)

    def _further(self, run: AuditRun, index: str, end: int, counted: Counted) -> Counted:
        found = self._audits.count_through(run.report.chain, index, end, counted, _COUNT_STEP, after=run.read_at)
        self._audits.renew(run.report.audit_id)
        return found
