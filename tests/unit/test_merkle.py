"""The frontier against RFC 9162's definition, written out recursively."""

from hashlib import sha256

from eventlog.formats import merkle
from tests.support.each import each

LEAVES = [sha256(bytes([0, n])).digest() for n in range(130)]
SIZES = range(len(LEAVES) + 1)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def grown(size: int) -> tuple[list[bytes], list[list[bytes]]]:
    """The frontier of the first ``size`` leaves and the nodes each of them completed."""
    frontier: list[bytes] = []
    nodes = [merkle.append_leaf(frontier, index, leaf) for index, leaf in enumerate(LEAVES[:size])]
    return frontier, nodes


@each("size", SIZES)
def test_the_root_of_the_frontier_is_the_root_of_the_tree(size: int) -> None:
    frontier, _ = grown(size)
    assert merkle.root(frontier) == naive_root(LEAVES[:size])


@each("size", SIZES)
def test_the_frontier_holds_the_root_of_one_perfect_subtree_for_each_bit_of_the_size(size: int) -> None:
    expected, start = [], 0
    for bit in reversed(range(8)):
        if size >> bit & 1:
            expected.append(naive_root(LEAVES[start : start + 2**bit]))
            start += 2**bit
    assert grown(size)[0] == expected


@each("seq", range(len(LEAVES)))
def test_a_leaf_completes_the_perfect_subtrees_that_end_at_it(seq: int) -> None:
    levels = [level for level in range(1, 8) if (seq + 1) % 2**level == 0]
    expected = [naive_root(LEAVES[seq + 1 - 2**level : seq + 1]) for level in levels]
    assert grown(seq + 1)[1][seq] == expected


def test_the_empty_tree_has_the_hash_of_nothing_as_its_root() -> None:
    assert merkle.root([]) == merkle.EMPTY_ROOT == sha256(b"").digest()
