"""Evidence bundles as a stream of lines: the events of a selection, and the tree around them up to a checkpoint.

Memory stays flat. An error on the way is raised, so that the stream ends without its last line and can't be taken for
complete; and the last line is only written once the lines before it have given the root that the checkpoint signs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from eventlog.errors import InvalidError, NotFoundError
from eventlog.evidence.checkpoints import check_root, checkpoint_of
from eventlog.evidence.proofs import Evidence
from eventlog.formats import bundle, merkle, proof
from eventlog.formats.bundle import End, Gap, Header, SeqRange, TimeRange
from eventlog.formats.escaped import escaped_length
from eventlog.formats.event import Event
from eventlog.formats.event_json import format_event
from eventlog.formats.strict_json import Problem
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.interface.evidence import EvidenceView

_CHUNK = 1 << 18
_GAP = 10 << 10
"""Bytes of a gap's line at most: two seqs and 126 hashes (``proof.cover``), as a JSON string."""
_ERASED_MEANWHILE = "an event was erased while it was exported: try again"
_REST = 2 * _GAP + 200
"""Bytes at most that come with an event beside its line: gaps before and after it, and the last line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRange:
    """What to export: seqs [from_seq, to_seq), or with a ``window`` its events from ``from_seq`` on.

    A bundle ends before the event with which it would be longer than ``limit``, and says where to go on; it has one
    event at least. Its length is that of a JSON string (``formats/escaped.py``), which Lambda returns it as.
    """

    chain: str
    from_seq: int = 0
    to_seq: int | None = None
    window: TimeRange | None = None
    limit: int | None = None


def export(evidence: Evidence, wanted: ExportRange) -> Iterator[bytes]:
    """Write a bundle in chunks of whole lines, up to the newest checkpoint; the header comes alone.

    Raises:
        NotFoundError: there is no such chain, or no checkpoint of it.
        InvalidError: the range goes beyond what the checkpoint covers.
        CorruptionError, DamagedEventError, StoreUnavailableError: also on the way.
    """
    with evidence.view(wanted.chain, None) as (view, copy):
        if copy is None:
            raise NotFoundError(f"There is no checkpoint of chain {wanted.chain} yet, and a bundle needs one.")
        size, root = copy.size, checkpoint_of(copy).root
        check_root(copy, view.root(size))
        by_seq = _seq_range(wanted, size)
        selection = wanted.window or by_seq
        version = 2 if view.ordered_to_erase(by_seq.from_seq, by_seq.to_seq, wanted.window) else 1
        if isinstance(selection, SeqRange):
            batches = _contiguous(view.events(selection.from_seq, selection.to_seq), wanted.chain, selection)
        else:  # opened before the header, so that what can't be read is told while nothing was sent
            batches = view.events_in(selection, wanted.from_seq, size)
        header = bundle.header_line(
            Header(view.origin, wanted.chain, evidence.witnessed(copy).note, copy.keys, selection, version)
        )
        yield header
        lines = _Lines(view, size, version, limit=wanted.limit, taken=_REST + escaped_length(header))
        for batch in batches:
            yield from _chunks(lines.of(batch))
            if lines.next_seq is not None:  # the limit was reached; the last line says where to go on
                break
        yield from _chunks(lines.rest(root))


def _seq_range(wanted: ExportRange, size: int) -> SeqRange:
    """Return the range of seqs that was asked for.

    Raises:
        InvalidError: the checkpoint does not cover all of it.
    """
    for name, value in (("from_seq", wanted.from_seq), ("to_seq", wanted.to_seq)):
        if value is not None and value > size:
            detail = f"the newest checkpoint covers {size} events; a bundle can't go beyond it"
            raise InvalidError([Problem(f"/query/{name}", detail)])
    return SeqRange(wanted.from_seq, size if wanted.to_seq is None else wanted.to_seq)


@dataclass(slots=True)
class _Lines:
    """Writes the tree from left to right, and folds it into a root on the way, as a verifier of the bundle will."""

    view: EvidenceView
    size: int
    version: int
    limit: int | None
    events: int = 0
    next_seq: int | None = None
    position: int = 0
    taken: int = 0
    frontier: list[bytes] = field(default_factory=list)
    orders: set[int] = field(default_factory=set)
    """By which later events those that were written are erased: they have to come, too."""

    def of(self, batch: list[Event]) -> Iterator[bytes]:
        """Write the next events and the gaps before them; the nodes of all these gaps are read by one query."""
        ends = [event.seq for event in batch]
        shown, inside = set(ends), self._orders_inside(batch)
        leaves = sorted([*batch, *inside], key=lambda event: event.seq) if inside else batch
        ends = [event.seq for event in leaves]
        starts = [self.position, *(seq + 1 for seq in ends)]
        nodes = self._nodes(list(zip(starts, ends, strict=False)))
        for event in leaves:
            if event.seq not in shown:
                yield from self._erasure(event, nodes)
                continue
            line = self._line(event)
            if self._is_full(line, event):
                self.next_seq = event.seq
                return
            yield from self._leaf(event, line, nodes)
            self.events += 1
            if event.erased is not None:
                self.orders.add(event.erased.seq)

    def rest(self, root: bytes) -> Iterator[bytes]:
        """Write the last gap and the last line.

        Raises:
            CorruptionError: the tree is not the checkpoint's.
        """
        for seq in sorted(self.orders):
            order = self._order(seq)
            yield from self._erasure(order, self._nodes([(self.position, seq)]))
        yield from self._gap(self.size, self._nodes([(self.position, self.size)]))
        if merkle.root(self.frontier) != root:
            raise CorruptionError(f"the events of chain {self.view.chain} don't make the tree of its checkpoint")
        yield bundle.end_line(End(self.events, self.next_seq))

    def _orders_inside(self, batch: list[Event]) -> list[Event]:
        """Read the orders that belong between the events of a batch, which are not of the selection themselves."""
        wanted = self.orders | {event.erased.seq for event in batch if event.erased is not None}
        if not wanted or not batch:
            return []
        seqs = {event.seq for event in batch}
        return [self._order(seq) for seq in sorted(wanted) if seq not in seqs and seq < batch[-1].seq]

    def _order(self, seq: int) -> Event:
        """Read an order to erase.

        Raises:
            CorruptionError: it is not there.
            StoreUnavailableError: the checkpoint does not cover it yet.
        """
        if seq >= self.size:
            raise StoreUnavailableError(_ERASED_MEANWHILE)
        found = [event for batch in self.view.events(seq, seq + 1) for event in batch]
        if not found:
            raise _missing(self.view.chain)
        return found[0]

    def _line(self, event: Event) -> bytes:
        """Write an event's line.

        Raises:
            DamagedEventError: it is damaged, or erased without an order.
            StoreUnavailableError: it has been erased since the header was written.
        """
        shown = format_event(event)
        if event.erased is None:
            return bundle.event_line(shown)
        if self.version == 1:
            raise StoreUnavailableError(_ERASED_MEANWHILE)
        return bundle.erased_line(shown, event.erased.seq)

    def _erasure(self, order: Event, nodes: dict[proof.Node, bytes]) -> Iterator[bytes]:
        return self._leaf(order, bundle.erasure_line(format_event(order)), nodes)

    def _leaf(self, event: Event, line: bytes, nodes: dict[proof.Node, bytes]) -> Iterator[bytes]:
        """Write the gap before a leaf, and its line."""
        yield from self._gap(event.seq, nodes)
        merkle.append_leaf(self.frontier, event.seq, event.hash)
        self.position = event.seq + 1
        self.orders.discard(event.seq)
        yield line

    def _nodes(self, gaps: list[proof.Range]) -> dict[proof.Node, bytes]:
        needed = proof.needed(gaps)
        return self.view.nodes(needed) if needed else {}

    def _gap(self, end: int, nodes: dict[proof.Node, bytes]) -> Iterator[bytes]:
        """Write the leaves up to ``end`` as one gap: by the fewest perfect subtrees that make it up."""
        if end <= self.position:
            return
        places = proof.cover(self.position, end)
        gap = Gap(self.position, end, tuple(nodes[place] for place in places))
        for place in places:
            self.position = merkle.append_subtree(self.frontier, self.position, place.level, nodes[place])
        line = bundle.gap_line(gap)
        self.taken += escaped_length(line)
        yield line

    def _is_full(self, line: bytes, event: Event) -> bool:
        """Count an event; return whether it is one too many. Where nothing is limited, nothing is counted.

        An erased one brings the order with it, with a gap before it, unless another has brought that already.
        """
        if self.limit is None:
            return False
        self.taken += escaped_length(line)
        if event.erased is not None and event.erased.seq not in self.orders:
            order = self._order(event.erased.seq)
            self.taken += escaped_length(bundle.erasure_line(format_event(order))) + _GAP
        return self.events > 0 and self.taken > self.limit


def _contiguous(batches: Iterator[list[Event]], chain: str, wanted: SeqRange) -> Iterator[list[Event]]:
    """Let batches through that have every event of a range, one after the other.

    Raises:
        CorruptionError: one is missing.
    """
    seq = wanted.from_seq
    for batch in batches:
        if [event.seq for event in batch] != list(range(seq, seq + len(batch))):
            raise _missing(chain)
        seq += len(batch)
        yield batch
    if seq != wanted.to_seq:
        raise _missing(chain)


def _missing(chain: str) -> CorruptionError:
    return CorruptionError(f"an event of chain {chain} is missing; run an audit")


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Join lines into chunks, which cost less on their way through threads and sockets."""
    held: list[bytes] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= _CHUNK:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)
