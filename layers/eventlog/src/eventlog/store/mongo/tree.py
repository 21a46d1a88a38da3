"""Trees on MongoDB. Each node is stored with the event that completes it, so a proof is one ``$in`` query.

Node (0, i) is the ``hash`` of event i; node (l, i) with l >= 1 is ``nodes[l - 1]`` of the event at ``node.last``.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from eventlog.formats import hashing, merkle, proof
from eventlog.formats.event import Event
from eventlog.formats.proof import Node
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.trees import ConsistencyPath, InclusionPath
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.sessions import session_after
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored.fields import ClusterTime
from eventlog.stored.sequences import SequenceImage

_FIELDS = {"_id": 0, "seq": 1, "hash": 1, "nodes": 1}
_LINEARIZABLE_MS = 5000


class MongoTreeView:
    """``TreeView`` on MongoDB: what is settled is read from ``events``, the rest stands in ``image``.

    The image was read before, in the same session, so each event up to its size is in one or the other.
    """

    def __init__(self, operations: Operations, session: ClientSession, image: SequenceImage) -> None:
        self._operations = operations
        self.session = session
        self.image = image
        self.pending: list[Event] = list(image.events())
        """The events from ``image.settled.size`` on; payloads that are stored apart are not in them."""

    @property
    def chain(self) -> str:
        """See ``TreeView.chain``."""
        return self.image.chain

    @property
    def origin(self) -> str:
        """See ``TreeView.origin``."""
        return self.image.origin

    @property
    def size(self) -> int:
        """See ``TreeView.size``."""
        return self.image.size

    def root(self, size: int) -> bytes:
        """See ``TreeView.root``."""
        return _root(self.nodes(proof.cover(0, size)), size)

    def inclusion(self, index: int, size: int) -> InclusionPath:
        """See ``TreeView.inclusion``; the path and the frontier are read by one query."""
        # The root is folded from the stored frontier, one of whose nodes is the perfect subtree that the leaf is in. A
        # verifier recomputes that node from the leaf: so if a node below it is damaged, the proof does not verify.
        ranges = proof.inclusion_ranges(index, size)
        nodes = self.nodes(proof.needed([*ranges, (0, size)]))
        return InclusionPath(proof.heads(ranges, nodes), _root(nodes, size))

    def consistency(self, first: int, second: int) -> ConsistencyPath:
        """See ``TreeView.consistency``; the path and both frontiers are read by one query."""
        ranges = proof.consistency_ranges(first, second)
        nodes = self.nodes(proof.needed([*ranges, (0, first), (0, second)]))
        return ConsistencyPath(proof.heads(ranges, nodes), _root(nodes, first), _root(nodes, second))

    def event(self, event_id: str) -> Event | None:
        """See ``TreeView.event``."""
        waiting = next((event for event in self.pending if event.entry.event_id == event_id), None)
        if waiting is not None:
            return waiting
        with answered(self._operations.client):
            return next(iter(self._operations.read_events(self.image.chain, [event_id], self.session)), None)

    def leaves(self, start: int, end: int) -> list[bytes]:
        """See ``TreeView.leaves``."""
        found: dict[int, tuple[Any, Any]] = {e.seq: (e.prev_hash, e.entry.content_hash) for e in self.pending}
        try:
            with answered(self._operations.client):
                found |= self._operations.read_links(self.image.chain, start, end, self.session)
            return [hashing.leaf(seq, *map(_hash, found[seq])) for seq in range(start, end)]
        except (KeyError, TypeError) as error:
            raise self._damaged("a leaf is missing or damaged") from error

    def nodes(self, needed: Collection[Node]) -> dict[Node, bytes]:
        """See ``TreeView.nodes``."""
        try:
            found = self._levels({node.last for node in needed})
            return {node: _hash(found[node.last][node.level]) for node in needed}
        except (KeyError, IndexError, TypeError) as error:
            raise self._damaged("a Merkle node is missing or damaged") from error

    def _levels(self, seqs: set[int]) -> dict[int, list[Any]]:
        """Read for each of these seqs what its event completes: its hash, then its nodes."""
        settled = self.image.settled.size
        pending = {event.seq: event for event in self.pending if event.seq in seqs}
        found: dict[int, list[Any]] = {seq: [event.hash, *event.nodes] for seq, event in pending.items()}
        if stored := [Int64(seq) for seq in sorted(seqs) if seq < settled]:
            places = {"chain": self.image.chain, "seq": {"$in": stored}}
            with answered(self._operations.client):
                for document in self._operations.events.find(places, _FIELDS, session=self.session):
                    found[document["seq"]] = [document["hash"], *document["nodes"]]
        return found

    def _damaged(self, what: str) -> CorruptionError:
        return CorruptionError(f"{what} in chain {self.image.chain} of size {self.image.size}; run an audit")


class TreeReader:
    """``Trees`` on MongoDB."""

    def __init__(self, log: MongoStore) -> None:
        self._operations = operations_of(log)

    @contextmanager
    def view(self, chain: str) -> Iterator[MongoTreeView | None]:
        """See ``Trees.view``."""
        with mapped(), self._operations.session() as session:
            with answered(self._operations.client):
                image = self._operations.read_sequence(chain, session)
            yield None if image is None else MongoTreeView(self._operations, session, image)

    @contextmanager
    def view_of(self, image: SequenceImage, read_at: ClusterTime | None) -> Iterator[MongoTreeView]:
        """See ``Trees.view_of``."""
        with mapped(), session_after(self._operations.client, read_at) as session:
            yield MongoTreeView(self._operations, session, image)

    def newest_size(self, chain: str) -> int | None:
        """See ``Trees.newest_size``."""
        with mapped():  # it has its own limit
            found = self._operations.sequences.with_options(read_concern=ReadConcern("linearizable")).find_one(
                {"_id": chain}, {"size": 1}, max_time_ms=_LINEARIZABLE_MS
            )
        return int(found["size"]) if found and isinstance(found.get("size"), int) else None

    def root(self, chain: str, size: int) -> bytes:
        """Return what ``TreeView.root`` does; a chain that isn't there is CorruptionError."""
        with self._existing(chain) as view:
            return view.root(size)

    def inclusion(self, chain: str, index: int, size: int) -> InclusionPath:
        """Return what ``TreeView.inclusion`` does; a chain that isn't there is CorruptionError."""
        with self._existing(chain) as view:
            return view.inclusion(index, size)

    def consistency(self, chain: str, first: int, second: int) -> ConsistencyPath:
        """See ``Trees.consistency``."""
        with self._existing(chain) as view:
            return view.consistency(first, second)

    @contextmanager
    def _existing(self, chain: str) -> Iterator[MongoTreeView]:
        with self.view(chain) as view:
            if view is None:
                raise CorruptionError(f"the sequence document of chain {chain} is missing; run an audit")
            yield view


def _root(nodes: dict[Node, bytes], size: int) -> bytes:
    return merkle.root([nodes[node] for node in proof.cover(0, size)])


def _hash(value: Any) -> bytes:
    """Check a stored hash.

    Raises:
        TypeError: it isn't one.
    """
    if type(value) is not bytes or len(value) != 32:
        raise TypeError("not a hash")
    return value
