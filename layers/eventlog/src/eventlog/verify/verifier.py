"""Re-derives a chain from raw stored documents and reports where it differs: payload, content, link, Merkle nodes.

Each step is checked against the stored value that the next step uses. So one edit gives one finding, at the event that
was edited; and if every check passes, everything equals a recomputation from the stored fields alone. After a finding,
more than one hash may be the right one: the verifier goes on with those that the rest of the chain can agree with.
Pure: documents in, findings out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eventlog.formats import hashing, merkle
from eventlog.formats.event import ChainState, Event, is_erased
from eventlog.formats.governance import ERASURE
from eventlog.formats.search_keys import Rules, no_rules
from eventlog.stored import bodies, codec
from eventlog.verify.columns import portions
from eventlog.verify.documents import check_entry, check_row, understand
from eventlog.verify.fast_path import ClockSkew, Segment, advance, advance_many
from eventlog.verify.findings import Emit, Finding, FindingKind, mismatch
from eventlog.verify.seen import Seen


@dataclass(slots=True)
class VerifierState:
    """How far a chain is verified; it can be stored, and resumed from.

    Attributes:
        size: How many leaves the frontier is of.
        links: The hashes that the next event may link to: more than one only after a finding; empty for any.
        frontier: The Merkle frontier; None where a node can't be known any more.
        hole: One more leaf comes before the next event, whose prev_hash will tell it.
    """

    size: int
    links: list[bytes]
    frontier: list[bytes | None] = field(default_factory=list)
    hole: bool = False

    def grow(self, leaf: bytes | None, stored: tuple[bytes, ...] | None = None) -> bool:
        """Append a leaf hash, None if it is not known; return whether the stored nodes of its event agree.

        A node that can't be computed is taken as it is stored, so that later roots can be known again. That hides
        nothing: there was a finding where the knowledge was lost, so the chain is not intact in any case.
        """
        level, rest, current, agree = 0, self.size, leaf, True
        while rest & 1:  # each one bit at the end of the size is a subtree that this leaf completes
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
        """Append unknown leaves up to ``size``, at once however many: only subtrees without any of them stay known."""
        if size > self.size:
            # The frontier has a node for each one bit of the size. Those above the highest bit in which both sizes
            # differ are the same in both trees; all others of the new frontier hold an unknown leaf.
            kept = (self.size >> (self.size ^ size).bit_length()).bit_count()
            self.frontier[kept:] = [None] * (size.bit_count() - kept)
            self.size = size

    @property
    def position(self) -> int:
        """The next event's seq."""
        return self.size + self.hole

    @property
    def root(self) -> bytes | None:
        """The Merkle root; None if a part of it is not known."""
        known = [node for node in self.frontier if node is not None]
        return merkle.root(known) if len(known) == len(self.frontier) else None


