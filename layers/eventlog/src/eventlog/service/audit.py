"""The audit of one chain: sequence document, every stored document, every link, the Merkle root.

It reads ``sequences``, then what stands outside the settled part, then ``sequences`` again, so that appends and
settling under way never look like tampering; then it streams the settled part, in steps that are stored, so that it
can be resumed. Memory stays flat.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from itertools import islice
from typing import Any, Literal

from bson import DatetimeMS, Int64
from uuid_utils.compat import uuid7

from eventlog.formats import hashing
from eventlog.service.audit_workers import Pool, Workers
from eventlog.service.errors import NotFoundError
from eventlog.service.sequence_check import check_sequence, check_strays
from eventlog.service.verify import ChainVerifier, Finding, VerifierState, understand
from eventlog.store.audits import AuditStore
from eventlog.store.codec import decode_sequence
from eventlog.store.errors import NotOursError, StoreError
from eventlog.store.interface import EventStore, SequenceImage

Mode = Literal["full", "incremental"]
Report = dict[str, Any]

MAX_FINDINGS = 100
_STEP = 8192  # a power of two, for segments: follow.py
_CHUNK = 500
_RENEW_SECONDS = 2.0


class Auditor:
    """Starts, runs and resumes audits."""

    def __init__(
        self,
        store: EventStore,
        audits: AuditStore,
        origin: str,
        clock: Callable[[], float] = time.time,
        workers: Workers | None = None,
    ) -> None:
        self._store = store
        self._audits = audits
        self._origin = origin
        self._clock = clock
        self._workers = workers

    def start(self, chain: str, mode: Mode) -> Report:
        """Check the sequence document and what stands outside the settled part; store the report as running.

        Raises:
            NotFoundError: no such chain. StoreError: MongoDB can't be asked.
        """
        self._settle(chain)
        report = self._new(chain, mode)
        image = self._check_outside(report)
        if image is None and not report["findings"]:
            raise NotFoundError(f"There is no chain {chain}.")
        self._begin(report, image)
        self._audits.add(report)
        return report

    def run(self, report: Report, seconds: float) -> Report:
        """Go on with a running audit until it is done or the time is over; the report as stored."""
        until = time.monotonic() + seconds
        with self._pool(report) as pool:
            while report["status"] == "running":
                done = self._step(report, pool)
                if done:
                    self._finish(report)
                over = time.monotonic() >= until
                report["lease"] = DatetimeMS(0 if over else int(self._clock() * 1000))
                self._audits.save(report)
                if over:
                    break
        return report

    def resume(self, seconds: float) -> list[Report]:
        """Go on with audits that nobody is at work on."""
        until, reports = time.monotonic() + seconds, []
        while time.monotonic() < until and (audit_id := self._audits.take_running()):
            report = self._audits.get(audit_id)
            if report is not None:
                reports.append(self.run(report, until - time.monotonic()))
        return reports

    def audit_all(self, mode: Mode, seconds: float) -> list[Report]:
        """What the schedule does: resume what is running, then audit every chain."""
        until = time.monotonic() + seconds
        reports = self.resume(seconds)
        for chain in self._audits.chain_names():
            reports.append(self.run(self.start(chain, mode), max(0.0, until - time.monotonic())))
        return reports

    def report(self, audit_id: str) -> Report:
        """A stored report.

        Raises:
            NotFoundError
        """
        found = self._audits.get(audit_id)
        if found is None:
            raise NotFoundError(f"There is no audit {audit_id}.")
        return found

    def reports(self, chain: str | None, limit: int, before: str | None) -> list[Report]:
        """Stored reports, newest first."""
        return self._audits.newest(chain, limit, before)

    def _settle(self, chain: str) -> None:
        try:
            self._store.settle(chain)
        except StoreError:
            return  # the audit itself will say what and where, or that MongoDB can't be asked

    def _new(self, chain: str, mode: Mode) -> Report:
        now = DatetimeMS(int(self._clock() * 1000))
        return {
            "_id": str(uuid7()),
            "chain": chain,
            "mode": mode,
            "status": "running",
            "from_seq": Int64(0),
            "to_seq": Int64(0),
            "events_checked": Int64(0),
            "checked_root": None,
            "anchored_size": None,
            "started_at": now,
            "finished_at": None,
            "findings": [],
            "findings_total": Int64(0),
            "lease": now,
        }

    def _check_outside(self, report: Report) -> SequenceImage | None:
        """Sequences, documents outside the settled part, sequences again: in one causally consistent session.

        What the sequence document is held against is read before it: an earlier audit's end, the first event. Else a
        chain that grows, or is created, between two reads would look shortened or bereft.
        """
        chain, emit = report["chain"], _emitter(report)
        with self._audits.session() as session:
            report["known"] = self._audits.verified(chain, session)
            first = next(self._audits.scan(chain, 0, None, 1, session=session), None)
            image = check_sequence(self._audits.sequence(chain, session), first, emit)
            settled = image.settled.size if image else None
            rows = self._audits.outside(chain, 2**63 - 1 if settled is None else settled, session)
            while chunk := list(islice(rows, 1000)):
                later = self._audits.sequence(chain, session)
                check_strays(chunk, _understood(later), settled, emit)
            report["read_at"] = session.operation_time
        return image

    def _begin(self, report: Report, image: SequenceImage | None) -> None:
        """Where to start and where to end."""
        chain = report["chain"]
        genesis = self._genesis(chain, image)
        known = report["known"]
        state = VerifierState(0, genesis)
        if report["mode"] == "incremental" and known is not None:
            state = VerifierState(int(known["size"]), [known["hash"]], list(known["frontier"]))
            self._check_verified(report, known, image)
        report["target"] = None if image is None else asdict(image.settled) | {"size": Int64(image.settled.size)}
        report["from_seq"] = report["position"] = Int64(state.size)
        report["to_seq"] = Int64(max(state.size, image.settled.size)) if image else None
        report["state"] = _stored(state)
        if image and known and image.settled.size < known["size"]:
            size = image.settled.size
            detail = f"an earlier audit verified {known['size']} events; now the sequence document has {size} settled"
            _emitter(report)(Finding("truncated", size, str(known["size"]), str(size), detail))

    def _genesis(self, chain: str, image: SequenceImage | None) -> list[bytes]:
        """What the first event may link to; if the origin was changed, that is the sequence document's finding."""
        origins = dict.fromkeys([image.origin, self._origin] if image else [self._origin])
        return [hashing.genesis(origin, chain) for origin in origins]

    def _check_verified(self, report: Report, known: dict[str, Any], image: SequenceImage | None) -> None:
        """The last event an earlier audit verified still stands as it did."""
        last = int(known["size"]) - 1
        if last < 0:
            return
        emit = _emitter(report)
        raw = next(self._audits.scan(report["chain"], last, last + 1, after=report["read_at"]), None)
        event, why, _ = understand(raw) if raw is not None else (None, "", None)
        if event is not None:
            _compare_known(known, last, event.hash, emit)
        elif raw is not None:
            emit(Finding("unexpected", last, None, None, why))
        elif image is None or image.settled.size > last:
            emit(Finding("missing", last, "1", "0", "the last event an earlier audit verified is not in the log"))

    def _pool(self, report: Report) -> AbstractContextManager[Pool | None]:
        end = report["to_seq"] if report["status"] == "running" else None
        if self._workers is None or end is None:
            return nullcontext()
        start = int(report["position"])
        return self._workers.start(report["chain"], report["read_at"], start=start, end=int(end), step=_STEP)

    def _step(self, report: Report, pool: Pool | None) -> bool:
        """Verify the next documents, up to a multiple of ``_STEP``; whether the end is reached."""
        state = VerifierState(**report["state"])
        state.size = int(state.size)
        verifier = ChainVerifier(state, _emitter(report))
        start, end = int(report["position"]), report["to_seq"]
        stop = (start // _STEP + 1) * _STEP
        stop = stop if end is None else min(stop, int(end))
        segment = pool.segment(start) if pool and not _at_known(report, start, stop) else None
        if segment is not None and verifier.join(segment):
            report["events_checked"] = Int64(report["events_checked"] + stop - start)
            position, done = stop, bool(stop == end)
        else:
            position, done = self._scan(report, verifier, start, stop)
        report["state"] = _stored(state)
        report["position"] = Int64(position)
        return done

    def _scan(self, report: Report, verifier: ChainVerifier, start: int, stop: int) -> tuple[int, bool]:
        """Verify the documents from ``start`` to ``stop`` in order; where to go on, and whether nothing is left."""
        chain, end, after = report["chain"], report["to_seq"], report["read_at"]
        rows = self._audits.scan(chain, start, stop, after=after)
        verify = _comparing(report, verifier) if _at_known(report, start, stop) else verifier.documents
        renewed = time.monotonic()
        while count := verify(chain, islice(rows, _CHUNK)):
            report["events_checked"] = Int64(report["events_checked"] + count)
            if time.monotonic() > renewed + _RENEW_SECONDS:
                self._audits.renew(report["_id"])
                renewed = time.monotonic()
        following = next(self._audits.scan(chain, stop, end, 1, after=after, arrays=False), None)
        if following is None and end is not None and verifier.state.position < end:
            verifier.gap(int(end), "truncated")
        return max(stop, 0 if following is None else understand(following)[2] or 0), following is None

    def _finish(self, report: Report) -> None:
        state = VerifierState(**report.pop("state"))
        target = report.pop("target")
        for name in ("known", "position", "read_at"):
            del report[name]
        report["to_seq"] = Int64(state.position)
        if target is not None and not state.hole and target["size"] == state.size:
            _check_settled(state, target, _emitter(report))
        root = None if state.hole else state.root
        report["checked_root"] = root.hex() if root else None
        report["finished_at"] = DatetimeMS(int(self._clock() * 1000))
        report["status"] = "tampered" if report["findings_total"] else "intact"
        if report["status"] == "intact":
            report["verified"] = {"size": Int64(state.size), "hash": state.links[0], "frontier": state.frontier}


def _emitter(report: Report) -> Callable[[Finding], None]:
    def emit(finding: Finding) -> None:
        report["findings_total"] = Int64(report["findings_total"] + 1)
        if len(report["findings"]) < MAX_FINDINGS:
            stored = asdict(finding)
            report["findings"].append(stored | {"seq": None if finding.seq is None else Int64(finding.seq)})

    return emit


def _stored(state: VerifierState) -> dict[str, Any]:
    return asdict(state) | {"size": Int64(state.size)}


def _understood(raw: bytes | None) -> SequenceImage | None:
    try:
        return None if raw is None else decode_sequence(raw)
    except NotOursError:
        return None


def _at_known(report: Report, start: int, stop: int) -> bool:
    """Whether these are the documents at which the state may be one that an earlier audit verified."""
    known = report["known"]
    return known is not None and report["from_seq"] < known["size"] and start <= known["size"] <= stop


def _comparing(report: Report, verifier: ChainVerifier) -> Callable[[str, Iterable[bytes]], int]:
    """``verifier.documents`` that holds the state against the one an earlier audit verified."""

    def documents(_chain: str, rows: Iterable[bytes]) -> int:
        state, known, count = verifier.state, report["known"], 0
        for raw in rows:
            verifier.document(raw)
            count += 1
            if state.size == known["size"] and report["from_seq"] < state.size:
                actual = known["hash"] if known["hash"] in state.links else state.links[0] if state.links else None
                _compare_known(known, state.size - 1, actual, _emitter(report))
        return count

    return documents


def _compare_known(known: dict[str, Any], seq: int, actual: bytes | None, emit: Callable[[Finding], None]) -> None:
    if actual is not None and actual != known["hash"]:
        detail = f"an earlier audit verified {known['size']} events with another last hash"
        emit(Finding("rewritten", seq, known["hash"].hex(), actual.hex(), detail))


def _check_settled(state: VerifierState, target: dict[str, Any], emit: Callable[[Finding], None]) -> None:
    """The sequence document's settled head is the one the events give."""
    if state.links and target["hash"] not in state.links:
        detail = "settled.hash is not the hash of the last settled event"
        emit(Finding("sequence_mismatch", None, state.links[0].hex(), target["hash"].hex(), detail))
    elif state.root is not None and target["frontier"] != state.frontier:
        detail = "settled.frontier is not the Merkle frontier of the settled events"
        emit(Finding("sequence_mismatch", None, None, None, detail))
