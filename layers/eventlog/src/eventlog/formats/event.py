"""The event record and how entries become events: the one place where a chain is extended.

Specified in docs/formats/event-and-chain.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from eventlog.formats import hashing, merkle


class Keys(NamedTuple):
    """What an event is found by: the version of the declaration, and the sorted ``name:value`` that follow from it."""

    version: int
    values: tuple[str, ...]


class Entry(NamedTuple):
    """An accepted event that has no place yet. Times are milliseconds since 1970, the payload canonical text.

    ``payload_bytes``: the size of a payload that is stored apart from its event (``stored/bodies.py``). Then
    ``payload`` is empty until it was read from there, and an empty text is no payload anywhere.
    ``keys`` follow from the payload (``search_keys.py``) and are in no hash; None: none were derived.
    Of an erased event payload and salt are empty (``is_erased``), and so are the values of its keys.
    """

    chain: str
    event_id: str
    event_type: str
    source_id: str
    timestamp: int
    received_at: int
    principal: str
    payload: str
    salt: bytes
    payload_hash: bytes
    content_hash: bytes
    payload_bytes: int | None = None
    keys: Keys | None = None


class Erased(NamedTuple):
    """By which event another was erased, and when that was ordered, in milliseconds since 1970."""

    seq: int
    time: int


class Event(NamedTuple):
    """An entry with its place in the chain. ``nodes`` are the Merkle nodes it completes, level 1 first.

    ``erased``: by what it was erased, where that was looked up (``is_erased`` says whether).
    """

    entry: Entry
    seq: int
    prev_hash: bytes
    hash: bytes
    nodes: tuple[bytes, ...] = ()
    erased: Erased | None = None


@dataclass(slots=True)
class ChainState:
    """A chain's head: its size, the last event's hash (genesis when empty) and the Merkle frontier."""

    size: int
    hash: bytes
    frontier: list[bytes] = field(default_factory=list)

    def append(self, content_hash: bytes) -> tuple[int, bytes, bytes, tuple[bytes, ...]]:
        """Extend by one content hash; return the new event's (seq, prev_hash, hash, nodes)."""
        seq, prev_hash = self.size, self.hash
        digest = hashing.leaf_hash(hashing.leaf(seq, prev_hash, content_hash))
        nodes = tuple(merkle.append_leaf(self.frontier, seq, digest))
        self.size, self.hash = seq + 1, digest
        return seq, prev_hash, digest, nodes

    def fold(self, content_hashes: Iterable[bytes]) -> None:
        """Extend by content hashes of whose events nothing else is asked."""
        seq, digest = self.size, self.hash
        for content_hash in content_hashes:
            digest = hashing.leaf_hash(hashing.leaf(seq, digest, content_hash))
            merkle.append_leaf(self.frontier, seq, digest)
            seq += 1
        self.size, self.hash = seq, digest

    def extend(self, entries: Iterable[Entry]) -> Iterator[Event]:
        """Yield an event for each entry, at the next seq."""
        for entry in entries:
            seq, prev_hash, digest, nodes = self.append(entry.content_hash)
            yield Event(entry=entry, seq=seq, prev_hash=prev_hash, hash=digest, nodes=nodes)

    def copy(self) -> "ChainState":
        """Return a head that can be extended without changing this one."""
        return ChainState(self.size, self.hash, list(self.frontier))

    @property
    def root(self) -> bytes:
        """The Merkle root of the chain's tree."""
        return merkle.root(self.frontier)


def make_entry(
    *,
    chain: str,
    event_id: str,
    event_type: str,
    source_id: str,
    timestamp: int,
    received_at: int,
    principal: str,
    payload: str,
    salt: bytes,
) -> Entry:
    """Build an entry with its hashes (format version 1)."""
    # The content hash covers the payload by its salted hash only, so a payload can be erased and the chain still
    # verifies.
    payload_digest = hashing.payload_hash(salt, payload.encode())
    content = hashing.content_hash(
        chain=chain,
        event_id=event_id,
        event_type=event_type,
        source_id=source_id,
        timestamp=timestamp,
        received_at=received_at,
        principal=principal,
        payload_hash=payload_digest,
    )
    return Entry(
        chain=chain,
        event_id=event_id,
        event_type=event_type,
        source_id=source_id,
        timestamp=timestamp,
        received_at=received_at,
        principal=principal,
        payload=payload,
        salt=salt,
        payload_hash=payload_digest,
        content_hash=content,
    )


def content_hash_of(entry: Entry, payload_hash: bytes) -> bytes:
    """Derive the hash of an event's fields, its payload's being this one.

    Raises:
        ValueError: a time is outside the years that this version writes.
    """
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


def is_erased(entry: Entry) -> bool:
    """Return whether payload and salt were erased. Then ``payload_hash`` can't be checked, nor anybody guess at it."""
    return not entry.salt
