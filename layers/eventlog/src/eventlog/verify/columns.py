"""The fast path over many events at once: one field of all of them after the other, in loops that Python has in C.

It does what ``fast_path.advance`` does for events that stand whole in their documents (``stored/plain_layout.py``):
each document is written anew from the values that no hash gives and from the state, and then all are compared. It says
only that nothing is wrong. If something is, ``advance`` says where.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import sub

from eventlog.formats import hashing, merkle
from eventlog.formats.canonical import are_canonical_objects
from eventlog.formats.event import ChainState
from eventlog.formats.governance import ERASURE
from eventlog.formats.search_keys import Rules
from eventlog.stored.plain_layout import PlainLayout, PlainRow, salts_of, write_plain
from eventlog.verify.key_fields import are_keys

_AT_ONCE = 64
_AT_ONCE_BYTES = 1 << 20
_ERASURE = ERASURE.encode()
layout_of = lru_cache(maxsize=16)(PlainLayout)


def portions(documents: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Split documents into lists that are worth going over at once, and that take little memory."""
    portion: list[bytes] = []
    size = 0
    for raw in documents:
        portion.append(raw)
        size += len(raw)
        if len(portion) >= _AT_ONCE or size >= _AT_ONCE_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def follow(
    chain: str, state: ChainState, documents: Sequence[bytes], rows: Sequence[PlainRow], rules: Rules
) -> tuple[ChainState, list[bytes], list[int], list[int]] | None:
    """Verify the chain's next events; ``rows`` is what was read of their documents.

    Returns:
        The state after them, their leaf hashes, how many milliseconds each was received after its timestamp, and which
        of them order erasures; None if any document is not, byte for byte, what it must be.
    """
    _, values, payloads, ends = zip(*rows, strict=True)
    ids, types, sources, *packed, principals, _ = zip(*values, strict=True)
    times, received = (struct.unpack(f"<{len(rows)}q", b"".join(column)) for column in packed)
    salts = salts_of(documents, ends)
    try:
        payload_hashes = hashing.payload_hashes(salts, payloads)
        texts = (ids, types, sources, principals)
        contents = hashing.content_hashes(chain, texts, payload_hashes, (times, received))
    except ValueError:  # a document that is too short, a text that is not UTF-8, or a time that has no text
        return None
    leaves = hashing.leaf_hashes(state.size, state.hash, contents)
    frontier = state.frontier.copy()
    nodes = merkle.append_leaves(frontier, state.size, leaves)
    columns = (salts, payload_hashes, contents, [state.hash, *leaves[:-1]], leaves, nodes)
    hashes = [
        (salt, payload_hash, content, before, leaf, *completed)
        for salt, payload_hash, content, before, leaf, completed in zip(*columns, strict=True)
    ]
    fresh = write_plain(state.size, rows, documents, hashes)
    if fresh != documents and not _have_keys(documents, fresh, rows, rules):
        return None
    if not are_canonical_objects(payloads):  # its hash may be right, but no append stored it
        return None
    orders = [place for place, kind in enumerate(types) if kind == _ERASURE] if _ERASURE in types else []
    after = ChainState(state.size + len(rows), leaves[-1], frontier)
    return after, leaves, list(map(sub, received, times)), orders


def _have_keys(documents: Sequence[bytes], fresh: Sequence[bytes], rows: Sequence[PlainRow], rules: Rules) -> bool:
    """Whether all documents are as they were written anew, but for the keys that some of them end in."""
    for raw, without, (_, _, payload, _) in zip(documents, fresh, rows, strict=True):
        if raw != without:
            last = len(without) - 1
            if raw[:last] != without[:last] or not are_keys(raw[last:], payload, rules):
                return False
    return True
