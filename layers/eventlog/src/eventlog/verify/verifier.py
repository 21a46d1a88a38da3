"""Re-derives a chain from raw stored documents and says where it differs: payload, content, link, Merkle nodes.

Each step is checked against the stored value it feeds, so one edit gives one finding, at the event it was made to;
when every check passes, everything equals a recomputation from the stored fields alone. After a finding the verifier
goes on with whatever reading the rest of the chain agrees with. Pure: documents in, findings out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from eventlog.formats import hashing, merkle
from eventlog.formats.canonical import is_canonical_object
from eventlog.formats.event import ChainState, Entry, Event
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.verify.fast_path import Segment, Skew, follow
from eventlog.verify.findings import Emit, Finding, FindingKind


@dataclass(slots=True)
class VerifierState:
    """How far a chain is verified; it can be stored and resumed.

    ``links``: the hashes the next event may link to (more than one only after a finding, none: anything).
    ``frontier``: the Merkle frontier, None where it can't be known any more. ``hole``: the last leaf is not known yet,
    the next event's prev_hash gives it.
    """

    size: int
    links: list[bytes]
    frontier: list[bytes | None] = field(default_factory=list)
    hole: bool = False

    def grow(self, leaf: bytes | None, stored: tuple[bytes, ...] | None = None) -> bool:
        """Append a leaf hash; return whether the stored nodes agree. What can't be computed is taken as stored."""
        level, rest, current, agree = 0, self.size, leaf, True
        while rest & 1:
            left = self.frontier.pop()
            current = merkle.node_hash(left, current) if left and current else None
            there = stored[level] if stored and level < len(stored) else None
            agree = agree and (stored is None or current is None or current == there)
            current = current or there
            level, rest = level + 1, rest >> 1
        self.frontier.append(current)
        self.size += 1
        return agree and (stored is None or len(stored) == level)

    def skip(self, size: int) -> None:
        """Append unknown leaves up to ``size``, however far: only the subtrees left of the first of them stay known."""
        if size > self.size:
            kept = (self.size >> (self.size ^ size).bit_length()).bit_count()
            self.frontier[kept:] = [None] * (size.bit_count() - kept)
            self.size = size

    @property
    def position(self) -> int:
        """The next event's seq."""
        return self.size + self.hole

    @property
    def root(self) -> bytes | None:
        """The Merkle root, if all of it is known."""
        known = [node for node in self.frontier if node is not None]
        return merkle.root(known) if len(known) == len(self.frontier) else None


def check_entry(entry: Entry, seq: int, emit: Emit) -> list[bytes]:
    """Check payload and content; return the content hashes that may stand behind the event's hash."""
    payload = hashing.payload_hash(entry.salt, entry.payload.encode())
    found = _content(entry, payload)
    if payload == entry.payload_hash and found == entry.content_hash:
        if not is_canonical_object(entry.payload.encode()):  # its hashes are right, but no append wrote it
            detail = "the payload is not the canonical text of a JSON object"
            emit(Finding("unexpected", seq, None, None, detail))
        return [entry.content_hash]
    candidates = [entry.content_hash, found, _content(entry, entry.payload_hash)]
    if payload != entry.payload_hash:
        detail = "the payload or salt does not give the stored payload_hash"
        emit(_mismatch("payload_mismatch", seq, payload, entry.payload_hash, detail))
    if entry.content_hash not in candidates[1:]:
        detail = "the event's fields do not give the stored content_hash"
        emit(_mismatch("content_mismatch", seq, found, entry.content_hash, detail))
    return [candidate for candidate in candidates if candidate]