class ChainVerifier:
    """Verifies the documents of one chain, handed over in the order of their seq; ``rules`` say what keys must be.

    What it comes across of erasures is in ``seen``, for whoever can judge it.
    """

    def __init__(
        self, state: VerifierState, emit: Emit, skew: ClockSkew | None = None, rules: Rules = no_rules
    ) -> None:
        self.state = state
        self.skew = skew or ClockSkew()
        self.seen = Seen()
        self._emit = emit
        self._rules = rules

    def documents(self, chain: str, documents: Iterable[bytes]) -> int:
        """Verify the next stored documents of this chain; return how many there were.

        The fast path goes over them until one differs; that one is verified step by step, and then the fast path again.
        """
        count = 0
        for portion in portions(documents):
            at = self._follow(chain, portion, first=True)
            while at < len(portion):
                self.document(portion[at])
                at += 1
                at += self._follow(chain, portion[at:], first=False)
            count += len(portion)
        return count

    def _follow(self, chain: str, documents: Sequence[bytes], *, first: bool) -> int:
        """Take the fast path where everything before is known; return how many documents it went over.

        ``first``: nothing was wrong with the documents before them. Else they are not gone over many at once: that is
        in vain if something is wrong with any of them, and much may be.
        """
        state = self.state
        frontier = [node for node in state.frontier if node is not None]
        if not documents or state.hole or len(state.links) != 1 or len(frontier) < len(state.frontier):
            return 0
        honest = ChainState(state.size, state.links[0], frontier)
        if first:
            advance_many(chain, honest, documents, self.skew, rules=self._rules, seen=self.seen)
        else:
            advance(chain, honest, documents, self.skew, rules=self._rules, seen=self.seen)
        followed = honest.size - state.size
        state.size, state.links, state.frontier = honest.size, [honest.hash], [*honest.frontier]
        return followed

    def document(self, raw: bytes) -> None:
        """Verify the next stored document."""
        event, why, seq = understand(raw)
        if seq is None or seq < self.state.position:  # it has no place in the chain, so the chain goes on without it
            self._emit(Finding("unexpected", seq, None, None, why or "a second document at this seq"))
            return
        if seq > self.state.position:
            self.gap(seq, "missing")
        if event is None:  # something stands in its place, whose hash the next event's link will tell
            self._emit(Finding("unexpected", seq, None, None, why))
            self._fill(None)
            self.state.hole, self.state.links = True, []
        else:
            self._event(event, raw)

    def join(self, segment: Segment) -> bool:
        """Go on over a segment that was verified by itself; False, and nothing done, if it doesn't come next here."""
        state = self.state
        if state.hole or state.size != segment.start or segment.prev_hash not in state.links:
            return False
        state.size, state.links = segment.size, [segment.hash]
        state.frontier += segment.frontier
        self.skew.merge(ClockSkew(*segment.skew))
        self.seen.erased += segment.erased
        self.seen.erasures += segment.erasures
        self.document(segment.last)
        return True

    def gap(self, seq: int, kind: FindingKind) -> None:
        """Report the events before ``seq`` as not there, and go on at ``seq``."""
        first, count = self.state.position, seq - self.state.position
        detail = f"{count} event{'s' if count > 1 else ''}: seq {first}..{seq - 1} not in the log"
        self._emit(Finding(kind, first, str(count), "0", detail))
        self._fill(None)
        self.state.skip(seq - 1)
        self.state.hole, self.state.links = True, []

    def _fill(self, leaf: bytes | None) -> None:
        """Give the leaf that is not known yet its hash."""
        if self.state.hole:
            self.state.grow(leaf)
            self.state.hole = False

    def _event(self, event: Event, raw: bytes) -> None:
        """Verify an event at its place: shape, payload, content, link, hash and nodes, each against what it must be."""
        if self.state.hole:
            self._fill(event.prev_hash)
        entry, seq = event.entry, event.seq
        if abs(entry.received_at - entry.timestamp) > ClockSkew.LIMIT:
            self.skew.add(seq, entry.received_at - entry.timestamp)
        findings: list[Finding] = []
        contents = check_entry(entry, seq, findings.append, self._rules)
        self._check_shape(event, raw, intact=not findings)
        for finding in findings:
            self._emit(finding)
        links = self.state.links
        previous = [event.prev_hash]
        if links and event.prev_hash not in links:
            # Either this prev_hash was edited or the hash before it. The event's own hash below tells which prev_hash
            # it was made with, so both are tried; and the leaf before is not known any more.
            previous += links
            self._emit(mismatch("link_mismatch", seq, links[0], event.prev_hash, "prev_hash is not the hash before it"))
            if self.state.frontier:
                self.state.frontier[-1] = None
        leaves = [
            hashing.leaf_hash(hashing.leaf(seq, prev, content))
            for prev in previous
            for content in dict.fromkeys(contents)
        ]
        # If one of the possible prev_hashes and content hashes gives the stored hash, that was not edited.
        leaf = event.hash if event.hash in leaves else leaves[0]
        if leaf != event.hash:
            detail = "seq, prev_hash and content_hash do not give the stored hash"
            self._emit(mismatch("hash_mismatch", seq, leaf, event.hash, detail))
        if not self.state.grow(leaf, event.nodes):
            self._emit(Finding("node_mismatch", seq, None, None, "nodes are not the Merkle nodes this event completes"))
        self.seen.add(seq, leaf, erased=is_erased(entry), orders=entry.event_type == ERASURE)
        self.state.links = list(dict.fromkeys([leaf, event.hash]))  # the next event may agree with either

    def _check_shape(self, event: Event, raw: bytes, *, intact: bool) -> None:
        """Compare with a fresh encoding, so that no field more, fewer or of another type goes unseen.

        If the event is not ``intact`` its ``_id`` is not compared: an edited event_id is a finding of the content.
        """
        raw, row = bodies.split(raw)
        if row is not None and is_erased(event.entry):  # an erasure takes the row last, and may be at it
            self.seen.left += 1
        elif intact and row is not None and (why := check_row(event.entry, row)):
            self._emit(Finding("unexpected", event.seq, None, None, why))
            return
        fresh = codec.encode_event(event)
        if fresh == raw:
            return
        # It differs: name the fields. If all are equal, it is their order or their encoding.
        document = codec.decode(fresh)
        stored = codec.decode(raw)
        if not intact:
            document["_id"] = stored["_id"]
        if intact or codec.encode(document) != raw:
            names = [n for n in {**stored, **document} if n not in document or document[n] != stored.get(n)]
            detail = f"not as this version writes it: {', '.join(names) or 'order or encoding of fields'}"
            self._emit(Finding("unexpected", event.seq, None, None, detail))
