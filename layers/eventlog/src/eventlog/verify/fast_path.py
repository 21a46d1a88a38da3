"""The fast path over documents in which nothing is wrong. It makes no findings: where it stops, ``verifier`` does.

It also verifies a segment of a chain by itself, without knowing what is left of it, so that several processes can share
a chain. A segment of n events that starts at a multiple of a power of two >= n is made of whole subtrees. Only its last
event may complete nodes that reach further left, so that one is handed back as it is stored. The frontier of the others
is the right end of the whole chain's frontier there.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as chained
from itertools import groupby, islice
from typing import ClassVar

from eventlog.formats import hashing, merkle
from eventlog.formats.canonical import is_canonical_object
from eventlog.formats.event import ChainState
from eventlog.formats.governance import ERASURE
from eventlog.formats.search_keys import Rules, no_rules
from eventlog.stored.bodies import split
from eventlog.stored.codec import decode_event
from eventlog.stored.errors import NotOursError
from eventlog.stored.layout import ENDINGS, ERASED_ENDINGS, EventLayout, Parts, hash_of_erased
from eventlog.verify import columns
from eventlog.verify.key_fields import are_keys
from eventlog.verify.seen import Seen


@dataclass(slots=True)
class ClockSkew:
    """Events whose claimed time is more than ``LIMIT`` milliseconds from when they were received, and the furthest one.

    That is no tampering: the time is the client's claim, and late or imported events are honest.
    """

    events: int = 0
    seq: int = -1
    millis: int = 0

    LIMIT: ClassVar[int] = 3_600_000

    def add(self, seq: int, millis: int) -> None:
        """Count an event; ``millis``: received_at - timestamp, over the limit either way."""
        self.merge(ClockSkew(1, seq, millis))

    def merge(self, other: "ClockSkew") -> None:
        """Count those of the events that come next."""
        if abs(other.millis) > abs(self.millis):
            self.seq, self.millis = other.seq, other.millis
        self.events += other.events


def advance(
    chain: str,
    state: ChainState,
    documents: Iterable[bytes],
    skew: ClockSkew | None = None,
    leaves: bytearray | None = None,
    *,
    rules: Rules = no_rules,
    seen: Seen | None = None,
) -> bytes | None:
    """Advance the state over documents that are, byte for byte, the chain's next events.

    Each document is rebuilt from the fields that no hash gives (payload, salt, ids, times) and from the state, and the
    bytes are compared: so everything that it stores is checked at once, and nothing that it stores is believed. Of an
    erased event the payload's hash is taken as it is stored, which the content hash covers; ``seen`` has it.

    Returns:
        The first document that differs, with the state as it was before it; None if none did. The leaf hashes of the
        others are appended to ``leaves``, and skewed times are counted in ``skew``.
    """
    read = EventLayout(chain).split
    size, previous, frontier = state.size, state.hash, state.frontier
    limit, skew, seen = ClockSkew.LIMIT, skew or ClockSkew(), seen or Seen()
    for raw in documents:
        try:
            parts = read(raw)  # by position; up to the payload, all but the values is compared here
            derived = None if parts is None else _hashes(chain, raw, parts)
        except (struct.error, ValueError):  # shorter than its lengths say, not UTF-8, or a time that has no text
            break
        if parts is None or derived is None:
            break
        payload_hash, content_hash = derived
        seq, event_id, event_type, _, timestamp, received_at, _, payload, salt, end, body = parts
        leaf = hashing.leaf_hash(hashing.leaf(size, previous, content_hash))
        before = frontier.copy()
        nodes = merkle.append_leaf(frontier, size, leaf)
        hashes = (payload_hash, content_hash, previous, leaf, *nodes)
        fresh = ENDINGS[len(nodes)] % (salt, *hashes) if payload else ERASED_ENDINGS[len(nodes)] % hashes
        # Salt, hashes and nodes: all behind the payload but keys. The id of a payload stored apart has its hash.
        rest, own = raw[end:], True
        if body is not None:
            rest, own = raw[end : body.stop], body.key == f"{chain}/{event_id}/{payload_hash.hex()}".encode()
        last = len(fresh) - 1
        as_is = rest == fresh or (rest[:last] == fresh[:last] and are_keys(rest[last:], payload, rules))
        if seq != size or not own or not as_is:
            frontier = before
            break
        if not -limit <= received_at - timestamp <= limit:
            skew.add(size, received_at - timestamp)
        if not payload or event_type == ERASURE:
            seen.add(size, leaf, erased=not payload, orders=event_type == ERASURE)
        if leaves is not None:
            leaves += leaf
        size, previous = size + 1, leaf
    else:
        raw = None
    state.size, state.hash, state.frontier = size, previous, frontier
    return raw


def _hashes(chain: str, raw: bytes, parts: Parts) -> tuple[bytes, bytes] | None:
    """Derive the hashes of an event's payload and content; None if no append has stored such a payload."""
    _, event_id, event_type, source_id, timestamp, received_at, principal, payload, salt, end, _ = parts
    stated = None if payload else hash_of_erased(raw, end)
    if stated is None and not is_canonical_object(payload):  # its hash may be right all the same
        return None
    payload_hash = stated or hashing.payload_hash(salt, payload)
    content_hash = hashing.content_hash(
        chain=chain,
        event_id=event_id,
        event_type=event_type,
        source_id=source_id,
        timestamp=timestamp,
        received_at=received_at,
        principal=principal,
        payload_hash=payload_hash,
    )
    return payload_hash, content_hash


