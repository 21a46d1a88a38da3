"""Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4): which nodes they need, and their verification.

A node (level, index) is the root of the perfect subtree over the leaves index * 2^level .. (index + 1) * 2^level - 1;
level 0 is a leaf's hash. Every hash of a proof is the head of a range of leaves, one node or, at the right edge of
the tree, several that are folded. At most one range of a proof is such an edge, so a proof needs at most
2 * log2(size) nodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eventlog.formats import merkle
from eventlog.formats.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class Node:
    """Where a perfect subtree stands."""

    level: int
    index: int

    @property
    def last(self) -> int:
        """The leaf that completes it."""
        return ((self.index + 1) << self.level) - 1


Range = tuple[int, int]
"""Leaves [start, end)."""


def cover(start: int, end: int) -> list[Node]:
    """The fewest perfect subtrees that make up the leaves [start, end), from left to right.

    From 0 on, these are the frontier of the tree of size ``end``.
    """
    nodes: list[Node] = []
    while start < end:
        fits = (end - start).bit_length() - 1
        level = min(fits, (start & -start).bit_length() - 1) if start else fits
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose heads are the inclusion proof of leaf ``index`` in the tree of ``size``, leaf to root.

    RFC 9162, section 2.1.3.1.
    """
    start, end = 0, size
    path: list[Range] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """The ranges whose heads are the consistency proof between two sizes, 0 <= first <= second.

    RFC 9162, section 2.1.4.1; empty if ``first`` is 0 or ``second``, which need no proof.
    """
    if first in {0, second}:
        return []
    start, end, whole = 0, second, True
    path: list[Range] = []
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, whole = middle, False
    if not whole:
        path.append((start, end))
    return path[::-1]


def needed(ranges: Sequence[Range]) -> set[Node]:
    """The nodes that ``heads`` needs for these ranges."""
    return {node for start, end in ranges for node in cover(start, end)}


def heads(ranges: Sequence[Range], nodes: Mapping[Node, bytes]) -> list[bytes]:
    """The Merkle tree heads of ranges of a proof.

    Raises:
        KeyError: a needed node isn't there.
    """
    return [merkle.root([nodes[node] for node in cover(start, end)]) for start, end in ranges]


def root_from_inclusion(leaf_hash: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2).

    Raises:
        EvidenceError: no leaf ``index`` in a tree of ``size``, or another number of hashes than that takes.
    """
    if not 0 <= index < size:
        raise EvidenceError(f"leaf {index} is not in a tree of size {size}")
    _check_hashes([leaf_hash, *hashes])
    place, last, current = index, size - 1, leaf_hash
    for sibling in hashes:
        if last == 0:
            raise EvidenceError("the inclusion proof has too many hashes")
        if place & 1 or place == last:
            current = merkle.node_hash(sibling, current)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            current = merkle.node_hash(current, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise EvidenceError("the inclusion proof has too few hashes")
    return current


def verify_inclusion(leaf_hash: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at ``index`` under the root of the tree of ``size`` (RFC 9162, section 2.1.3.2).

    Raises:
        EvidenceError
    """
    if root_from_inclusion(leaf_hash, index, size, hashes) != root:
        raise EvidenceError(f"the inclusion proof of leaf {index} does not lead to the root of size {size}")


def verify_consistency(first: int, second: int, hashes: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """Check that the tree of ``second`` extends the tree of ``first`` (RFC 9162, section 2.1.4.2).

    From the empty tree, or to itself, the proof is empty and only the right root is accepted.

    Raises:
        EvidenceError
    """
    _check_hashes([*hashes, first_root, second_root])
    if not 0 <= first <= second:
        raise EvidenceError(f"a tree of size {second} can't extend one of size {first}")
    if first in {0, second}:
        _check_trivial(first, second, hashes, first_root, second_root)
        return
    rest = list(hashes)
    if not first & (first - 1):
        rest.insert(0, first_root)
    if not rest:
        raise EvidenceError("the consistency proof is empty")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            raise EvidenceError("the consistency proof has too many hashes")
        if place & 1 or place == last:
            old, new = merkle.node_hash(sibling, old), merkle.node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = merkle.node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise EvidenceError("the consistency proof has too few hashes")
    if old != first_root or new != second_root:
        raise EvidenceError(f"the tree of size {second} does not extend the tree of size {first}")


def _check_trivial(first: int, second: int, hashes: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    if hashes:
        raise EvidenceError("the consistency proof has too many hashes")
    if (first == second and first_root != second_root) or (first == 0 and first_root != merkle.EMPTY_ROOT):
        raise EvidenceError(f"there are two roots for size {first}")


def frontier_of_first(first: int, second: int, hashes: Sequence[bytes], first_root: bytes) -> list[bytes]:
    """The frontier of the smaller tree, 0 < first < second, of a consistency proof that verifies.

    The proof has it in it: what makes the smaller root are its perfect subtrees, the last one first.

    Raises:
        EvidenceError
    """
    rest = list(hashes)
    if not first & (first - 1):
        rest.insert(0, first_root)
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    frontier = rest[:1]
    for sibling in rest[1:]:
        if place & 1 or place == last:
            frontier.insert(0, sibling)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    if len(frontier) != first.bit_count() or merkle.root(frontier) != first_root:
        raise EvidenceError(f"the consistency proof does not hold the tree of size {first}")
    return frontier


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(value) != 32 for value in hashes):
        raise EvidenceError("a hash must have 32 bytes")


def _split(size: int) -> int:
    """The largest power of two below ``size`` (RFC 9162, section 2.1.1)."""
    return 1 << ((size - 1).bit_length() - 1)
