"""One bundle under verification: its lines fold into the tree that its checkpoint signs."""

from dataclasses import dataclass, field

from eventlog.formats import merkle
from eventlog.formats.bundle import End, Gap, Header, Selection, SeqRange
from eventlog.formats.bundle_erasures import PartErasures
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import check_event
from eventlog.formats.governance import ERASURE
from eventlog.formats.proof import cover


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one verified bundle shows: ``events`` events of a chain stand under the checkpoint; ``erased`` are erased.

    ``note`` is that checkpoint byte for byte. ``complete`` is the range of seqs [start, end) of which none is missing;
    None for a selection by time, of which nothing can show that it is complete. The range ends early where the
    checkpoint or the part does.
    """

    origin: str
    chain: str
    checkpoint: Checkpoint
    note: bytes
    selection: Selection
    events: int
    complete: tuple[int, int] | None
    next_seq: int | None
    erased: int = 0


@dataclass(slots=True)
class Part:
    """A bundle under verification: the frontier of its tree up to ``size``, and what was counted so far."""

    header: Header
    checkpoint: Checkpoint
    erasures: PartErasures
    size: int = 0
    events: int = 0
    reached: int = 0
    """The last event's seq plus one; 0 before the first event."""
    frontier: list[bytes] = field(default_factory=list)
    left_out: int | None = None
    """The first event of the selection that stands here only as an order: the part must end before it."""
    before: bytes | None = None
    """The hash of the leaf before ``size``, for the next event's link; None if a gap hides it."""
    after_gap: bool = False

    def take_event(self, event: Event) -> None:
        """Add one event of the selection."""
        if event.entry.chain != self.header.chain or not self.header.selection.has(event):
            raise EvidenceError(f"event {event.seq} is not of the header's chain and selection")
        self._take(event)
        self.events, self.reached = self.events + 1, self.size

    def take_erasure(self, event: Event) -> None:
        """Add an order to erase that is not among the events."""
        if event.entry.chain != self.header.chain or event.entry.event_type != ERASURE:
            raise EvidenceError(f"event {event.seq} is no order to erase of the header's chain")
        self._take(event)
        if self.header.selection.has(event) and self.left_out is None:
            self.left_out = event.seq

    def _take(self, event: Event) -> None:
        if event.seq != self.size:
            raise EvidenceError(f"event {event.seq} stands where event {self.size} belongs")
        self._check_room(event.seq + 1)
        check_event(event)
        self.erasures.take(event)
        # After a gap that ends in a larger subtree the previous leaf's hash is not known. The root still covers it.
        if self.before is not None and self.before != event.prev_hash:
            raise EvidenceError(f"event {event.seq} is not linked to what is before it")
        self.size = merkle.append_subtree(self.frontier, self.size, 0, event.hash)
        self.before, self.after_gap = event.hash, False

    def take_gap(self, gap: Gap) -> None:
        """Add leaves that were left out."""
        if gap.start != self.size or self.after_gap:
            raise EvidenceError(f"a gap from {gap.start} on stands where event {self.size} belongs")
        self._check_room(gap.end)
        # The hashes stand for the fewest perfect subtrees that cover the gap, so their places need not be written down.
        nodes = cover(gap.start, gap.end)
        if len(nodes) != len(gap.hashes):
            raise EvidenceError(f"the gap from {gap.start} to {gap.end} takes {len(nodes)} hashes")
        for node, value in zip(nodes, gap.hashes, strict=True):
            self.size = merkle.append_subtree(self.frontier, self.size, node.level, value)
        # Only if the gap's last node is a leaf (level 0) is its hash the one that the next event links to.
        self.before, self.after_gap = (None if nodes[-1].level else gap.hashes[-1]), True

    def finish(self, end: End) -> PartReport:
        """Compare the folded tree with the checkpoint."""
        if self.size != self.checkpoint.size:
            raise EvidenceError(f"the bundle ends at {self.size} of {self.checkpoint.size} leaves")
        # All leaves are folded. Only now does the signed root say whether they are the log's.
        if merkle.root(self.frontier) != self.checkpoint.root:
            raise EvidenceError("the events and gaps do not lead to the checkpoint's root")
        # The end line is not signed: it may only say what the verified lines above it show.
        if end.events != self.events:
            raise EvidenceError(f"the bundle has {self.events} events, its end says {end.events}")
        if end.next_seq is not None and self.reached > end.next_seq:
            raise EvidenceError("the bundle has events from its next_seq on")
        if self.left_out is not None and (end.next_seq is None or self.left_out < end.next_seq):
            raise EvidenceError(f"event {self.left_out} is of the selection, and not among its events")
        self.erasures.finish()
        return PartReport(
            origin=self.header.origin,
            chain=self.header.chain,
            checkpoint=self.checkpoint,
            note=self.header.checkpoint,
            selection=self.header.selection,
            events=self.events,
            complete=self._complete(end),
            next_seq=end.next_seq,
            erased=self.erasures.erased,
        )

    def _complete(self, end: End) -> tuple[int, int] | None:
        """Return the range of seqs of which no event is missing; None if the selection is by time.

        Events were taken in order of seq, and each is in the selection. So as many as the range is long are all of it.
        """
        selection = self.header.selection
        if not isinstance(selection, SeqRange):
            return None
        # The range ends where the selection does, or the tree, or the part, whichever comes first.
        start, stop = selection.from_seq, min(selection.to_seq, self.size)
        if end.next_seq is not None:
            stop = min(stop, end.next_seq)
        stop = max(start, stop)
        if self.events != stop - start:
            raise EvidenceError(f"{stop - start} events of the selection belong here, there are {self.events}")
        return start, stop

    def _check_room(self, size: int) -> None:
        if size > self.checkpoint.size:
            raise EvidenceError(f"the bundle goes beyond the {self.checkpoint.size} leaves of its checkpoint")
