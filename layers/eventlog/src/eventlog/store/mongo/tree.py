"""Reads Merkle nodes where they stand: each beside the event that completes it, so a proof is one ``$in`` query.

Node (0, i) is the ``hash`` of event i; node (l, i) with l >= 1 is ``nodes[l - 1]`` of the event at ``node.last``.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from eventlog.formats import hashing, merkle, proof
from eventlog.formats.event import Event
from eventlog.formats.proof import Node
from eventlog.store.errors import CorruptionError, mapped
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored.sequences import SequenceImage

_FIELDS = {"_id": 0, "seq": 1, "hash": 1, "nodes": 1}
_LINEARIZABLE_MS = 5000


class InclusionPath(NamedTuple):
    """The hashes that prove a leaf, and the root of the tree they were read from. Not verified."""

    hashes: list[bytes]
    root: bytes


class ConsistencyPath(NamedTuple):
    """The hashes that prove that one tree extends another, and the two roots. Not verified."""

    hashes: list[bytes]
    first_root: bytes
    second_root: bytes


class TreeView:
    """One chain's tree as one causally consistent session sees it: what is settled in ``events``, the rest in
    ``image``, which was read before in the same session. Sizes up to ``image.size`` may be asked for."""

    def __init__(self, operations: Operations, session: ClientSession, image: SequenceImage) -> None:
        self._operations = operations
        self.session = session
        self.image = image
        self.pending: list[Event] = list(image.events())
        """The events from ``image.settled.size`` on."""

    def root(self, size: int) -> bytes:
        """The Merkle root of the first ``size`` leaves.

        Raises:
            CorruptionError, StoreUnavailableError
        """
        return _root(self.nodes(proof.cover(0, size)), size)

    def inclusion(self, index: int, size: int) -> InclusionPath:
        """The proof of leaf ``index`` in the tree of ``size``; at most 2 * log2(size) documents.

        The root is folded from the frontier, which the proof's hashes are no part of at the leaf's own side: so a
        damaged node makes a proof that does not verify.

        Raises:
            CorruptionError, StoreUnavailableError
        """
        ranges = proof.inclusion_ranges(index, size)
        nodes = self.nodes(proof.needed([*ranges, (0, size)]))
        return InclusionPath(proof.heads(ranges, nodes), _root(nodes, size))

    def consistency(self, first: int, second: int) -> ConsistencyPath:
        """The proof that the tree of ``second`` extends that of ``first``; at most 2 * log2(second) documents.

        Raises:
            CorruptionError, StoreUnavailableError
        """
        ranges = proof.consistency_ranges(first, second)
        nodes = self.nodes(proof.needed([*ranges, (0, first), (0, second)]))
        return ConsistencyPath(proof.heads(ranges, nodes), _root(nodes, first), _root(nodes, second))

    def event(self, event_id: str) -> Event | None:
        """The event with this id, pending or settled.

        Raises:
            CorruptionError, StoreUnavailableError
        """
        waiting = next((event for event in self.pending if event.entry.event_id == event_id), None)
        if waiting is not None:
            return waiting
        with mapped():
            return next(iter(self._operations.read_events(self.image.chain, [event_id], self.session)), None)

    def leaves(self, start: int, end: int) -> list[bytes]:
        """The leaves start..end-1 of the tree of ``image.size``, 72 bytes each.

        Raises:
            CorruptionError: one is missing or damaged.
            StoreUnavailableError
        """
        found: dict[int, tuple[Any, Any]] = {e.seq: (e.prev_hash, e.entry.content_hash) for e in self.pending}
        try:
            with mapped():
                found |= self._operations.read_links(self.image.chain, start, end, self.session)
            return [hashing.leaf(seq, *map(_hash, found[seq])) for seq in range(start, end)]
        except (KeyError, TypeError) as error:
            raise self._damaged("a leaf is missing or damaged") from error

    def nodes(self, needed: Collection[Node]) -> dict[Node, bytes]:
        """Nodes of the tree of ``image.size``, in one query.

        Raises:
            CorruptionError: a node is missing or is no hash, or the chain does not reach so far.
            StoreUnavailableError
        """
        try:
            found = self._levels({node.last for node in needed})
            return {node: _hash(found[node.last][node.level]) for node in needed}
        except (KeyError, IndexError, TypeError) as error:
            raise self._damaged("a Merkle node is missing or damaged") from error

    def _levels(self, seqs: set[int]) -> dict[int, list[Any]]:
        """For each of these seqs what its event completes: its hash, then its nodes."""
        settled = self.image.settled.size
        pending = {event.seq: event for event in self.pending if event.seq in seqs}
        found: dict[int, list[Any]] = {seq: [event.hash, *event.nodes] for seq, event in pending.items()}
        if stored := [Int64(seq) for seq in sorted(seqs) if seq < settled]:
            places = {"chain": self.image.chain, "seq": {"$in": stored}}
            with mapped():
                for document in self._operations.events.find(places, _FIELDS, session=self.session):
                    found[document["seq"]] = [document["hash"], *document["nodes"]]
        return found

    def _damaged(self, what: str) -> CorruptionError:
        return CorruptionError(f"{what} in chain {self.image.chain} of size {self.image.size}; run an audit")


class TreeReader:
    """Trees of all chains. Each method reads one view; ``view`` gives one for several reads."""

    def __init__(self, log: MongoStore) -> None:
        self._operations = operations_of(log)

    def session(self) -> AbstractContextManager[ClientSession]:
        """A causally consistent session on the primary, for reads that belong together."""
        return self._operations.session()

    @contextmanager
    def view(self, chain: str, session: ClientSession | None = None) -> Iterator[TreeView | None]:
        """The chain's tree now, every acknowledged event in it; None if there is no such chain.

        Raises:
            CorruptionError, StoreUnavailableError
        """
        with nullcontext(session) if session else self._operations.session() as reading:
            with mapped():
                image = self._operations.read_sequence(chain, reading)
            yield None if image is None else TreeView(self._operations, reading, image)

    def newest_size(self, chain: str) -> int | None:
        """The chain's size by a linearizable read, which no primary answers that has been replaced."""
        with mapped():
            found = self._operations.sequences.with_options(read_concern=ReadConcern("linearizable")).find_one(
                {"_id": chain}, {"size": 1}, max_time_ms=_LINEARIZABLE_MS
            )
        return int(found["size"]) if found and isinstance(found.get("size"), int) else None

    def root(self, chain: str, size: int) -> bytes:
        """As ``TreeView.root``; a chain that isn't there is CorruptionError."""
        with self._existing(chain) as view:
            return view.root(size)

    def inclusion(self, chain: str, index: int, size: int) -> InclusionPath:
        """As ``TreeView.inclusion``; a chain that isn't there is CorruptionError."""
        with self._existing(chain) as view:
            return view.inclusion(index, size)

    def consistency(self, chain: str, first: int, second: int) -> ConsistencyPath:
        """As ``TreeView.consistency``; a chain that isn't there is CorruptionError."""
        with self._existing(chain) as view:
            return view.consistency(first, second)

    @contextmanager
    def _existing(self, chain: str) -> Iterator[TreeView]:
        with self.view(chain) as view:
            if view is None:
                raise CorruptionError(f"the sequence document of chain {chain} is missing; run an audit")
            yield view


def _root(nodes: dict[Node, bytes], size: int) -> bytes:
    return merkle.root([nodes[node] for node in proof.cover(0, size)])


def _hash(value: Any) -> bytes:
    """A stored hash.

    Raises:
        TypeError: it is none.
    """
    if type(value) is not bytes or len(value) != 32:
        raise TypeError("not a hash")
    return value
