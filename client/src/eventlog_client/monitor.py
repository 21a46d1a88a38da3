"""A light monitor: follows a chain's signed checkpoints and checks every leaf between two of them.

The new tree is built from the frontier of the trusted one by appending the leaves the log serves (C2SP tlog-tiles), so
that a tree whose root comes out right extends the trusted one by construction: nothing before was changed or removed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from eventlog.formats import hashing, tiles
from eventlog.formats.bundle_erasures import PartErasures
from eventlog.formats.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState, Event
from eventlog.formats.note import VerifierKey, format_vkey, parse_note, verify_note
from eventlog.formats.tiles import FULL, Tile
from eventlog_client.errors import KeyNeededError, LogMisbehavedError, RefusedError
from eventlog_client.keys import keys_of, log_of
from eventlog_client.state import Trusted

LEAF = 72


class TiledLog(Protocol):
    """What a monitor reads of a log. Both methods may raise RefusedError (404: not there) and UnreachableError."""

    def tlog(self, chain: str, path: str) -> bytes:
        """Return a resource below the chain's tlog-tiles prefix."""
        ...

    def events_by_seq(self, chain: str, start: int, end: int) -> Iterator[Event]:
        """Return the events [start, end), each with all its hashes recomputed.

        Raises:
            EvidenceError: a hash is wrong, or an event is missing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Monitor:
    """Checks one chain with pinned keys; with ``events`` it fetches and recomputes whole events, not only their leaves.

    ``erasures`` judges what was erased of them.
    A checkpoint older than the trusted one may come from a server that lags behind for a moment. It is asked for again
    as long as ``again``, which may wait, returns True.
    """

    log: TiledLog
    chain: str
    keys: Sequence[VerifierKey]
    events: bool = False
    erasures: PartErasures | None = None
    advance: Callable[[int], None] = lambda _: None
    again: Callable[[], bool] = lambda: False

    def check(self, trusted: Trusted | None) -> Trusted:
        """Fetch the newest checkpoint, and check every leaf from the trusted one (or from the first leaf) to it.

        Raises:
            LogMisbehavedError: the new tree does not extend the trusted one; the checkpoints are the evidence.
            KeyNeededError: the trusted checkpoint was signed by a key that is not pinned here.
        """
        # A state made with another key may be of another log, or of this one before a restore: the user must decide.
        if trusted is not None and trusted.key not in self.keys:
            raise KeyNeededError(f"the state was made with the key {format_vkey(trusted.key)}, which is not given now")
        data = self._newest(trusted)
        while trusted is not None and _is_older(data, trusted) and self.again():
            data = self._newest(trusted)
        # Whatever fails from here on, the two checkpoints are the evidence: what was trusted, and what is shown now.
        seen = data.decode(errors="replace")
        try:
            checkpoint, key = self._verified(data, trusted)
            head = self._extend(trusted, checkpoint)
        except EvidenceError as error:
            raise LogMisbehavedError(str(error), _notes(trusted, seen)) from error
        return Trusted(checkpoint, seen, key, head)

    def _newest(self, trusted: Trusted | None) -> bytes:
        try:
            return self.log.tlog(self.chain, "checkpoint")
        except RefusedError as error:
            if error.status != 404 or trusted is None:
                raise
            size = trusted.checkpoint.size
            finding = f"the log shows no checkpoint of chain {self.chain} any more; it had one of size {size}"
            raise LogMisbehavedError(finding, _notes(trusted)) from error

    def _verified(self, data: bytes, trusted: Trusted | None) -> tuple[Checkpoint, VerifierKey]:
        keys = keys_of(self.keys, self.chain)
        claimed = parse_checkpoint(parse_note(data).text).origin
        expected = {trusted.checkpoint.origin} if trusted else {key.name for key in keys}
        if claimed not in expected:
            raise EvidenceError(_other_origin(claimed, sorted(expected)))
        checkpoint, note = verify_checkpoint(data, keys)
        return checkpoint, verify_note(note, [key for key in keys if key.name == claimed])[0]

    def _extend(self, trusted: Trusted | None, checkpoint: Checkpoint) -> ChainState:
        """Return the chain's head at the checkpoint after checking every leaf on the way.

        Raises:
            EvidenceError: a leaf does not follow the one before it, or the leaves don't lead to the signed root.
        """
        # From the trusted head's frontier, or from the genesis hash. Leaves come in bundles of 256; of the first bundle
        # those that are in the trusted tree already are skipped.
        if trusted is None:
            head = ChainState(0, hashing.genesis(log_of(checkpoint.origin), self.chain))
        else:
            head = trusted.head.copy()
            check_heads(trusted.checkpoint, checkpoint)
        shown = iter(self.log.events_by_seq(self.chain, head.size, checkpoint.size) if self.events else ())
        for bundle in entry_bundles(head.size, checkpoint.size):
            leaves = self._leaves(bundle)[head.size - bundle.start :]
            for leaf in leaves:
                append_leaf(head, leaf)
                if self.events:
                    event = _check_shown(head, next(shown, None))
                    if self.erasures is not None:
                        self.erasures.take(event)
            self.advance(len(leaves))
        if head.root != checkpoint.root:
            raise EvidenceError(
                f"the leaves the log serves don't lead to the root it signed for size {checkpoint.size}"
            )
        if self.erasures is not None:
            self._judge(self.erasures)
        return head

    def _judge(self, erasures: PartErasures) -> None:
        """Check that all that was erased was ordered to be, also by events that the checkpoint does not cover yet.

        Raises:
            EvidenceError: it was not.
        """
        for seq in erasures.missing():
            for event in self.log.events_by_seq(self.chain, seq, seq + 1):
                erasures.take(event)
        erasures.finish()

    def _leaves(self, bundle: Tile) -> list[bytes]:
        """Return a bundle's entries, from the full one if a partial one is gone (C2SP tlog-tiles, "Partial Tiles")."""
        # A log may drop a partial tile once it has the full one, of which only the covered entries are used then.
        for tile in (bundle, Tile(None, bundle.index)):
            try:
                data = self.log.tlog(self.chain, f"tile/{tiles.format_tile(tile)}")
            except RefusedError as error:
                if error.status != 404:
                    raise
                continue
            entries = tiles.decode_entries(data)
            if len(entries) != tile.width:
                raise EvidenceError(f"a bundle of {tile.width} entries has {len(entries)}")
            return entries[: bundle.width]
        last = bundle.start + bundle.width - 1
        raise EvidenceError(f"the log does not show the entries {bundle.start} to {last}, which its checkpoint covers")


