"""Marks: sizes at which an audit knows from anchors, or from earlier audits, what the chain must have been."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventlog.anchors.walk import Step
from eventlog.audit.run import AuditRun
from eventlog.store.errors import StoreError
from eventlog.verify.findings import Finding
from eventlog.verify.verifier import VerifierState


@dataclass(frozen=True, slots=True)
class Mark:
    """At ``size`` events the Merkle root, or the last event's hash, was this. ``anchor``: its number, if it is one."""

    size: int
    root: bytes | None = None
    hash: bytes | None = None
    anchor: int | None = None


class Marks:
    """The marks of one audit, taken in the order of their sizes. Anchors are read as the audit gets to them."""

    def __init__(self, run: AuditRun, steps: Iterator[Step]) -> None:
        self._run = run
        self._steps: Iterator[Step] = steps
        self._ahead: Step | None = None
        self._known = run.known if run.known and run.known.size > run.position else None

    def take(self, size: int) -> list[Mark]:
        """Take the marks up to ``size`` that were not taken yet; a faulty anchor among them becomes a finding."""
        marks = list(self._anchors(size))
        if self._known is not None and self._known.size <= size:
            if self._known.size > self._run.report.from_seq:
                marks.append(Mark(self._known.size, hash=self._known.hash))
            self._known = None
        return sorted(marks, key=lambda mark: mark.size)

    def check(self, mark: Mark, root: bytes | None, links: Sequence[bytes]) -> None:
        """Compare what the events give with a mark; where a finding has left it unknown, nothing is compared."""
        seq = mark.size - 1
        if mark.hash is not None and links and mark.hash not in links:
            detail = f"an earlier audit verified {mark.size} events with another last hash"
            self._run.emit(Finding("rewritten", seq, mark.hash.hex(), links[0].hex(), detail))
        if mark.root is None or root is None or mark.root == root or self._run.walk.rewritten:
            return
        self._run.walk.rewritten = True  # what follows differs as a consequence
        detail = f"anchor {mark.anchor} has another root for size {mark.size}"
        self._run.emit(Finding("rewritten", seq, mark.root.hex(), root.hex(), detail))

    def check_state(self, mark: Mark, state: VerifierState) -> None:
        """Check a mark that the verifier has just reached; do nothing if it is elsewhere."""
        if state.size == mark.size and not state.hole:
            self.check(mark, state.root, state.links)

    def _anchors(self, size: int) -> Iterator[Mark]:
        while (step := self._peek()) is not None:
            anchor = step.anchor
            if anchor and not step.superseded and anchor.checkpoint.size > size:
                return
            self._ahead = None
            for finding in step.findings:
                self._run.emit(finding)
            self._run.walk.reached = step.reached
            if anchor and not step.superseded:
                yield Mark(anchor.checkpoint.size, root=anchor.checkpoint.root, anchor=anchor.seal.number)

    def _peek(self) -> Step | None:
        if self._ahead is None:
            try:
                self._ahead = next(self._steps, None)
            except StoreError as error:
                self._run.leave_incomplete(f"the anchors could not be read: {error}")
                self._steps = iter(())
        return self._ahead
