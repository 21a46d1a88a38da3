"""Inclusion and consistency proofs, exhaustively for small trees, against a tree by others and against every change."""

from itertools import pairwise

import pytest

from eventlog.formats import merkle, proof
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.proof import Node
from tests.support.each import each
from tests.support.oracles import Oracle, oracle

MANY, SOME, FEW = 130, 64, 9
ENTRIES = [b"entry %d" % number for number in range(MANY)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
OTHER = leaf_hash(b"another entry")


def all_nodes() -> tuple[dict[Node, bytes], list[bytes]]:
    """Every node of the tree, and the root of each size."""
    frontier: list[bytes] = []
    nodes, roots = {}, [merkle.root([])]
    for index, leaf in enumerate(LEAVES):
        nodes[Node(0, index)] = leaf
        for level, node in enumerate(merkle.append_leaf(frontier, index, leaf), 1):
            nodes[Node(level, index >> level)] = node
        roots.append(merkle.root(frontier))
    return nodes, roots


NODES, ROOTS = all_nodes()


@pytest.fixture(scope="module")
def others() -> Oracle:
    return oracle(ENTRIES)


def inclusion(index: int, size: int) -> list[bytes]:
    return proof.heads(proof.inclusion_ranges(index, size), NODES)


def consistency(first: int, second: int) -> list[bytes]:
    return proof.heads(proof.consistency_ranges(first, second), NODES)


def frontier(size: int) -> list[bytes]:
    found: list[bytes] = []
    for index in range(size):
        merkle.append_leaf(found, index, LEAVES[index])
    return found


def test_a_consistency_proof_holds_the_frontier_of_the_smaller_tree() -> None:
    for second in range(2, SOME):
        for first in range(1, second):
            found = proof.frontier_of_first(first, second, consistency(first, second), ROOTS[first])
            assert found == frontier(first)


def test_a_proof_that_does_not_verify_holds_no_frontier() -> None:
    hashes = consistency(5, 9)
    for wrong in ([*hashes[1:], OTHER], hashes[:1], [], [OTHER, *hashes[1:]]):
        with pytest.raises(EvidenceError, match="does not hold the tree of size 5"):
            proof.frontier_of_first(5, 9, wrong, ROOTS[5])


def turns(index: int, size: int) -> list[bool]:
    """On which side the path from a leaf to the root has its siblings."""
    return [start < index for start, _ in proof.inclusion_ranges(index, size)]


def flips(value: bytes) -> list[bytes]:
    """The value with one bit changed, for each bit."""
    number = int.from_bytes(value, "big")
    return [(number ^ 1 << bit).to_bytes(len(value), "big") for bit in range(8 * len(value))]


@each("size", range(MANY + 1))
def test_roots_are_those_of_the_other_implementation(others: Oracle, size: int) -> None:
    assert ROOTS[size] == others.root(size)


@each("size", range(1, MANY + 1))
def test_inclusion_proofs_are_those_of_the_other_implementation_and_verify(others: Oracle, size: int) -> None:
    for index in range(size):
        hashes = inclusion(index, size)
        assert hashes == others.inclusion(index, size)
        proof.verify_inclusion(LEAVES[index], index, size, hashes, ROOTS[size])


@each("second", range(1, SOME + 1))
def test_consistency_proofs_are_those_of_the_other_implementation_and_verify(others: Oracle, second: int) -> None:
    for first in range(1, second + 1):
        hashes = consistency(first, second)
        assert first == second or hashes == others.consistency(first, second)
        proof.verify_consistency(first, second, hashes, ROOTS[first], ROOTS[second])


@each("size", range(1, MANY + 1))
def test_a_proof_takes_at_most_two_nodes_for_each_level_of_the_tree(size: int) -> None:
    levels = (size - 1).bit_length()
    for index in range(size):
        ranges = proof.inclusion_ranges(index, size)
        assert len(ranges) <= levels
        assert len(proof.needed(ranges)) <= max(2 * levels, 1)
        assert len(proof.needed(proof.consistency_ranges(index, size))) <= 2 * levels + 1


@each("size", range(1, FEW))
def test_any_one_bit_changed_in_an_inclusion_proof_is_refused(size: int) -> None:
    for index in range(size):
        values = [LEAVES[index], ROOTS[size], *inclusion(index, size)]
        for place, value in enumerate(values):
            for flipped in flips(value):
                changed = [*values[:place], flipped, *values[place + 1 :]]
                with pytest.raises(EvidenceError, match="does not lead to the root"):
                    proof.verify_inclusion(changed[0], index, size, changed[2:], changed[1])


@each("second", range(2, FEW))
def test_any_one_bit_changed_in_a_consistency_proof_is_refused(second: int) -> None:
    for first in range(1, second):
        values = [ROOTS[first], ROOTS[second], *consistency(first, second)]
        for place, value in enumerate(values):
            for flipped in flips(value):
                changed = [*values[:place], flipped, *values[place + 1 :]]
                with pytest.raises(EvidenceError, match="does not extend"):
                    proof.verify_consistency(first, second, changed[2:], *changed[:2])


@each("size", range(1, SOME + 1))
def test_a_proof_of_one_leaf_proves_no_other_index(size: int) -> None:
    for index in range(size):
        hashes = inclusion(index, size)
        for other in {*range(-1, size + 2)} - {index}:
            with pytest.raises(EvidenceError, match=r"is not in a tree|too many|too few|does not lead"):
                proof.verify_inclusion(LEAVES[index], other, size, hashes, ROOTS[size])


@each("size", range(1, 33))
def test_a_proof_under_one_root_proves_nothing_under_the_root_of_another_size(size: int) -> None:
    for index in range(size):
        hashes = inclusion(index, size)
        for other in {*range(34)} - {size}:
            with pytest.raises(EvidenceError, match=r"is not in a tree|too many|too few|does not lead"):
                proof.verify_inclusion(LEAVES[index], index, other, hashes, ROOTS[other])


@each("size", range(1, 17))
def test_under_the_same_root_another_place_passes_only_where_the_path_takes_the_same_turns(size: int) -> None:
    """So a root alone does not fix the size: it counts only together with it, as a checkpoint signs it."""
    for index in range(size):
        for other_size in range(1, 18):
            for other in range(other_size):
                passes = True
                try:
                    proof.verify_inclusion(LEAVES[index], other, other_size, inclusion(index, size), ROOTS[size])
                except EvidenceError:
                    passes = False
                assert passes == (turns(other, other_size) == turns(index, size))


@each("second", range(1, 33))
def test_a_consistency_proof_proves_nothing_of_other_sizes_and_their_roots(second: int) -> None:
    for first in range(1, second + 1):
        hashes = consistency(first, second)
        others = [(n, second) for n in range(1, second + 1) if n != first]
        others += [(first, n) for n in range(first, 34) if n != second]
        for old, new in others:
            with pytest.raises(EvidenceError, match=r"too many|too few|does not extend|is empty"):
                proof.verify_consistency(old, new, hashes, ROOTS[old], ROOTS[new])


@each("size", range(1, SOME + 1))
def test_a_hash_more_or_less_is_refused(size: int) -> None:
    for index in range(size):
        hashes = inclusion(index, size)
        with pytest.raises(EvidenceError, match="too many hashes"):
            proof.verify_inclusion(LEAVES[index], index, size, [*hashes, OTHER], ROOTS[size])
        if hashes:
            with pytest.raises(EvidenceError, match="too few hashes"):
                proof.verify_inclusion(LEAVES[index], index, size, hashes[:-1], ROOTS[size])
        changed = consistency(index, size)
        with pytest.raises(EvidenceError, match="too many hashes"):
            proof.verify_consistency(index, size, [*changed, OTHER], ROOTS[index], ROOTS[size])
        if changed:
            with pytest.raises(EvidenceError, match=r"too few hashes|is empty"):
                proof.verify_consistency(index, size, changed[:-1], ROOTS[index], ROOTS[size])


@each("size", range(SOME + 1))
def test_every_tree_extends_the_empty_one_and_itself_without_a_hash(size: int) -> None:
    proof.verify_consistency(0, size, [], merkle.EMPTY_ROOT, ROOTS[size])
    proof.verify_consistency(size, size, [], ROOTS[size], ROOTS[size])
    with pytest.raises(EvidenceError, match="two roots for size"):
        proof.verify_consistency(size, size, [], ROOTS[size], OTHER)
    with pytest.raises(EvidenceError, match="two roots for size 0"):
        proof.verify_consistency(0, size, [], OTHER, ROOTS[size])


@pytest.mark.parametrize("value", [b"", bytes(31), bytes(33)])
def test_what_is_not_32_bytes_long_is_no_hash(value: bytes) -> None:
    with pytest.raises(EvidenceError, match="must have 32 bytes"):
        proof.verify_inclusion(LEAVES[0], 0, 2, [value], ROOTS[2])
    with pytest.raises(EvidenceError, match="must have 32 bytes"):
        proof.verify_inclusion(value, 0, 1, [], value)
    with pytest.raises(EvidenceError, match="must have 32 bytes"):
        proof.verify_consistency(1, 2, [LEAVES[1]], LEAVES[0], value)


def test_a_tree_does_not_extend_a_larger_one() -> None:
    with pytest.raises(EvidenceError, match="can't extend"):
        proof.verify_consistency(3, 2, [], ROOTS[3], ROOTS[2])


@each("end", range(SOME + 1))
def test_a_cover_is_the_fewest_perfect_subtrees_side_by_side(end: int) -> None:
    for start in range(end + 1):
        nodes, at = proof.cover(start, end), start
        for node in nodes:
            assert node.index << node.level == at
            at = node.last + 1
        assert at == end
        pairs = pairwise(nodes)
        assert not any(a.level == b.level and a.index % 2 == 0 and a.index + 1 == b.index for a, b in pairs)
        frontier: list[bytes] = [NODES[node] for node in proof.cover(0, start)]
        size = start
        for node in nodes:
            size = merkle.append_subtree(frontier, size, node.level, NODES[node])
        assert merkle.root(frontier) == ROOTS[end]