class ChainVerifier:
    """Verifies documents of one chain, handed over in the order of their seq."""

    def __init__(self, state: VerifierState, emit: Emit, skew: Skew | None = None) -> None:
        self.state = state
        self.skew = skew or Skew()
        self._emit = emit

    def documents(self, chain: str, documents: Iterable[bytes]) -> int:
        """Verify the next stored documents of this chain; how many there were."""
        rows, count = iter(documents), 0
        while True:
            followed, odd = self._follow(chain, rows)
            count += followed
            if odd is None:
                return count
            self.document(odd)
            count += 1

    def _follow(self, chain: str, documents: Iterator[bytes]) -> tuple[int, bytes | None]:
        """Go the quick way where it is open: all is known. How far, and the first document it doesn't go over."""
        state = self.state
        frontier = [node for node in state.frontier if node is not None]
        if state.hole or len(state.links) != 1 or len(frontier) < len(state.frontier):
            return 0, next(documents, None)
        honest = ChainState(state.size, state.links[0], frontier)
        odd = follow(chain, honest, documents, self.skew)
        followed = honest.size - state.size
        state.size, state.links, state.frontier = honest.size, [honest.hash], [*honest.frontier]
        return followed, odd

    def document(self, raw: bytes) -> None:
        """Verify the next stored document."""
        event, why, seq = understand(raw)
        if seq is None or seq < self.state.position:
            self._emit(Finding("unexpected", seq, None, None, why or "a second document at this seq"))
            return
        if seq > self.state.position:
            self.gap(seq, "missing")
        if event is None:
            self._emit(Finding("unexpected", seq, None, None, why))
            self._fill(None)
            self.state.hole, self.state.links = True, []
        else:
            self._event(event, raw)

    def join(self, segment: Segment) -> bool:
        """Go on over a segment that was verified by itself; False, and nothing done, if it doesn't follow."""
        state = self.state
        if state.hole or state.size != segment.start or segment.prev_hash not in state.links:
            return False
        state.size, state.links = segment.size, [segment.hash]
        state.frontier += segment.frontier
        self.skew.merge(Skew(*segment.skew))
        self.document(segment.last)
        return True

    def gap(self, seq: int, kind: FindingKind) -> None:
        """Report the events up to ``seq`` as not there."""
        first, count = self.state.position, seq - self.state.position
        detail = f"{count} event{'s' if count > 1 else ''}: seq {first}..{seq - 1} not in the log"
        self._emit(Finding(kind, first, str(count), "0", detail))
        self._fill(None)
        self.state.skip(seq - 1)
        self.state.hole, self.state.links = True, []

    def _fill(self, leaf: bytes | None) -> None:
        """Give the last unknown leaf its hash."""
        if self.state.hole:
            self.state.grow(leaf)
            self.state.hole = False

    def _event(self, event: Event, raw: bytes) -> None:
        if self.state.hole:
            self._fill(event.prev_hash)
        entry, seq = event.entry, event.seq
        if abs(entry.received_at - entry.timestamp) > Skew.LIMIT:
            self.skew.add(seq, entry.received_at - entry.timestamp)
        findings: list[Finding] = []
        contents = check_entry(entry, seq, findings.append)
        self._check_shape(event, raw, intact=not findings)
        for finding in findings:
            self._emit(finding)
        links = self.state.links
        previous = [event.prev_hash]
        if links and event.prev_hash not in links:
            previous += links
            self._emit(
                _mismatch("link_mismatch", seq, links[0], event.prev_hash, "prev_hash is not the hash before it")
            )
            if self.state.frontier:
                self.state.frontier[-1] = None
        leaves = [
            hashing.leaf_hash(hashing.leaf(seq, prev, content))
            for prev in previous
            for content in dict.fromkeys(contents)
        ]
        leaf = event.hash if event.hash in leaves else leaves[0]
        if leaf != event.hash:
            detail = "seq, prev_hash and content_hash do not give the stored hash"
            self._emit(_mismatch("hash_mismatch", seq, leaf, event.hash, detail))
        if not self.state.grow(leaf, event.nodes):
            self._emit(Finding("node_mismatch", seq, None, None, "nodes are not the Merkle nodes this event completes"))
        self.state.links = list(dict.fromkeys([leaf, event.hash]))

    def _check_shape(self, event: Event, raw: bytes, *, intact: bool) -> None:
        """Compare with a fresh encoding; an ``_id`` that differs with the event_id is the content's finding."""
        fresh = codec.encode_event(event)
        if fresh == raw:
            return
        document = codec.decode(fresh)
        stored = codec.decode(raw)
        if not intact:
            document["_id"] = stored["_id"]
        if intact or codec.encode(document) != raw:
            names = [n for n in {**stored, **document} if n not in document or document[n] != stored.get(n)]
            detail = f"not as this version writes it: {', '.join(names) or 'order or encoding of fields'}"
            self._emit(Finding("unexpected", event.seq, None, None, detail))


def understand(raw: bytes) -> tuple[Event | None, str, int | None]:
    """The event of a stored document, or why it isn't one; and its seq, if that is a whole number."""
    try:
        event = codec.decode_event(raw)
    except NotOursError as error:
        return None, str(error), _seq(raw)
    return event, "", event.seq


def _seq(raw: bytes) -> int | None:
    try:
        seq: Any = codec.decode(raw).get("seq")
    except NotOursError:
        return None
    if isinstance(seq, bool) or not isinstance(seq, (int, float)) or not abs(seq) < 2**63:
        return None
    return int(seq) if seq == int(seq) else None


def _content(entry: Entry, payload_hash: bytes) -> bytes | None:
    try:
        return hashing.content_hash(
            chain=entry.chain,
            event_id=entry.event_id,
            event_type=entry.event_type,
            source_id=entry.source_id,
            timestamp=entry.timestamp,
            received_at=entry.received_at,
            principal=entry.principal,
            payload_hash=payload_hash,
        )
    except ValueError:  # a time outside the years this version writes
        return None


def _mismatch(kind: FindingKind, seq: int, expected: bytes | None, actual: bytes, detail: str) -> Finding:
    return Finding(kind, seq, expected.hex() if expected else None, actual.hex(), detail)
