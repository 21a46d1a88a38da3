"""The Merkle tree over a chain's leaves (RFC 9162, section 2.1), kept as its frontier.

The frontier of a tree of size n is the list of the roots of its perfect subtrees from left to right, one for
each bit set in n, largest first. It is all that is needed to append.

Specified in docs/formats/event-and-chain.md.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from eventlog.formats.hashing import HASH_SIZE

EMPTY_ROOT = sha256(b"").digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right), RFC 9162, section 2.1.1.

    Raises:
        ValueError: they are not 32 bytes each, so that the border between them could be moved.
    """
    if len(left) != HASH_SIZE or len(right) != HASH_SIZE:
        raise ValueError(f"a node takes two hashes of {HASH_SIZE} bytes, not of {len(left)} and {len(right)}")
    return sha256(b"\x01" + left + right).digest()


def append_leaf(frontier: list[bytes], size: int, leaf_hash: bytes) -> list[bytes]:
    """Append the leaf hash at index ``size`` to the frontier, in place.

    Returns the nodes this leaf completes, level 1 first: for each level l >= 1 with (size+1) % 2^l == 0 the
    root of the perfect subtree of 2^l leaves that ends here.
    """
    # Like adding 1 to ``size`` in binary: each trailing 1 bit is a perfect subtree that the new one joins from the
    # right, and the carry is their parent. The first 0 bit takes the result.
    nodes: list[bytes] = []
    current = leaf_hash
    while size & 1:
        current = node_hash(frontier.pop(), current)
        nodes.append(current)
        size >>= 1
    frontier.append(current)
    return nodes


def append_leaves(frontier: list[bytes], size: int, leaf_hashes: Iterable[bytes]) -> list[list[bytes]]:
    """Append leaf hashes from index ``size`` on, in place; return what ``append_leaf`` returns of each."""
    completed = []
    for leaf in leaf_hashes:
        nodes: list[bytes] = []
        current, rest = leaf, size
        while rest & 1:
            current = sha256(b"\x01" + frontier.pop() + current).digest()
            nodes.append(current)
            rest >>= 1
        frontier.append(current)
        completed.append(nodes)
        size += 1
    return completed


def append_subtree(frontier: list[bytes], size: int, level: int, node: bytes) -> int:
    """Append the root of a perfect subtree of 2^level leaves to the frontier, in place; return the new size.

    ``size`` must be a multiple of 2^level.
    """
    append_leaf(frontier, size >> level, node)
    return size + (1 << level)


def root(frontier: Sequence[bytes]) -> bytes:
    """Return the Merkle tree head of the tree with this frontier."""
    if not frontier:
        return EMPTY_ROOT
    # RFC 9162 splits a tree at the largest power of two below its size, so the smaller subtrees on the right join
    # first.
    head = frontier[-1]
    for left in reversed(frontier[:-1]):
        head = node_hash(left, head)
    return head
