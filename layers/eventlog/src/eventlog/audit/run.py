"""A running audit: its report so far, and all it takes to resume it, here or in another process."""

from dataclasses import dataclass, field, replace

from eventlog.anchors.walk import Reached
from eventlog.audit.report import AuditReport
from eventlog.audit.vouchers import Voucher
from eventlog.formats.event import ChainState
from eventlog.store.interface.audits import Counted
from eventlog.stored.fields import ClusterTime
from eventlog.verify.findings import Finding
from eventlog.verify.verifier import VerifierState

_LET_GO_MILLIS = 120_000
"""More than any lease lasts, and than clocks differ."""


@dataclass(slots=True)
class OpenReport:
    """A report that is still being written. ``report`` is replaced as a whole, as reports don't change."""

    report: AuditReport

    def emit(self, finding: Finding) -> None:
        """Add a finding."""
        self.report = self.report.with_finding(finding)

    def leave_incomplete(self, because: str) -> None:
        """Say why not all could be checked; the last reason counts."""
        self.report = replace(self.report, incomplete_because=because)


@dataclass(slots=True, kw_only=True)
class AnchorWalk:
    """How far a running audit has read the chain's anchors."""

    reached: Reached = field(default_factory=Reached)
    """The last anchor that was read, which the next one has to follow."""

    rewritten: bool = False
    """Whether an anchor's root was contradicted: those after it differ as a consequence and are no findings."""

    last: int = 0
    """The number of the last anchor to read; 0: none. Later ones are for the next audit."""

    copied: int = 0
    """The highest number of which the database has had a copy when the audit began; 0: none. Later anchors may have
    no copy yet."""


@dataclass(slots=True, kw_only=True)
class AuditRun(OpenReport):
    """All that a running audit keeps, and stores after each step (``run_documents.py``). Sizes are counts of events."""

    lease: int
    """When a process last said that it works on this audit, in milliseconds since 1970; see ``let_go``."""

    walk: AnchorWalk
    """How far the anchors are read."""

    known: ChainState | None
    """The furthest state that an earlier audit found intact; None if there is none. It is a mark to be passed."""

    read_at: ClusterTime | None
    """When the sequence document was read: no later read may see the database as it was before. None if the database
    did not say."""

    origin: str
    """The log's name, as the chain's sequence document has it, or the settings if that document is gone."""

    size: int | None
    """The chain's size when the audit began, pending events too; None if the sequence document is gone."""

    tail: list[bytes]
    """The content hashes of the events that were pending then, which follow the settled ones."""

    unreached: int | None
    """What was verified or anchored before and must be reached; None if the sequence document has been held against
    that already."""

    target: ChainState | None
    """What the sequence document says is settled, so what the events must give; None if that document is gone."""

    position: int
    """The seq from which the next step reads."""

    state: VerifierState
    """What was verified so far."""

    counted: dict[str, Counted] | None = None
    """What each index that queries use has shown so far; None: nothing is counted."""

    ordered: int = 0
    """How many events that order erasures were come across so far."""

    trusts_since: int | None = None
    """Signed results of segments count that were begun at this time, in milliseconds since 1970, or later; None: none
    counts, and none is made."""

    voucher: Voucher | None = None
    """The signature, by the log's own key, of what is stored of this run; None if nothing is anchored, or nobody has
    signed it since."""

    def let_go(self, now: int) -> None:
        """Say that no process works on this audit from ``now`` on, so that any may; who waits longest comes first."""
        self.lease = max(0, now - _LET_GO_MILLIS)
