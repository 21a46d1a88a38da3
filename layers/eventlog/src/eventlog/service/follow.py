"""The quick way through documents in which nothing is wrong; it makes no findings, ``verify`` does."""

import struct
from collections.abc import Iterable

from eventlog.formats import hashing, merkle
from eventlog.formats.event import ChainState
from eventlog.store.layout import ENDINGS, EventLayout


def follow(chain: str, state: ChainState, documents: Iterable[bytes]) -> bytes | None:
    """Move the state on over documents that are, byte for byte, the chain's next events.

    Each document is rebuilt from what no hash gives (payload, salt, ids, times) and from the state. Returns the first
    that differs, with the state as it was before it, or None at the end.
    """
    split = EventLayout(chain).split
    size, previous, frontier = state.size, state.hash, state.frontier
    for raw in documents:
        try:
            parts = split(raw)
            if parts is None:
                break
            seq, event_id, event_type, source_id, timestamp, received_at, principal, payload, salt, end = parts
            payload_hash = hashing.payload_hash(salt, payload)
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
        except (struct.error, ValueError):
            break
        leaf = hashing.leaf_hash(hashing.leaf(size, previous, content_hash))
        before = frontier.copy()
        nodes = merkle.append_leaf(frontier, size, leaf)
        fresh = ENDINGS[len(nodes)] % (salt, payload_hash, content_hash, previous, leaf, *nodes)
        if seq != size or raw[end:] != fresh:
            frontier = before
            break
        size, previous = size + 1, leaf
    else:
        raw = None
    state.size, state.hash, state.frontier = size, previous, frontier
    return raw