def _is_older(data: bytes, trusted: Trusted) -> bool:
    try:
        return parse_checkpoint(parse_note(data).text).size < trusted.checkpoint.size
    except EvidenceError:
        return False


def entry_bundles(start: int, size: int) -> Iterable[Tile]:
    """Yield the bundles that hold the entries [start, size) of a tree of ``size``."""
    if start < size:
        for index in range(start // FULL, (size - 1) // FULL + 1):
            yield Tile(None, index, min(FULL, size - index * FULL))


def append_leaf(head: ChainState, leaf: bytes) -> None:
    """Extend the chain's head by a leaf, which must be the next one.

    Raises:
        EvidenceError: the leaf has another length, seq or previous hash.
    """
    if len(leaf) != LEAF:
        raise EvidenceError(f"the entry at {head.size} is {len(leaf)} bytes long, and a leaf {LEAF}")
    if int.from_bytes(leaf[:8], "big") != head.size:
        raise EvidenceError(f"the entry at {head.size} says that it is number {int.from_bytes(leaf[:8], 'big')}")
    if leaf[8:40] != head.hash:
        raise EvidenceError(f"the entry at {head.size} does not follow the one before it")
    head.append(leaf[40:])


def check_heads(trusted: Checkpoint, new: Checkpoint) -> None:
    """Check two checkpoints of one origin without the leaves between them: sizes don't fall, one size has one root.

    Raises:
        EvidenceError: the log went back, or signed two roots for one size.
    """
    if new.size < trusted.size:
        raise EvidenceError(f"the log went back: it signed size {trusted.size} before, and shows size {new.size} now")
    if new.size == trusted.size and new.root != trusted.root:
        raise EvidenceError(f"the log signed two roots for size {new.size}: it shows different histories")


def _check_shown(head: ChainState, event: Event | None) -> Event:
    seq = head.size - 1
    if event is None or event.seq != seq:
        raise EvidenceError(f"the log does not show event {seq}, which its checkpoint covers")
    if event.hash != head.hash:
        raise EvidenceError(f"event {seq} is shown with other content than the checkpoint covers")
    return event


def _other_origin(claimed: str, expected: Sequence[str]) -> str:
    """Return the finding about a checkpoint of another origin line; ``~2`` and so on mark restores."""
    names = " or ".join(expected) or "nobody: no given key is this chain's"
    if any(claimed.startswith(f"{name.partition('~')[0]}~") and "/" not in claimed[len(name) :] for name in expected):
        return (
            f"the log speaks as {claimed} now, and was {names}: its operator restored a backup (or says so), and what "
            "came after the backup may be gone; find out why, then pin the new key with a new state file"
        )
    return f"the checkpoint is {claimed}'s, and expected is {names}"


def _notes(trusted: Trusted | None, *seen: str) -> list[str]:
    return [*([trusted.note] if trusted else []), *seen]
