"""Evidence for one who trusts nobody here: proofs, roots, checkpoints and tiles, each checked before it is given.

Everything rests on one causally consistent session: the checkpoint first, then the sequence document, then events. A
checkpoint is anchored only once its events are committed, so the chain that is read after it is never the shorter one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from eventlog.errors import InvalidError, NotFoundError, unknown_checkpoint, unknown_event
from eventlog.formats import hashing, proof
from eventlog.formats.checkpoint import Checkpoint, parse_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.note import parse_note
from eventlog.formats.strict_json import Problem
from eventlog.formats.tiles import Tile, encode_entries, exists, tile_nodes
from eventlog.store.errors import CorruptionError
from eventlog.store.mongo.checkpoints import CheckpointStore, Record
from eventlog.store.mongo.store import MongoStore
from eventlog.store.mongo.tree import ConsistencyPath, TreeReader, TreeView


@dataclass(frozen=True, slots=True)
class EventProof:
    """A verified inclusion proof of an event in the tree of ``size``; ``checkpoint`` is that of this size, if any."""

    event: Event
    leaf: bytes
    size: int
    hashes: list[bytes]
    root: bytes
    checkpoint: Record | None


class Evidence:
    """Reads MongoDB only: neither the anchor store nor a key."""

    def __init__(self, log: MongoStore) -> None:
        self.log = log
        self._trees = TreeReader(log)
        self._checkpoints = CheckpointStore(log)

    def checkpoint(self, chain: str, size: int | None = None) -> Record:
        """The newest checkpoint, or the one of exactly this size.

        Raises:
            NotFoundError
        """
        found = self.newest(chain) if size is None else self._checkpoints.at_size(chain, size)
        if found is None:
            raise unknown_checkpoint(chain, size)
        return found

    def newest(self, chain: str) -> Record | None:
        """The newest checkpoint, if there is one."""
        return self._checkpoints.newest(chain)

    def proof(self, chain: str, event_id: str, size: int | None) -> EventProof:
        """Prove an event: under the newest checkpoint, or in the tree of this size with the checkpoint of that size.

        Raises:
            NotFoundError, InvalidError, CorruptionError
        """
        with self.view(chain, size) as (view, record):
            event = view.event(event_id)
            if event is None:
                raise unknown_event(event_id, chain)
            size = _tree_size(view, event, record) if size is None else size
            if not event.seq < size <= view.image.size:
                raise _invalid("size", f"must be {event.seq + 1}..{view.image.size} for seq {event.seq}")
            found = view.inclusion(event.seq, size)
        leaf = hashing.leaf(event.seq, event.prev_hash, event.entry.content_hash)
        with _proven(chain):
            proof.verify_inclusion(hashing.leaf_hash(leaf), event.seq, size, found.hashes, found.root)
        if event.hash != hashing.leaf_hash(leaf):
            raise CorruptionError(f"event {event_id} of chain {chain} has another hash than its leaf; run an audit")
        if record is not None:
            check_root(record, found.root)
        return EventProof(event, leaf, size, found.hashes, found.root, record)

    def consistency(self, chain: str, first: int, second: int) -> ConsistencyPath:
        """Prove that the tree of ``second`` extends that of ``first``.

        Raises:
            NotFoundError, InvalidError, CorruptionError
        """
        if first > second:
            raise _invalid("first", f"must be at most second, which is {second}")
        with self.view(chain, second) as (view, record):
            _check_size(view, "second", second)
            found = view.consistency(first, second)
        with _proven(chain):
            proof.verify_consistency(first, second, *found)
        if record is not None:
            check_root(record, found.second_root)
        return found

    def root(self, chain: str, size: int | None) -> tuple[int, bytes]:
        """A tree size, by default the chain's now, and the root at it.

        Raises:
            NotFoundError, InvalidError, CorruptionError
        """
        with self.view(chain, size or 0) as (view, _):
            size = view.image.size if size is None else size
            _check_size(view, "size", size)
            return size, view.root(size)

    def tile(self, chain: str, tile: Tile) -> bytes:
        """A tile's hashes or a bundle's entries, if the newest checkpoint covers it whole.

        Raises:
            NotFoundError, CorruptionError
        """
        with self.view(chain, None) as (view, record):
            if record is None or not exists(tile, record.size):
                covered = "there is none" if record is None else f"its size is {record.size}"
                raise NotFoundError(f"The newest checkpoint of chain {chain} does not cover this tile: {covered}.")
            if tile.level is None:
                return encode_entries(view.leaves(tile.start, tile.start + tile.width))
            places = tile_nodes(tile)
            nodes = view.nodes(places)
            return b"".join(nodes[place] for place in places)

    @contextmanager
    def view(self, chain: str, size: int | None) -> Iterator[tuple[TreeView, Record | None]]:
        """A chain's tree and the checkpoint of this size, of None the newest, read before it.

        Raises:
            NotFoundError: there is no such chain.
            CorruptionError: the checkpoint covers more than the chain has.
        """
        with self._trees.session() as session:
            if size is None:
                record = self._checkpoints.newest(chain, session)
            else:
                record = self._checkpoints.at_size(chain, size, session)
            with self._trees.view(chain, session) as view:
                if view is None:
                    raise NotFoundError(f"There is no chain {chain}.")
                if record is not None and record.size > view.image.size:
                    raise CorruptionError(f"chain {chain} is shorter than its checkpoint {record.number}; run an audit")
                yield view, record


def checkpoint_of(record: Record) -> Checkpoint:
    """What a stored anchor says; its signatures are for others to check.

    Raises:
        CorruptionError: it is no checkpoint, or one of another size.
    """
    try:
        found = parse_checkpoint(parse_note(record.note).text)
    except EvidenceError as error:
        raise CorruptionError(f"checkpoint {record.number} of chain {record.chain} is damaged: {error}") from error
    if found.size != record.size:
        raise CorruptionError(f"checkpoint {record.number} of chain {record.chain} has another size than is recorded")
    return found


def check_root(record: Record, root: bytes) -> None:
    """Compare the tree's root with that of its checkpoint.

    Raises:
        CorruptionError
    """
    if checkpoint_of(record).root != root:
        raise CorruptionError(f"the tree of chain {record.chain} is not that of its checkpoint {record.number}")


def _tree_size(view: TreeView, event: Event, newest: Record | None) -> int:
    """The size of the newest checkpoint, which covers the event.

    Raises:
        NotFoundError
    """
    if newest is None or event.seq >= newest.size:
        raise NotFoundError(
            f"No checkpoint covers event {event.entry.event_id} yet (seq {event.seq}): wait for the next, or ask with "
            f"size={event.seq + 1}..{view.image.size} for a proof without one."
        )
    return newest.size


def _check_size(view: TreeView, name: str, size: int) -> None:
    if size > view.image.size:
        raise _invalid(name, f"the chain has {view.image.size} events")


@contextmanager
def _proven(chain: str) -> Iterator[None]:
    """What doesn't verify is damage here, nothing that a client did."""
    try:
        yield
    except EvidenceError as error:
        raise CorruptionError(f"the tree of chain {chain} is damaged: {error}; run an audit") from error


def _invalid(name: str, detail: str) -> InvalidError:
    return InvalidError([Problem(f"/query/{name}", detail)])
