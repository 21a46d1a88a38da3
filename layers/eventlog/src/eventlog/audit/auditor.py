"""The audit of one chain: sequence document, every stored document, every link, the Merkle root, every anchor.

It reads what is anchored, then ``sequences``, then what stands outside the settled part, then ``sequences`` again, so
that appends, settling and other audits under way never look like tampering; then it streams the settled part, in steps
that are stored, so that it can be resumed. Memory stays flat. What it found intact it signs and anchors.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bson import DatetimeMS, Int64

from eventlog.anchors.anchoring import Anchoring, VerifiedHead
from eventlog.audit import scan
from eventlog.audit.anchored import AuditAnchors, describe
from eventlog.audit.marks import Marks
from eventlog.audit.notices import Notices, Silence
from eventlog.audit.plan import begin, check_outside
from eventlog.audit.progress import Backlog, backlog
from eventlog.audit.report import MAX_FINDINGS, RUNNING_FIELDS, Mode, Report, emitter, new_report, read_state
from eventlog.audit.scan import Pass
from eventlog.audit.workers import Pool, Workers
from eventlog.errors import NotFoundError, unknown_audit
from eventlog.store.errors import CorruptionError, CredentialsRefusedError, StoreError, StoreUnavailableError
from eventlog.store.interface import EventStore
from eventlog.store.mongo.audits import AuditStore
from eventlog.verify.findings import Emit, Finding
from eventlog.verify.verifier import VerifierState


class Auditor:
    """Starts, runs and resumes audits. Without ``anchoring`` the chain alone is checked."""

    def __init__(
        self,
        store: EventStore,
        audits: AuditStore,
        origin: str,
        clock: Callable[[], float] = time.time,
        workers: Workers | None = None,
        *,
        anchoring: Anchoring | None = None,
        notices: Notices | None = None,
    ) -> None:
        self._store = store
        self._notices = notices or Silence()
        self._told: dict[str, int] = {}  # how many findings of a report at work were told
        self._audits = audits
        self._origin = origin
        self._clock = clock
        self._workers = workers
        self._anchors = AuditAnchors(store, anchoring, origin, self._millis)

    def start(self, chain: str, mode: Mode) -> Report:
        """Check the sequence document and what stands outside the settled part; store the report as running.

        Raises:
            NotFoundError: no such chain. StoreError: MongoDB can't be asked.
        """
        report = new_report(chain, mode, self._millis())
        standing = self._anchors.look(report)
        damage = self._settle(chain)
        image = check_outside(self._audits, report)
        if damage and not report["findings"]:
            emitter(report)(Finding("unexpected", None, None, None, f"what is pending can't be settled: {damage}"))
        known = standing is not None and standing.last
        if image is None and not (known or report["findings"] or report["incomplete_because"]):
            raise NotFoundError(f"There is no chain {chain}.")
        begin(self._audits, report, image, standing, self._origin)
        describe(report, None)
        self._tell(report)
        try:
            self._audits.add(report)
        except StoreError as error:
            self._notices.failed("an audit report could not be stored", chain, error)
        return report

    def run(self, report: Report, seconds: float) -> Report:
        """Go on with a running audit until it is done or the time is over; the report as stored."""
        until = time.monotonic() + seconds
        with self._pool(report) as pool:
            if report["status"] == "running":
                self._go_on(report, Pass(self._audits, report, Marks(report, self._anchors.steps(report)), pool), until)
        return report

    def _go_on(self, report: Report, way: Pass, until: float) -> None:
        """Step by step, each stored, to the end or until the time is over."""
        while report["status"] == "running":
            if way.step():
                way.finish()
                self._finish(report)
            over = time.monotonic() >= until
            if over and report["status"] == "running":
                self._anchors.vouch(report)
            report["lease"] = DatetimeMS(0 if over else self._millis())
            if not self._keep(report) and report["status"] == "running" and over:
                self._give_up(report, "how far it came could not be stored, so nobody can go on with it")
            if over:
                break

    def resume(self, seconds: float) -> list[Report]:
        """Go on with audits that nobody is at work on; each report as soon as it is there."""
        return list(self._resumed(seconds))

    def _resumed(self, seconds: float) -> Iterator[Report]:
        until = time.monotonic() + seconds
        while time.monotonic() < until and (audit_id := self._audits.take_running()):
            report = self._audits.get(audit_id)
            if report is not None:
                yield self._resume(report, until - time.monotonic())

    def _resume(self, report: Report, seconds: float) -> Report:
        """Go on with an audit; one that was stored otherwise than this version does, or was damaged, is given up."""
        try:
            self._told[report["_id"]] = int(report["findings_total"])  # what is stored was told before
            self._anchors.check_voucher(report)
            return self.run(report, seconds)
        except StoreUnavailableError:
            raise
        except Exception as error:  # whatever it is, it may stop neither this audit for ever nor those of other chains
            because = f"it was begun by another version, or its report was damaged ({type(error).__name__})"
            return self._give_up(new_report(str(report.get("chain")), "full", self._millis()), because, report["_id"])

    def _audit(self, chain: str, mode: Mode, until: float) -> Report | None:
        """Start and run one audit of the schedule; None: there is no such chain."""
        try:
            return self.run(self.start(chain, mode), max(0.0, until - time.monotonic()))
        except NotFoundError:  # there is no registry yet
            return None
        except StoreUnavailableError:
            raise
        except Exception as error:  # one chain's damage may not keep the others from being audited
            because = f"what is stored of it can't be read: {type(error).__name__}: {error}"
            return self._give_up(new_report(chain, mode, self._millis()), because)

    def _audit_rows_without_chain(self, mode: Mode) -> Report | None:
        """A report of its own, without a chain, on rows that belong to none; None as there are none, as a rule."""
        rows = self._audits.rows_without_chain(MAX_FINDINGS)
        if not rows:
            return None
        report = new_report("", mode, self._millis())
        for row in rows:
            emitter(report)(Finding("unexpected", None, None, None, f"the row {row[:200]!r} belongs to no chain"))
        report |= {"status": "tampered", "finished_at": DatetimeMS(self._millis())}
        self._keep(report)
        return report

    def _give_up(self, report: Report, because: str, audit_id: str | None = None) -> Report:
        """Store a report that says why there is no other."""
        report |= {"status": "incomplete", "incomplete_because": because, "finished_at": DatetimeMS(self._millis())}
        report["_id"] = audit_id or report["_id"]
        self._keep(report)
        return report

    def _keep(self, report: Report) -> bool:
        """Tell what was found, then store the report; whether it could be stored.

        In this order: whoever has the database can have it refuse what it should remember (a validator, a full disk).
        That it does is told, too, and ends no audit: what was found must be heard, and other chains be looked at.
        """
        self._tell(report)
        try:
            self._audits.save(report)
        except StoreError as error:
            self._notices.failed("an audit report could not be stored", str(report.get("chain")), error)
            return False
        return True

    def _tell(self, report: Report) -> None:
        """Tell of findings that nobody has heard of yet, and of each report with findings when it is done."""
        total, done = int(report["findings_total"]), report["status"] != "running"
        new = total - self._told.get(report["_id"], 0)
        if total and (new or done):
            self._notices.found(report, new)
        if done:
            self._told.pop(report["_id"], None)
        else:
            self._told[report["_id"]] = total

    def audit_all(self, mode: Mode, seconds: float) -> list[Report]:
        """What the schedule does: resume what is running, then audit every chain, those that are gone too."""
        return list(self.each(mode, seconds))

    def each(self, mode: Mode, seconds: float) -> Iterator[Report]:
        """``audit_all``, each report as soon as it is there."""
        until = time.monotonic() + seconds
        try:
            yield from self._resumed(seconds / 2)
        except CredentialsRefusedError:
            raise
        except StoreError as error:  # a database that lets nobody lease an audit may keep none from being made anew
            self._notices.failed("audits that are running could not be resumed", "", error)
        if rows := self._audit_rows_without_chain(mode):
            yield rows
        for chain in self._anchors.names(self._audits.chain_names()):
            if report := self._audit(chain, mode, until):
                yield report

    def finished(self, mode: Mode, reports: Iterable[Report]) -> set[Mode]:
        """The modes in which every chain was gone over once the schedule has made these reports in ``mode``.

        What runs out of time is resumed by later schedules; the one that brings the last of it to its end counts then.
        """
        found = [(report["mode"], report["status"] == "running") for report in reports]
        left = {of for of, running in found if running}
        resumed = {of for of, _ in found} - {mode} - left
        return ({mode} - left) | {of for of in resumed if not self._audits.is_running(of)}

    def backlog(self) -> Backlog:
        """What waits to be settled, in all chains."""
        return backlog(self._audits.heads(), self._millis())

    def report(self, audit_id: str) -> Report:
        """A stored report.

        Raises:
            NotFoundError
        """
        found = self._audits.get(audit_id)
        if found is None:
            raise unknown_audit(audit_id)
        return found

    def reports(
        self, chain: str | None, limit: int, before: str | None, among: Sequence[str] | None = None
    ) -> list[Report]:
        """Stored reports, newest first; on chains ``among`` these names only (chain_names.py)."""
        return self._audits.newest(chain, limit, before, among)

    def _settle(self, chain: str) -> str | None:
        """Settle; what stands in the way, which as a rule the audit finds itself, and says where."""
        try:
            self._store.settle(chain)
        except CorruptionError as error:
            return str(error)
        except StoreError:
            return None  # MongoDB can't be asked, or only later
        return None

    def _pool(self, report: Report) -> AbstractContextManager[Pool | None]:
        end = report["to_seq"] if report["status"] == "running" else None
        if self._workers is None or end is None:
            return nullcontext()
        start = int(report["position"])
        return self._workers.start(report["chain"], report["read_at"], start=start, end=int(end), step=scan.STEP)

    def _finish(self, report: Report) -> None:
        state = read_state(report)
        del report["state"]
        target, least = report.pop("target"), report["unreached"]
        emit = emitter(report)
        report["to_seq"] = Int64(state.position)
        if target is not None and not state.hole and target["size"] == state.size:
            _check_settled(state, target, emit)
        if least is not None and state.position < least:
            detail = f"{least} events were verified or anchored before; now there are {state.position}"
            emit(Finding("truncated", state.position, str(least), str(state.position), detail))
        root = None if state.hole else state.root
        report["checked_root"] = root.hex() if root else None
        if root is not None and not report["findings_total"] and report["incomplete_because"] is None:
            self._anchors.advance(report, VerifiedHead(report["chain"], report["origin"], state.size, root))
        report["finished_at"] = DatetimeMS(self._millis())
        incomplete = report["incomplete_because"] is not None
        report["status"] = "tampered" if report["findings_total"] else "incomplete" if incomplete else "intact"
        if report["status"] == "intact":
            report["verified"] = {"size": Int64(state.size), "hash": state.links[0], "frontier": state.frontier}
        for name in RUNNING_FIELDS:
            del report[name]

    def _millis(self) -> int:
        return int(self._clock() * 1000)


def _check_settled(state: VerifierState, target: dict[str, Any], emit: Emit) -> None:
    """The sequence document's settled head is the one the events give."""
    if state.links and target["hash"] not in state.links:
        detail = "settled.hash is not the hash of the last settled event"
        emit(Finding("sequence_mismatch", None, state.links[0].hex(), target["hash"].hex(), detail))
    elif state.root is not None and target["frontier"] != state.frontier:
        detail = "settled.frontier is not the Merkle frontier of the settled events"
        emit(Finding("sequence_mismatch", None, None, None, detail))