def advance_many(
    chain: str,
    state: ChainState,
    documents: Sequence[bytes],
    skew: ClockSkew,
    leaves: bytearray | None = None,
    *,
    rules: Rules = no_rules,
    seen: Seen,
) -> int:
    """Do what ``advance`` does, for most events at once; return how many documents come before the first that differs.

    Ask for one of ``columns.portions`` at a time.
    """
    start, at, limit = state.size, 0, ClockSkew.LIMIT
    read = list(map(columns.layout_of(chain).read, documents))
    for plain, group in groupby(read, bool) if None in read else [(True, read)]:
        rows = list(group)
        part = documents[at : at + len(rows)]
        at += len(rows)
        # Documents that may be plain go in columns. Others, and columns in which anything differs, go one by one: that
        # takes what is right in another form, and stops at the first document that is not.
        found = columns.follow(chain, state, part, [row for row in rows if row], rules) if plain else None
        if found is None:
            if advance(chain, state, part, skew, leaves, rules=rules, seen=seen) is not None:
                break
            continue
        after, hashes, delays, orders = found
        if late := [place for place, millis in enumerate(delays) if not -limit <= millis <= limit]:
            furthest = max(late, key=lambda place: abs(delays[place]))
            skew.merge(ClockSkew(len(late), state.size + furthest, delays[furthest]))
        for place in orders:
            seen.add(state.size + place, hashes[place], erased=False, orders=True)
        if leaves is not None:
            leaves += b"".join(hashes)
        state.size, state.hash, state.frontier = after.size, after.hash, after.frontier
    return state.size - start


@dataclass(frozen=True, slots=True)
class Segment:
    """Events from ``start`` on that are intact, if the first one's ``prev_hash`` is right.

    ``size``, ``hash`` and ``frontier`` are the state after all but the last event, ``last`` is that one as stored.
    ``leaves`` (32 bytes each), ``skew`` and what is ``Seen`` of erasures are of all but the last, too.
    """

    start: int
    prev_hash: bytes
    size: int
    hash: bytes
    frontier: list[bytes]
    last: bytes
    leaves: bytes
    skew: tuple[int, int, int]
    erased: bytes = b""
    erasures: bytes = b""


def segment_roots(left: list[bytes], segment: Segment, sizes: Iterable[int]) -> dict[int, bytes]:
    """Compute the Merkle roots at ascending sizes inside a segment, start < size <= segment.size.

    ``left`` is the frontier of the chain up to the segment's start.
    """
    roots: dict[int, bytes] = {}
    frontier: list[bytes] = []
    at = segment.start
    # A segment is no longer than a step and starts at a multiple of it, so no subtree reaches beyond its start: its
    # own frontier can be built apart from the chain's.
    for size in sizes:
        for seq in range(at, size):
            place = (seq - segment.start) * 32
            merkle.append_leaf(frontier, seq, segment.leaves[place : place + 32])
        at = size
        roots[size] = merkle.root([*left, *frontier])
    return roots


def verify_segment(
    chain: str, start: int, stop: int, documents: Iterator[bytes], rules: Rules = no_rules
) -> Segment | None:
    """Verify the documents of start..stop-1; None if they are not exactly these events, intact, and two or more.

    The first one's link is taken as it is stored: ``ChainVerifier.join`` compares it.
    """
    first = next(documents, b"")
    if stop - start < 2:
        return None
    try:
        prev_hash = decode_event(split(first)[0]).prev_hash
    except NotOursError:
        return None
    # All but the last document are advanced over here; the last one is kept whole, for ``join`` to verify in full.
    state = ChainState(start, prev_hash)
    skew, leaves, seen = ClockSkew(), bytearray(), Seen()
    inner = chained([first], islice(documents, stop - start - 2))
    for portion in columns.portions(inner):
        if advance_many(chain, state, portion, skew, leaves, rules=rules, seen=seen) < len(portion):
            return None
    rest = list(islice(documents, 2))  # must be the last one, and no more
    if state.size != stop - 1 or len(rest) != 1:
        return None
    late = (skew.events, skew.seq, skew.millis)
    erasures = bytes(seen.erased), bytes(seen.erasures)
    return Segment(start, prev_hash, state.size, state.hash, state.frontier, rest[0], bytes(leaves), late, *erasures)
