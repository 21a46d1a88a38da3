"""The quick way through documents in which nothing is wrong; it makes no findings, ``verify`` does."""

import struct
from collections.abc import Iterable

from eventlog.formats import hashing, merkle
from eventlog.formats.event import ChainState
from eventlog.store.layout import EventLayout, ending


def follow(chain: str, state: ChainState, documents: Iterable[bytes]) -> bytes | None:
    """Move the state on over documents that are, byte for byte, the chain's next events.

    Each document is rebuilt from what no hash gives (payload, salt, ids, times) and from the state. Returns the first
    that differs, with the state as it was before it, or None at the end.
    """
    split = EventLayout(chain).split
    for raw in documents:
        try:
            parts = split(raw)
            if parts is None:
                return raw
            seq, event_id, event_type, source_id, timestamp, received_at, principal, payload, salt, rest = parts
            payload_hash = hashing.payload_hash(salt, payload)
            content = hashing.content_hash(
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
            return raw
        leaf = hashing.leaf_hash(hashing.leaf(state.size, state.hash, content))
        frontier = state.frontier.copy()
        nodes = merkle.append_leaf(frontier, state.size, leaf)
        if seq != state.size or rest != ending(salt, (payload_hash, content, state.hash, leaf), nodes):
            return raw
        state.size, state.hash, state.frontier = seq + 1, leaf, frontier
    return None
