"""Evidence for readers who do not trust the log: proofs, roots, checkpoints and tiles, each checked before it is given.

Everything is read by one view: the checkpoint first, then the tree (``store/interface/evidence.py``). A checkpoint is
anchored only once its events are committed, so an honest chain is never shorter than a checkpoint that was read before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from eventlog.errors import InvalidError, NotFoundError, unknown_checkpoint, unknown_event
from eventlog.evidence.checkpoints import agreeing, check_place, check_root
from eventlog.formats import hashing, proof
from eventlog.formats.cosigned_note import with_lines
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.strict_json import Problem
from eventlog.formats.tiles import Tile, encode_entries, exists, tile_nodes
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.evidence import EvidenceReader, EvidenceView
from eventlog.store.interface.trees import ConsistencyPath, TreeView
from eventlog.stored.anchor_copies import AnchorCopy


@dataclass(frozen=True, slots=True)
class EventProof:
    """A verified inclusion proof of an event in the tree of ``size``; ``checkpoint`` is that of this size, if any."""

    event: Event
    leaf: bytes
    size: int
    hashes: list[bytes]
    root: bytes
    checkpoint: AnchorCopy | None


class Evidence:
    """Reads the database only: neither the anchor store nor a key."""

    def __init__(self, reader: EvidenceReader) -> None:
        self._reader = reader

    def checkpoint(self, chain: str, size: int | None = None) -> AnchorCopy:
        """Return the newest checkpoint, or the one of exactly this size.

        Raises:
            NotFoundError: there is none.
            CorruptionError: what is stored as it is not a checkpoint of the chain as it is stored.
        """
        with self._reader.view(chain, size) as (view, copy):
            if copy is None:
                raise unknown_checkpoint(chain, size)
            found = agreeing(chain, view, copy)
        return self.witnessed(found)

    def newest(self, chain: str) -> AnchorCopy | None:
        """Return the newest checkpoint, if there is one.

        Raises:
            CorruptionError: as ``checkpoint``.
        """
        with self._reader.view(chain, None) as (view, copy):
            found = None if copy is None else agreeing(chain, view, copy)
        return None if found is None else self.witnessed(found)

    def witnessed(self, copy: AnchorCopy) -> AnchorCopy:
        """Return a checkpoint that agrees with its chain as it is handed out: with what witnesses have added to it."""
        return replace(copy, note=with_lines(copy.note, self.lines(copy)))

    def lines(self, copy: AnchorCopy) -> list[str]:
        """Return what witnesses have added to a checkpoint: a line each, by key id. Nobody here has their keys."""
        return self._reader.cosignatures(copy)

    def check(self, copy: AnchorCopy) -> AnchorCopy:
        """Return a checkpoint that was read elsewhere, if it is one of its chain as it is stored.

        Raises:
            CorruptionError: as ``checkpoint``.
        """
        with self._reader.view(copy.chain, copy.size) as (view, _):
            return agreeing(copy.chain, view, copy)

    def proof(self, chain: str, event_id: str, size: int | None) -> EventProof:
        """Prove an event: under the newest checkpoint, or in the tree of this size with the checkpoint of that size.

        Raises:
            NotFoundError: there is no such chain or event, or no checkpoint covers it.
            InvalidError: the tree of this size does not have the event, or the chain is smaller.
            CorruptionError: what is stored does not prove it.
        """
        with self.view(chain, size) as (view, copy):
            event = view.event(event_id)
            if event is None:
                raise unknown_event(event_id, chain)
            size = _tree_size(view, event, copy) if size is None else size
            if not event.seq < size <= view.size:
                raise _invalid("size", f"must be {event.seq + 1}..{view.size} for seq {event.seq}")
            found = view.inclusion(event.seq, size)
        # What is given must verify, so it is verified here as a client would: the leaf that is recomputed from the
        # event's own fields, under the root from the stored frontier, which must be the checkpoint's.
        leaf = hashing.leaf(event.seq, event.prev_hash, event.entry.content_hash)
        with _proven(chain):
            proof.verify_inclusion(hashing.leaf_hash(leaf), event.seq, size, found.hashes, found.root)
        if event.hash != hashing.leaf_hash(leaf):
            raise CorruptionError(f"event {event_id} of chain {chain} has another hash than its leaf; run an audit")
        if copy is not None:
            check_root(copy, found.root)
            copy = self.witnessed(copy)
        return EventProof(event, leaf, size, found.hashes, found.root, copy)

    def consistency(self, chain: str, first: int, second: int) -> ConsistencyPath:
        """Prove that the tree of ``second`` extends that of ``first``.

        Raises:
            NotFoundError: there is no such chain.
            InvalidError: ``first`` is larger than ``second``, or the chain is smaller than that.
            CorruptionError: what is stored does not prove it.
        """
        if first > second:
            raise _invalid("first", f"must be at most second, which is {second}")
        with self.view(chain, second) as (view, copy):
            _check_size(view, "second", second)
            found = view.consistency(first, second)
        # Damage is told as such before anybody gets a proof that does not hold.
        with _proven(chain):
            proof.verify_consistency(first, second, *found)
        if copy is not None:
            check_root(copy, found.second_root)
        return found

    def root(self, chain: str, size: int | None) -> tuple[int, bytes]:
        """Return a tree size, by default the chain's now, and the root at it.

        Raises:
            NotFoundError: there is no such chain.
            InvalidError: the chain is smaller.
            CorruptionError: a node is missing or damaged.
        """
        with self.view(chain, size or 0) as (view, _):
            size = view.size if size is None else size
            _check_size(view, "size", size)
            return size, view.root(size)

    def tile(self, chain: str, tile: Tile) -> bytes:
        """Return a tile's hashes or a bundle's entries, if the newest checkpoint covers it whole.

        Raises:
            NotFoundError: there is no such chain, or no checkpoint that covers the tile.
            CorruptionError: a node or a leaf is missing or damaged.
        """
        with self.view(chain, None) as (view, copy):
            if copy is None or not exists(tile, copy.size):
                covered = "there is none" if copy is None else f"its size is {copy.size}"
                raise NotFoundError(f"The newest checkpoint of chain {chain} does not cover this tile: {covered}.")
            # A bundle of entries (C2SP tlog-tiles) has the leaves themselves; all other tiles have hashes of one level.
            if tile.level is None:
                return encode_entries(view.leaves(tile.start, tile.start + tile.width))
            places = tile_nodes(tile)
            nodes = view.nodes(places)
            return b"".join(nodes[place] for place in places)

    @contextmanager
    def view(self, chain: str, size: int | None) -> Iterator[tuple[EvidenceView, AnchorCopy | None]]:
        """Open a chain's tree and the checkpoint of this size, of None the newest, that was read before it.

        Raises:
            NotFoundError: there is no such chain.
            CorruptionError: the checkpoint covers more than the chain has.
        """
        with self._reader.view(chain, size) as (view, copy):
            if view is None:
                raise NotFoundError(f"There is no chain {chain}.")
            if copy is not None:
                check_place(view, copy)
            yield view, copy


def _tree_size(view: TreeView, event: Event, newest: AnchorCopy | None) -> int:
    """Return the size of the newest checkpoint.

    Raises:
        NotFoundError: it does not cover the event.
    """
    if newest is None or event.seq >= newest.size:
        raise NotFoundError(
            f"No checkpoint covers event {event.entry.event_id} yet (seq {event.seq}): wait for the next, or ask with "
            f"size={event.seq + 1}..{view.size} for a proof without one."
        )
    return newest.size


def _check_size(view: TreeView, name: str, size: int) -> None:
    if size > view.size:
        raise _invalid(name, f"the chain has {view.size} events")


@contextmanager
def _proven(chain: str) -> Iterator[None]:
    """Turn the error of a proof that does not verify into ours: the request was right, the stored tree is damaged."""
    try:
        yield
    except EvidenceError as error:
        raise CorruptionError(f"the tree of chain {chain} is damaged: {error}; run an audit") from error


def _invalid(name: str, detail: str) -> InvalidError:
    return InvalidError([Problem(f"/query/{name}", detail)])
