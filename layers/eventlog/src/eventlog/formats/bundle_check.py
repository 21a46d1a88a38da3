"""Verification of evidence bundles line by line, in flat memory; only the keys that the caller pins are trusted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventlog.formats import bundle, hashing, merkle
from eventlog.formats.bundle import End, Gap, Header, Selection, SeqRange
from eventlog.formats.checkpoint import Checkpoint, epoch_of, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import check_event, contradiction, format_event, parse_event
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey
from eventlog.formats.proof import cover


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one verified bundle shows: ``events`` events of a chain stand under the checkpoint.

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


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What a verified file shows, part by part."""

    parts: tuple[PartReport, ...]

    @property
    def events(self) -> int:
        """Events in all parts."""
        return sum(part.events for part in self.parts)


@dataclass(slots=True)
class _Part:
    """A bundle under verification: the frontier of its tree up to ``size``, and what was counted so far."""

    header: Header
    checkpoint: Checkpoint
    size: int = 0
    events: int = 0
    reached: int = 0
    """The last event's seq plus one; 0 before the first event."""
    frontier: list[bytes] = field(default_factory=list)
    before: bytes | None = None
    """The hash of the leaf before ``size``, for the next event's link; None if a gap hides it."""
    after_gap: bool = False

    def take_event(self, event: Event) -> None:
        """Add one event."""
        if event.seq != self.size:
            raise EvidenceError(f"event {event.seq} stands where event {self.size} belongs")
        self._check_room(event.seq + 1)
        if event.entry.chain != self.header.chain or not self.header.selection.has(event):
            raise EvidenceError(f"event {event.seq} is not of the header's chain and selection")
        check_event(event)
        # After a gap that ends in a larger subtree the previous leaf's hash is not known. The root still covers it.
        if self.before is not None and self.before != event.prev_hash:
            raise EvidenceError(f"event {event.seq} is not linked to what is before it")
        self.size = merkle.append_subtree(self.frontier, self.size, 0, event.hash)
        self.before, self.after_gap = event.hash, False
        self.events, self.reached = self.events + 1, self.size

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
        return PartReport(
            origin=self.header.origin,
            chain=self.header.chain,
            checkpoint=self.checkpoint,
            note=self.header.checkpoint,
            selection=self.header.selection,
            events=self.events,
            complete=self._complete(end),
            next_seq=end.next_seq,
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


@dataclass(slots=True)
class _File:
    """A file under verification: the parts that are done and the one under way."""

    keys: Sequence[VerifierKey]
    part: _Part | None = None
    done: list[PartReport] = field(default_factory=list)
    roots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    last: Event | None = None

    def take(self, line: bytes) -> bool:
        """Verify one line; return whether it was an event."""
        fields = _parse_line(line)
        # Each kind of line is written again from what was read and must come out the same: one form only.
        if self.part is None:
            self._begin(line, bundle.parse_header(fields))
        elif "event" in fields:
            event = parse_event(fields["event"])
            _same(line, bundle.event_line(format_event(event)))
            self.part.take_event(event)
            # Within a part, links are checked leaf by leaf. Between parts only the two events that meet can be
            # compared.
            if self.part.events == 1:
                self._compare(event)
            self.last = event
            return True
        elif "gap" in fields:
            gap = bundle.parse_gap(fields)
            _same(line, bundle.gap_line(gap))
            self.part.take_gap(gap)
        elif "end" in fields:
            end = bundle.parse_end(fields)
            _same(line, bundle.end_line(end))
            self.done.append(self.part.finish(end))
            self.part = None
        else:
            raise EvidenceError("a line of a bundle is an event, a gap or the end")
        return False

    def _compare(self, event: Event) -> None:
        """Check that the first event of a part does not contradict the last event of the part before it."""
        why = None if self.last is None else contradiction(self.last, event)
        if why is not None:
            raise EvidenceError(why)

    def _begin(self, line: bytes, header: Header) -> None:
        _same(line, bundle.header_line(header))
        checkpoint, _ = verify_checkpoint(header.checkpoint, self.keys)
        epoch_of(checkpoint.origin, header.origin, header.chain)
        # Two checkpoints of one origin and size must have one root, or the log showed two histories.
        root = self.roots.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root)
        if root != checkpoint.root:
            raise EvidenceError(f"two parts have another checkpoint of size {checkpoint.size}: the log forked")
        # Seq 0 links to the genesis hash, so the first leaf is checked like every other.
        genesis = hashing.genesis(header.origin, header.chain)
        self.part = _Part(header, checkpoint, before=genesis)
        if self.done and (self.done[-1].origin, self.done[-1].chain) != (header.origin, header.chain):
            self.last = None


def verify_bundle(
    lines: Iterable[bytes], keys: Sequence[VerifierKey], progress: Callable[[int], None] | None = None
) -> BundleReport:
    """Verify a bundle, or several one after the other, given as lines with their newlines.

    Every hash is derived from the events' fields, events that stand side by side are linked, and the tree's root is
    that of a checkpoint signed by one of the keys, whose names are origin lines. ``progress`` is called with the number
    of events so far. A line over 4 MiB is refused; code that splits a file into lines should bound them too.

    Raises:
        EvidenceError: a line does not verify; the text names it, counted from 1.
    """
    # Each line is verified and forgotten: what is kept is a frontier of at most 63 hashes, however long the file is.
    file, number, events = _File(keys), 0, 0
    for number, line in enumerate(lines, 1):
        try:
            is_event = file.take(line)
        except EvidenceError as error:
            raise EvidenceError(f"line {number}: {error}") from error
        events += is_event
        if is_event and progress is not None:
            progress(events)
    if file.part is not None or not file.done:
        raise EvidenceError(f"line {number + 1}: the bundle is cut off, its end line is missing")
    return BundleReport(tuple(file.done))


def _parse_line(line: bytes) -> dict[str, Any]:
    if len(line) > bundle.MAX_LINE:
        raise EvidenceError(f"longer than {bundle.MAX_LINE} bytes")
    fields = parse_json(line)
    if not isinstance(fields, dict):
        raise EvidenceError("a line of a bundle is a JSON object")
    return fields


def _same(line: bytes, written: bytes) -> None:
    if line != written:
        raise EvidenceError("not written as a bundle's line is: compact, with its members in order and no other")
