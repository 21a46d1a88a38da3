"""Merkle trees (RFC 9162): roots, nodes and proofs of chains, as one view of a chain shows them."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from eventlog.formats.event import Event
from eventlog.formats.proof import Node
from eventlog.stored.fields import ClusterTime
from eventlog.stored.sequences import SequenceImage


class InclusionPath(NamedTuple):
    """The hashes that prove a leaf, and the root of the tree they were read from. Not verified."""

    hashes: list[bytes]
    root: bytes


class ConsistencyPath(NamedTuple):
    """The hashes that prove that one tree extends another, and the two roots. Not verified."""

    hashes: list[bytes]
    first_root: bytes
    second_root: bytes


class TreeView(Protocol):
    """One chain's tree as it was when the view was opened.

    Consistency: all reads of a view belong to one causally consistent session of majority reads, so they show one and
    the same tree of ``size`` leaves, whatever is appended or settled meanwhile.

    Trust: nodes are read as they are stored. A damaged one makes a proof that does not verify, or another root.

    Every method raises CorruptionError if something it needs is missing or malformed, and StoreUnavailableError if the
    database can't be reached.
    """

    @property
    def chain(self) -> str:
        """The chain's name."""
        ...

    @property
    def origin(self) -> str:
        """The log that the chain was created in, as its sequence document says."""
        ...

    @property
    def size(self) -> int:
        """How many acknowledged events the chain has; trees up to this size can be asked for."""
        ...

    def root(self, size: int) -> bytes:
        """Return the Merkle root of the first ``size`` leaves."""
        ...

    def inclusion(self, index: int, size: int) -> InclusionPath:
        """Return the proof of leaf ``index`` in the tree of ``size``, from at most 2 * log2(size) documents."""
        ...

    def consistency(self, first: int, second: int) -> ConsistencyPath:
        """Return the proof that the tree of ``second`` extends that of ``first``."""
        ...

    def nodes(self, needed: Collection[Node]) -> dict[Node, bytes]:
        """Return nodes of the tree of ``size``, read by one query."""
        ...

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Return the leaves start..end-1, 72 bytes each."""
        ...

    def event(self, event_id: str) -> Event | None:
        """Return the event with this id, pending or settled. A proof needs no payload: one stored apart is not read."""
        ...


class Trees(Protocol):
    """The trees of all chains.

    Every method raises CorruptionError and StoreUnavailableError as those of ``TreeView`` do.
    """

    def view(self, chain: str) -> AbstractContextManager[TreeView | None]:
        """Open a view of the chain's tree as it is now, every acknowledged event in it; None: there is no such chain.

        A primary that has just been replaced may still answer for a moment, with a tree that is shorter than another
        caller has seen: ``newest_size`` tells.
        """
        ...

    def view_of(self, image: SequenceImage, read_at: ClusterTime | None) -> AbstractContextManager[TreeView]:
        """Open a view of the tree that a sequence document gives, as the caller has read it at ``read_at``.

        Nothing is read as it was before that.
        """
        ...

    def newest_size(self, chain: str) -> int | None:
        """Return the chain's size by a linearizable read, which no primary answers that has been replaced.

        None if there is no such chain, or its sequence document says no size.
        """
        ...

    def consistency(self, chain: str, first: int, second: int) -> ConsistencyPath:
        """Return what ``TreeView.consistency`` does; a chain that isn't there is CorruptionError."""
        ...
