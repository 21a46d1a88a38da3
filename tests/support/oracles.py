"""Merkle trees by others (RFC 9162, section 2.1): what our roots and proofs are held against.

pymerkle runs on every Python; aics-tlog, which speaks C2SP too, from 3.12 on. Whichever is there is used.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol

HAS_AICS = importlib.util.find_spec("aics_tlog") is not None


class Oracle(Protocol):
    """A tree over the entries it was made with."""

    def root(self, size: int) -> bytes: ...

    def inclusion(self, index: int, size: int) -> list[bytes]: ...

    def consistency(self, first: int, second: int) -> list[bytes]: ...


class Pymerkle:
    """pymerkle's tree; its paths begin with the leaf or subtree that they are about, RFC 9162's do not."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._tree: Any = importlib.import_module("pymerkle").InmemoryTree()
        for entry in entries:
            self._tree.append_entry(entry)

    def root(self, size: int) -> bytes:
        root: bytes = self._tree.get_root(size)
        return root

    def inclusion(self, index: int, size: int) -> list[bytes]:
        path: list[bytes] = self._tree.prove_inclusion(index + 1, size).path
        return path[1:]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """RFC 9162 stops at the subtree that ``first`` completes; pymerkle goes down to the leaf after it."""
        proof = self._tree.prove_consistency(first, second)
        path: list[bytes] = list(proof.path)
        old = proof.subset.index(1)
        if old:
            path[:old] = [self._fold(path[:old])]
            path[0], path[1] = path[1], path[0]
        is_whole = sum(proof.subset) == 1
        return path[1:] if is_whole else path

    def _fold(self, path: list[bytes]) -> bytes:
        head = path[0]
        for right in path[1:]:
            head = self._tree.hash_pair(head, right)
        return head


class Aics:
    """aics-tlog's tree."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._tree: Any = importlib.import_module("aics_tlog").MerkleTree(entries)

    def root(self, size: int) -> bytes:
        root: bytes = self._tree.root(size)
        return root

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return list(self._tree.inclusion_proof(index, size))

    def consistency(self, first: int, second: int) -> list[bytes]:
        return list(self._tree.consistency_proof(first, second))


def oracle(entries: Sequence[bytes]) -> Oracle:
    """The tree over these entries, by aics-tlog where it is installed and by pymerkle elsewhere."""
    return Aics(entries) if HAS_AICS else Pymerkle(entries)
