"""The scan of the settled part of a chain, in steps that can be stored, with a check at each mark on the way."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from eventlog.audit import segment_join
from eventlog.audit.erasures import Erasures
from eventlog.audit.index_counts import IndexCounts
from eventlog.audit.marks import Mark, Marks
from eventlog.audit.report import SkewSummary
from eventlog.audit.run import AuditRun
from eventlog.audit.segments import Segments
from eventlog.audit.workers import WorkerPool
from eventlog.formats.event import ChainState
from eventlog.store.errors import StoreError
from eventlog.store.interface.audits import AuditDatabase
from eventlog.stored.bodies import split
from eventlog.stored.fields import floor_of_seq
from eventlog.verify.fast_path import ClockSkew, Segment, segment_roots
from eventlog.verify.verifier import ChainVerifier

STEP = 8192
"""Events in a step; a power of two, for segments (fast_path.py)."""
_CHUNK = 500
_BEYOND = 2**63 - 1
"""No event has this seq or a higher one: rows there are strays, which the plan has read (``ChainReads.outside``)."""
_RENEW_SECONDS = 2.0


def is_short(run: AuditRun) -> bool:
    """Whether an audit that has found nothing so far will be at its end with its first step."""
    end = run.report.to_seq
    return (
        run.report.mode == "incremental"
        and not run.report.findings_total
        and end is not None
        and end <= (run.position // STEP + 1) * STEP
    )


class Pass:
    """Continues one running audit. ``pool``: the workers that verify ahead of it; None: it works alone.

    ``segments``: results of segments, if the audit trusts any. ``governance``: the keys that order erasures. ``close``
    it in the end.
    """

    def __init__(
        self,
        audits: AuditDatabase,
        run: AuditRun,
        marks: Marks,
        pool: WorkerPool | None,
        segments: Segments | None = None,
        *,
        governance: Sequence[bytes] = (),
    ) -> None:
        self._audits = audits
        self._segments = segments
        self._run = run
        self._marks = marks
        self._pool = pool
        self._erasures = Erasures(audits, run, governance)
        self._counts = IndexCounts(audits, run)

    def step(self) -> bool:
        """Verify the next documents, up to a multiple of ``STEP`` or a segment; return whether the end is reached."""
        run, skew = self._run, ClockSkew()
        verifier = ChainVerifier(run.state, run.emit, skew, self._audits.rules)
        start, end = run.position, run.report.to_seq
        whole = self._segments.end(run) if self._segments else None
        stop = whole or (start // STEP + 1) * STEP
        stop = stop if end is None else min(stop, end)
        marks = self._marks.take(stop)
        if self._take_over(verifier, marks, start) if whole else self._ask_pool(verifier, marks, start, stop):
            # Exactly these events were verified, lately or by a worker just now, and nothing was wrong.
            run.position, done = stop, stop == end
        else:
            # There is no worker, or something is wrong: the audit itself says what and where.
            done = self._go_over(verifier, marks, stop)
        run.report = replace(run.report, skew=_added(run.report.skew, skew))
        self._erasures.judge(verifier.seen)
        if done:
            self._counts.finish(STEP)
        else:
            self._counts.advance(max(STEP, stop - start))
        return done

    def pause(self) -> None:
        """Wait for what is under way beside the scan, so that it is in the run that is stored."""
        self._counts.wait()

    def close(self) -> None:
        """End what is under way beside the scan."""
        self._counts.close()

    def finish(self) -> None:
        """Check the marks that are left, on the pending events, whose entries were checked at the start."""
        self._erasures.finish()
        marks, state = self._marks.take(2**63), self._run.state
        frontier = [node for node in state.frontier if node is not None]
        if state.hole or len(state.links) != 1 or len(frontier) < len(state.frontier):
            return  # after a finding that left the head unknown nothing can be said of what follows it
        head = ChainState(state.size, state.links[0], frontier)
        for content_hash in self._run.tail:
            head.append(content_hash)
            for mark in marks:
                if mark.size == head.size:
                    self._marks.check(mark, head.root, [head.hash])

    def _go_over(self, verifier: ChainVerifier, marks: list[Mark], stop: int) -> bool:
        """Verify the documents up to ``stop`` here; return whether nothing is left.

        A segment is gone over in the same steps as without segments: so what is found of it is the same.
        """
        run = self._run
        while True:
            until = min((run.position // STEP + 1) * STEP, stop)
            before = [mark for mark in marks if mark.size <= until]
            marks = [mark for mark in marks if mark.size > until]
            run.position, done = self._scan(verifier, before, run.position, until)
            # Looked at once even if the audit is at its end already: only that says that nothing is left.
            if done or run.position >= stop:
                return done

    def _take_over(self, verifier: ChainVerifier, marks: list[Mark], start: int) -> bool:
        """Go on over a segment that has a result which counts, or gets one now; False if something is wrong in it."""
        assert self._segments is not None
        note = self._segments.counted(self._run, start)
        if note is None:
            note = self._segments.make(self._run, start, self._erasures.accepts)
            if note is not None:
                with suppress(StoreError):  # this audit needs no signature for what it saw itself
                    self._segments.keep(note)
        if note is None or not segment_join.join(self._audits, self._run, verifier, note, marks):
            return False
        self._segments.count(self._run, note)
        self._run.ordered += note.erasures
        self._erasures.count(note.erased)
        for mark in marks:
            self._marks.check_state(mark, verifier.state)
        return True

    def _ask_pool(self, verifier: ChainVerifier, marks: list[Mark], start: int, stop: int) -> bool:
        """Go on over what a worker has verified; False if none has, or if something is wrong in it."""
        segment = self._pool.segment(start) if self._pool else None
        if segment is None or not self._join(verifier, segment, marks):
            return False
        self._count(stop - start)
        return True

    def _join(self, verifier: ChainVerifier, segment: Segment, marks: list[Mark]) -> bool:
        """Skip a worker's segment and check the marks in it; False if it does not follow what was verified."""
        left = [node for node in verifier.state.frontier if node is not None]
        known = len(left) == len(verifier.state.frontier)
        if not verifier.join(segment):
            return False
        inside = [mark for mark in marks if segment.start < mark.size <= segment.size]
        roots = segment_roots(left, segment, dict.fromkeys(mark.size for mark in inside))
        for mark in inside:
            place = (mark.size - 1 - segment.start) * 32
            self._marks.check(mark, roots[mark.size] if known else None, [segment.leaves[place : place + 32]])
        for mark in marks:
            self._marks.check_state(mark, verifier.state)
        return True

    def _scan(self, verifier: ChainVerifier, marks: list[Mark], start: int, stop: int) -> tuple[int, bool]:
        """Verify the documents from ``start`` to ``stop``; return where to go on, and whether nothing is left."""
        run = self._run
        chain, end, after = run.report.chain, run.report.to_seq, run.read_at
        # An audit of a chain that has not grown is at its end from the start: there is nothing to ask for.
        rows = self._audits.scan(chain, start, stop, after=after) if start < stop else iter(())
        renewed = time.monotonic()
        goals = iter([*marks, None])
        mark = next(goals)
        while True:
            # The verifier stops at each mark, where it alone has the root and the hash to hold against it.
            while mark is not None and verifier.state.position >= mark.size:
                self._marks.check_state(mark, verifier.state)
                mark = next(goals)
            count = _CHUNK if mark is None else min(_CHUNK, mark.size - verifier.state.position)
            if not (count := verifier.documents(chain, islice(rows, count))):
                break
            self._count(count)
            if time.monotonic() > renewed + _RENEW_SECONDS:
                with suppress(StoreError):  # then another process may do the same work: twice, and nothing wrong
                    self._audits.renew(run.report.audit_id)
                renewed = time.monotonic()
        # Where nothing follows before the end that the sequence document gives, the last events are gone. Where events
        # are missing in between, the next step begins at the first that is there, and the verifier reports the gap.
        # What is no event says how far to go, too: an audit would never get there by steps.
        last = _BEYOND if end is None else end
        rest = self._audits.scan(chain, stop, last, 1, after=after, arrays=False) if stop < last else iter(())
        following = next(rest, None)
        if following is None and end is not None and verifier.state.position < end:
            verifier.gap(end, "truncated")
        return max(stop, 0 if following is None else floor_of_seq(split(following)[0])), following is None

    def _count(self, events: int) -> None:
        report = self._run.report
        self._run.report = replace(report, events_checked=report.events_checked + events)


def _added(total: SkewSummary, skew: ClockSkew) -> SkewSummary:
    """Add what a step found to the summary, which names the event that is furthest off."""
    if skew.events:
        total = replace(total, events=total.events + skew.events)
    if abs(skew.millis) > abs(total.seconds * 1000):
        total = replace(total, seq=skew.seq, seconds=skew.millis / 1000)
    return total
