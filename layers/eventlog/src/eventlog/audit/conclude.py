"""How an audit ends: what the events give is compared with what was said of them, anchored, and summed up."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from eventlog.anchors.verified_head import VerifiedHead
from eventlog.audit.anchored import AuditAnchors
from eventlog.audit.report import AuditReport, Status
from eventlog.audit.run import AuditRun
from eventlog.formats.event import ChainState
from eventlog.verify.findings import Emit, Finding
from eventlog.verify.verifier import VerifierState


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The end of an audit."""

    report: AuditReport
    """The report, done."""

    verified: ChainState | None
    """The state from which a later audit may go on; None if this one did not find all of it intact."""


def conclude(run: AuditRun, anchors: AuditAnchors, clock: Callable[[], int]) -> Conclusion:
    """End an audit whose last step is done; what it found intact is anchored. ``clock`` gives milliseconds."""
    state = run.state
    run.report = replace(run.report, to_seq=state.position)
    if run.target is not None and not state.hole and run.target.size == state.size:
        # The events end where the sequence document says. Where they don't, a finding has said so already.
        _check_settled(state, run.target, run.emit)
    if run.unreached is not None and state.position < run.unreached:
        detail = f"{run.unreached} events were verified or anchored before; now there are {state.position}"
        run.emit(Finding("truncated", state.position, str(run.unreached), str(state.position), detail))
    root = None if state.hole else state.root
    run.report = replace(run.report, checked_root=root.hex() if root else None)
    if root is not None and not run.report.findings_total and run.report.incomplete_because is None:
        # Everything was read and nothing was found. If an anchor contradicts it, ``advance`` adds the finding.
        anchors.advance(run, VerifiedHead(run.report.chain, run.origin, state.size, root))
    report = replace(run.report, finished_at=clock(), status=_verdict(run.report))
    return Conclusion(report, _verified(state) if report.status == "intact" else None)


def _verdict(report: AuditReport) -> Status:
    """Decide the status: a finding outweighs what could not be checked."""
    if report.findings_total:
        return "tampered"
    return "intact" if report.incomplete_because is None else "incomplete"


def _verified(state: VerifierState) -> ChainState:
    """Take the state as it is known for sure: without a finding there is one link, and every node of the frontier."""
    return ChainState(state.size, state.links[0], [node for node in state.frontier if node is not None])


def _check_settled(state: VerifierState, target: ChainState, emit: Emit) -> None:
    """Check that the settled head in the sequence document is the one that the events give."""
    if state.links and target.hash not in state.links:
        detail = "settled.hash is not the hash of the last settled event"
        emit(Finding("sequence_mismatch", None, state.links[0].hex(), target.hash.hex(), detail))
    elif state.root is not None and target.frontier != state.frontier:
        detail = "settled.frontier is not the Merkle frontier of the settled events"
        emit(Finding("sequence_mismatch", None, None, None, detail))
