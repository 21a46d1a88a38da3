"""Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4): which nodes they need, and their verification.

A node (level, index) is the root of the perfect subtree over the leaves index * 2^level .. (index + 1) * 2^level - 1;
level 0 is a leaf's hash. Every hash of a proof is the head of a range of leaves, one node or, at the right edge of
the tree, several that are folded. At most one range of a proof is such an edge, so a proof needs at most
2 * log2(size) nodes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Return the fewest perfect subtrees that make up the leaves [start, end), from left to right.

    From 0 on, these are the frontier of the tree of size ``end``.
    """
    # Each one is as large as fits before the end and as its place allows: a subtree starts at a multiple of its size.
    nodes: list[Node] = []
    while start < end:
        fits = (end - start).bit_length() - 1
        level = min(fits, (start & -start).bit_length() - 1) if start else fits
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose heads are the inclusion proof of leaf ``index`` in the tree of ``size``, leaf to root.

    RFC 9162, section 2.1.3.1.
    """
    # PATH(m, D[n]) from the root down: go to the half that has the leaf, and the proof gets the head of the other.
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
    """Return the ranges whose heads are the consistency proof between two sizes, 0 <= first <= second.

    RFC 9162, section 2.1.4.1; empty if ``first`` is 0 or ``second``, which need no proof.
    """
    if first in {0, second}:
        return []
    # SUBPROOF(m, D[n], b) from the root down, until the first m leaves are the whole of [start, end); ``whole`` is b.
    start, end, whole = 0, second, True
    path: list[Range] = []
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:  # the smaller tree ends in the left half: the right half is new
            path.append((middle, end))
            end = middle
        else:  # the left half is in both trees
            path.append((start, middle))
            start, whole = middle, False
    if not whole:  # else this is the smaller tree itself, whose root the verifier has
        path.append((start, end))
    return path[::-1]


def needed(ranges: Sequence[Range]) -> set[Node]:
    """Return the nodes that ``heads`` needs for these ranges."""
    return {node for start, end in ranges for node in cover(start, end)}


def heads(ranges: Sequence[Range], nodes: Mapping[Node, bytes]) -> list[bytes]:
    """Compute the Merkle tree heads of the ranges of a proof.

    Raises:
        KeyError: a needed node isn't there.
    """
    return [merkle.root([nodes[node] for node in cover(start, end)]) for start, end in ranges]


def root_from_inclusion(leaf_hash: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """Fold an inclusion proof into the root that it leads to (RFC 9162, section 2.1.3.2).

    Raises:
        EvidenceError: there is no leaf ``index`` in a tree of ``size``, or it takes another number of hashes.
    """
    if not 0 <= index < size:  # step 1
        raise EvidenceError(f"leaf {index} is not in a tree of size {size}")
    _check_hashes([leaf_hash, *hashes])
    root = leaf_hash  # step 3; step 2 is the call
    for sibling, is_left in _climb(index, size - 1, hashes, "inclusion"):  # step 4
        root = merkle.node_hash(sibling, root) if is_left else merkle.node_hash(root, sibling)
    return root


def verify_inclusion(leaf_hash: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at ``index`` under the root of the tree of ``size`` (RFC 9162, section 2.1.3.2).

    Raises:
        EvidenceError: it doesn't, or the proof has too few or too many hashes.
    """
    if root_from_inclusion(leaf_hash, index, size, hashes) != root:
        raise EvidenceError(f"the inclusion proof of leaf {index} does not lead to the root of size {size}")


