"""An audit's way through the settled part of a chain, in steps that can be stored, and past the marks on it."""

import time
from contextlib import suppress
from itertools import islice

from bson import Int64

from eventlog.audit.marks import Mark, Marks
from eventlog.audit.report import Report, emitter, read_state, stored_state
from eventlog.audit.workers import Pool
from eventlog.formats.event import ChainState
from eventlog.store.errors import StoreError
from eventlog.store.mongo.audits import AuditStore
from eventlog.verify.documents import understand
from eventlog.verify.fast_path import Segment, Skew, segment_roots
from eventlog.verify.verifier import ChainVerifier

STEP = 8192
"""Events a step; a power of two, for segments (follow.py)."""
_CHUNK = 500
_RENEW_SECONDS = 2.0


class Pass:
    """Goes on with one running audit."""

    def __init__(self, audits: AuditStore, report: Report, marks: Marks, pool: Pool | None) -> None:
        self._audits = audits
        self._report = report
        self._marks = marks
        self._pool = pool

    def step(self) -> bool:
        """Verify the next documents, up to a multiple of ``STEP``; whether the end is reached."""
        report = self._report
        state, skew = read_state(report), Skew()
        verifier = ChainVerifier(state, emitter(report), skew)
        start, end = int(report["position"]), report["to_seq"]
        stop = (start // STEP + 1) * STEP
        stop = stop if end is None else min(stop, int(end))
        marks = self._marks.take(stop)
        segment = self._pool.segment(start) if self._pool else None
        if segment is not None and self._join(verifier, segment, marks):
            report["events_checked"] = Int64(report["events_checked"] + stop - start)
            position, done = stop, bool(stop == end)
        else:
            position, done = self._scan(verifier, marks, start, stop)
        report["state"] = stored_state(state)
        report["position"] = Int64(position)
        _add_skew(report, skew)
        return done

    def finish(self) -> None:
        """Look at the marks that are left: on what is pending, whose entries were checked at the start, and beyond."""
        marks, state = self._marks.take(2**63), read_state(self._report)
        frontier = [node for node in state.frontier if node is not None]
        if state.hole or len(state.links) != 1 or len(frontier) < len(state.frontier):
            return
        head = ChainState(state.size, state.links[0], frontier)
        for content_hash in self._report["tail"]:
            head.append(content_hash)
            for mark in marks:
                if mark.size == head.size:
                    self._marks.check(mark, head.root, [head.hash])

    def _join(self, verifier: ChainVerifier, segment: Segment, marks: list[Mark]) -> bool:
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
        """Verify the documents from ``start`` to ``stop`` in order; where to go on, and whether nothing is left."""
        report = self._report
        chain, end, after = report["chain"], report["to_seq"], report["read_at"]
        rows = self._audits.scan(chain, start, stop, after=after)
        renewed = time.monotonic()
        goals = iter([*marks, None])
        mark = next(goals)
        while True:
            while mark is not None and verifier.state.position >= mark.size:
                self._marks.check_state(mark, verifier.state)
                mark = next(goals)
            count = _CHUNK if mark is None else min(_CHUNK, mark.size - verifier.state.position)
            if not (count := verifier.documents(chain, islice(rows, count))):
                break
            report["events_checked"] = Int64(report["events_checked"] + count)
            if time.monotonic() > renewed + _RENEW_SECONDS:
                with suppress(StoreError):  # then another process may do the same work: twice, and nothing wrong
                    self._audits.renew(report["_id"])
                renewed = time.monotonic()
        following = next(self._audits.scan(chain, stop, end, 1, after=after, arrays=False), None)
        if following is None and end is not None and verifier.state.position < end:
            verifier.gap(int(end), "truncated")
        return max(stop, 0 if following is None else understand(following)[2] or 0), following is None


def _add_skew(report: Report, skew: Skew) -> None:
    """Count what a step found into the report."""
    total = report["skew"]
    if skew.events:
        total["events"] = Int64(total["events"] + skew.events)
    if abs(skew.millis) > abs(total["seconds"] * 1000):
        total["seq"], total["seconds"] = Int64(skew.seq), skew.millis / 1000
