"""Results of segments of a long chain: whether one counts for an audit, and the making of new ones.

A segment is 65,536 settled events that start at a multiple of that. What re-hashing it gave is signed by the audit's
key with the time (``formats/segment.py``), and kept in the database. An audit that trusts results takes over those that
the log's own key has signed, that are of this place of this chain, and that are not too old: it joins them to the rest
as if it had gone over the events itself (``segment_join.py``). All others it makes. So what somebody removes, swaps or
forges there costs time and nothing else, and what somebody puts back is bounded by its age.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit.run import AuditRun
from eventlog.audit.vouchers import FUTURE_MILLIS
from eventlog.formats.errors import EvidenceError
from eventlog.formats.search_keys import Rules
from eventlog.formats.segment import SegmentEnds, SegmentNote, sign_segment, verify_segment_note
from eventlog.store.errors import StoreError
from eventlog.store.interface.audits import AuditDatabase
from eventlog.verify.fast_path import Segment, verify_segment
from eventlog.verify.findings import Finding
from eventlog.verify.seen import Seen, count
from eventlog.verify.verifier import ChainVerifier, VerifierState

SEGMENT = 1 << 16
"""Events in a segment: a power of two, a second or two of work, and a signature for each."""
_RENEW_SECONDS = 2.0
_LOOK_EVERY = 1000


class Segments:
    """The results of one log, named ``origin``. ``clock`` gives milliseconds; ``size`` is how long a segment is."""

    def __init__(
        self,
        audits: AuditDatabase,
        anchoring: Anchoring,
        origin: str,
        clock: Callable[[], int],
        size: int | None = None,
    ) -> None:
        self._audits = audits
        self._anchoring = anchoring
        self._origin = origin
        self._clock = clock
        self.size = size or SEGMENT

    def starts(self, run: AuditRun) -> range:
        """List where the complete segments among an audit's settled events start."""
        end = run.report.to_seq or 0
        return range(-(-run.report.from_seq // self.size) * self.size, end - self.size + 1, self.size)

    def end(self, run: AuditRun) -> int | None:
        """Tell where the segment ends that an audit comes to next; None if it comes to none, or trusts no results."""
        return run.position + self.size if run.trusts_since is not None and run.position in self.starts(run) else None

    def counted(self, run: AuditRun, start: int) -> SegmentNote | None:
        """Read a segment's result if it counts for this audit and is clean.

        Raises:
            StoreError: the database or a key can't be reached.
        """
        note = self._verified(self._audits.segments.note(run.report.chain, start))
        if note is None or (note.chain, note.start, note.end) != (run.report.chain, start, start + self.size):
            return None
        # What is signed is true, as of then: it may be one that somebody has kept and put back.
        in_time = (run.trusts_since or 0) <= note.began <= self._clock() + FUTURE_MILLIS
        return note if in_time and run.trusts_since is not None and note.ends is not None else None

    def times(self, run: AuditRun) -> dict[int, int]:
        """List the clean results of an audit's segments: where each starts, and when it was begun.

        Raises:
            StoreError: the database or a key can't be reached.
        """
        chain, starts, latest = run.report.chain, self.starts(run), self._clock() + FUTURE_MILLIS
        found: dict[int, int] = {}
        for raw in self._audits.segments.notes(chain):
            note = self._verified(raw)
            if note is None or (note.chain, note.end) != (chain, note.start + self.size) or note.ends is None:
                continue
            if note.start in starts and note.began <= latest:  # of several that claim one place the oldest counts
                found[note.start] = min(note.began, found.get(note.start, note.began))
        return found

    def due(self, run: AuditRun) -> list[int]:
        """List where the segments start that have no result which counts for this audit. Raises as ``times``."""
        since, times = run.trusts_since, self.times(run)
        return [start for start in self.starts(run) if since is None or times.get(start, -1) < since]

    def make(self, run: AuditRun, start: int, accepts: Callable[[Seen], bool] | None = None) -> SegmentNote | None:
        """Re-hash a segment; None if anything in it is not as it must be. Nothing is kept.

        ``accepts``: whether what is erased in it was ordered (``erasures.py``); None: nothing may be.

        Raises:
            StoreError: the database can't be reached.
        """
        began, end = self._clock(), start + self.size
        rows = self._audits.scan(run.report.chain, start, end, after=run.read_at)
        segment = verify_segment(run.report.chain, start, end, self._renewing(run, rows), self._audits.rules)
        # What is wrong gets no result: the audit goes over these events by itself, and says what and where.
        if segment is None or not _is_last_intact(segment, self._audits.rules):
            return None
        seen = Seen(bytearray(segment.erased), bytearray(segment.erasures))
        if not (accepts(seen) if accepts else seen == Seen()):
            return None
        skewed, seq, millis = segment.skew
        return SegmentNote(
            origin=self._origin,
            chain=run.report.chain,
            start=start,
            end=end,
            audit_id=run.report.audit_id,
            began=began,
            ended=max(began, self._clock()),
            found=0,
            skewed=skewed,
            skew_seq=seq if skewed else None,
            skew_millis=millis,
            erased=count(seen.erased),
            erasures=count(seen.erasures),
            ends=SegmentEnds(segment.prev_hash, segment.hash, tuple(segment.frontier)),
        )

    def keep(self, note: SegmentNote) -> None:
        """Sign a result and put it in the place of the one before.

        Raises:
            StoreError: the database or a key can't be reached, or refuses it.
        """
        self._audits.segments.keep(note.chain, note.start, sign_segment(note, self._anchoring.signers))

    def condemn(self, run: AuditRun, start: int, began: int, found: int) -> None:
        """Keep that something was found in a segment: a clean result of earlier counts no more. As ``keep``."""
        note = SegmentNote(
            origin=self._origin,
            chain=run.report.chain,
            start=start,
            end=start + self.size,
            audit_id=run.report.audit_id,
            began=began,
            ended=max(began, self._clock()),
            found=found,
        )
        self.keep(note)

    def count(self, run: AuditRun, note: SegmentNote) -> None:
        """Count a segment that was joined: as this audit's work, or as that of an earlier one."""
        report, events = run.report, note.end - note.start
        if note.began >= report.started_at:
            run.report = replace(report, events_checked=report.events_checked + events)
            return
        since = note.began if report.rehashed_since is None else min(note.began, report.rehashed_since)
        run.report = replace(report, earlier_events=report.earlier_events + events, rehashed_since=since)

    def _verified(self, raw: bytes | None) -> SegmentNote | None:
        if not raw:
            return None
        try:
            return verify_segment_note(raw, self._anchoring.history.public_keys, self._origin)
        except EvidenceError:
            return None

    def _renewing(self, run: AuditRun, rows: Iterator[bytes]) -> Iterator[bytes]:
        """Hand rows on; while they come, say now and then that somebody works on the audit."""
        renewed = time.monotonic()
        for number, row in enumerate(rows):
            if number % _LOOK_EVERY == 0 and time.monotonic() > renewed + _RENEW_SECONDS:
                with suppress(StoreError):  # then another process may do the same work: twice, and nothing wrong
                    self._audits.renew(run.report.audit_id)
                renewed = time.monotonic()
            yield row


def _is_last_intact(segment: Segment, rules: Rules) -> bool:
    """Whether a segment's last event follows from the others, as far as can be said without what stands before them.

    Whoever joins the segment verifies it once more, with all that it may complete; but what is wrong is to be told now.
    """
    findings: list[Finding] = []
    left: list[bytes | None] = [None] * segment.start.bit_count()
    state = VerifierState(segment.size, [segment.hash], [*left, *segment.frontier])
    ChainVerifier(state, findings.append, rules=rules).document(segment.last)
    return not findings