def verify_consistency(first: int, second: int, hashes: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """Check that the tree of ``second`` extends the tree of ``first`` (RFC 9162, section 2.1.4.2).

    From the empty tree, or to itself, the proof is empty and only the right root is accepted.

    Raises:
        EvidenceError: it does not, or the proof has too few or too many hashes.
    """
    _check_hashes([*hashes, first_root, second_root])
    if not 0 <= first <= second:
        raise EvidenceError(f"a tree of size {second} can't extend one of size {first}")
    if first in {0, second}:
        _check_trivial(first, second, hashes, first_root, second_root)
        return
    start, climb = _climb_from_first(first, second, hashes, first_root)
    old = new = start  # step 5
    for sibling, is_left in climb:  # step 6
        if is_left:  # what is left of the border between old and new leaves is in both trees
            old, new = merkle.node_hash(sibling, old), merkle.node_hash(sibling, new)
        else:  # what is right of it is in the new tree alone
            new = merkle.node_hash(new, sibling)
    if old != first_root or new != second_root:  # step 7
        raise EvidenceError(f"the tree of size {second} does not extend the tree of size {first}")


def _check_trivial(first: int, second: int, hashes: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    if hashes:
        raise EvidenceError("the consistency proof has too many hashes")
    if (first == second and first_root != second_root) or (first == 0 and first_root != merkle.EMPTY_ROOT):
        raise EvidenceError(f"there are two roots for size {first}")


def frontier_of_first(first: int, second: int, hashes: Sequence[bytes], first_root: bytes) -> list[bytes]:
    """Take the frontier of the smaller tree, 0 < first < second, out of a consistency proof that verifies.

    The proof holds it: the node that it starts from and every hash left of that are the perfect subtrees that make up
    the smaller tree, from right to left.

    Raises:
        EvidenceError: the proof does not lead to ``first_root``.
    """
    _check_hashes([*hashes, first_root])
    wrong = f"the consistency proof does not hold the tree of size {first}"
    try:
        start, climb = _climb_from_first(first, second, hashes, first_root)
        frontier = [*reversed([sibling for sibling, is_left in climb if is_left]), start]
    except EvidenceError as error:
        raise EvidenceError(wrong) from error
    # A tree has one perfect subtree for each bit of its size; that their root is the one given makes them right.
    if len(frontier) != first.bit_count() or merkle.root(frontier) != first_root:
        raise EvidenceError(wrong)
    return frontier


Climb = Iterator[tuple[bytes, bool]]
"""The hashes of a proof from the bottom up, and whether each stands left of the way to the root."""


def _climb(place: int, last: int, hashes: Iterable[bytes], kind: str) -> Climb:
    """Walk from node ``place`` of a level that ends with node ``last`` up to the root, one hash of a proof at a time.

    The steps are those of RFC 9162, section 2.1.3.2 (in brackets: section 2.1.4.2), where ``place`` is fn and ``last``
    is sn.

    Raises:
        EvidenceError: the proof, of this ``kind``, has too few or too many hashes.
    """
    for sibling in hashes:
        if last == 0:  # step 4a [6a]: this is the root already
            raise EvidenceError(f"the {kind} proof has too many hashes")
        is_left = bool(place & 1) or place == last  # step 4b [6b]
        yield sibling, is_left
        if is_left:
            # The last node of a level may have no sibling: it moves up unhashed until it is a right child, or the root.
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1  # step 4c [6c]
    if last:  # step 5 [7]: the root was not reached
        raise EvidenceError(f"the {kind} proof has too few hashes")


def _climb_from_first(first: int, second: int, hashes: Sequence[bytes], first_root: bytes) -> tuple[bytes, Climb]:
    """Begin to verify a consistency proof: the node it starts from, and the way up from there.

    Steps 1 to 5 of RFC 9162, section 2.1.4.2. The start is the largest perfect subtree that ends at the smaller tree's
    last leaf; where that is the whole smaller tree, the proof leaves it out, as the verifier has its root.

    Raises:
        EvidenceError: the proof is empty.
    """
    rest = list(hashes)
    if not first & (first - 1):  # step 2
        rest.insert(0, first_root)
    if not rest:  # step 1
        raise EvidenceError("the consistency proof is empty")
    place, last = first - 1, second - 1  # step 3
    while place & 1:  # step 4
        place, last = place >> 1, last >> 1
    return rest[0], _climb(place, last, rest[1:], "consistency")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(value) != 32 for value in hashes):
        raise EvidenceError("a hash must have 32 bytes")


def _split(size: int) -> int:
    """Find the largest power of two below ``size`` (RFC 9162, section 2.1.1)."""
    return 1 << ((size - 1).bit_length() - 1)
