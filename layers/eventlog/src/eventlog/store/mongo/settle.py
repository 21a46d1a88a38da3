"""Settling: pending entries move from a sequence document into ``events``, in blocks.

Seqs are cut into blocks of ``BLOCK``, and the writer whose push passes the end of a block settles it, so that seldom
two settle the same entries and nobody has to be asked; large pushes are settled by their own writers. What a dead one
left, a later one or the audit settles. Nothing depends on who does it. A chain's first push is settled at once, so that
a chain that has lost its sequence document is never taken for a new one.

Four rules keep it safe; ``tests/model`` shows each to be necessary. (1) Settle only from an image known to be
majority-committed. (2) Trim an entry only once its event is majority-committed. (3) Answers rest on majority reads.
(4) Read ``sequences`` before ``events``, in one causally consistent session.
"""

import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from pymongo.client_session import ClientSession

from eventlog.formats.event import ChainState, Event
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PushImage
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage

BLOCK = 96
"""Entries settled together."""
LARGE_BYTES = 64 << 10
"""A push of a whole block or of so many bytes is settled by its own writer, without those of others."""
OVERDUE = 512
OVERDUE_BYTES = 512 << 10
"""So many pending entries, or bytes of them, show that settlers are dead or slow: who passes a multiple settles all."""
_DRAIN_SECONDS = 5.0


class Settler:
    """Settles one chain."""

    def __init__(self, operations: Operations, chain: str) -> None:
        self._ops = operations
        self._chain = chain

    def after_push(self, image: PushImage, events: Sequence[Event], after: ChainState) -> bool:
        """Settle what our own acknowledged push of ``events`` makes our turn; whether there was anything.

        ``after`` is the chain's state after them.
        """
        waiting, before = len(image.pending) - len(events), events[0].seq
        start, end = before - before % BLOCK, image.size - image.size % BLOCK
        whole, large = len(events) >= BLOCK, image.own_bytes >= LARGE_BYTES
        overdue = _passes(waiting, len(events), OVERDUE, small=not whole) or _passes(
            image.waiting_bytes, image.own_bytes, OVERDUE_BYTES, small=not large
        )
        if whole and 0 < waiting < BLOCK:  # so what waits are small pushes, which nobody else will settle
            self._block(image, events, image.settled.size, image.size)
        elif whole or large or before == 0 or (start < end and not waiting):
            self._store(events, after.copy(), size=image.own_bytes, trims=1, alone=not waiting)
        elif start < end and not overdue:
            self._block(image, events, max(start, image.settled.size), end)
        elif not overdue:
            return False
        if overdue:
            self.rest()
        return True

    def rest(self) -> None:
        """Settle all that is pending now, once."""
        image = self._ops.read_sequence(self._chain)
        if image is not None and image.pending:
            self._all(image)

    def drain(self) -> int:
        """Settle everything that is pending now, and wait until a majority read shows it; return the settled size.

        Reads and trims share a causally consistent session: what was trimmed, by whomever, is not read as pending.
        """
        until = time.monotonic() + _DRAIN_SECONDS
        with self._ops.session() as session:
            image = self._ops.read_sequence(self._chain, session)
            target = image.size if image else 0
            while image is not None and image.settled.size < target and image.pending and time.monotonic() < until:
                self._all(image, session)
                image = self._ops.read_sequence(self._chain, session)
        return image.settled.size if image else 0

    def _block(self, image: PushImage, events: Sequence[Event], start: int, end: int) -> None:
        """Settle start..end-1, whose last are of our own ``events``; what others pushed is read."""
        before = events[0].seq
        first, others = self._ops.read_pending(self._chain, start, before) if start < before else (start, [])
        if first + len(others) != before:  # others have settled further than this, or the read was of an old image
            return
        state = image.settled.copy()
        for content_hash in image.pending[: first - state.size]:
            state.append(content_hash)
        self._store(list(state.extend([*others, *(event.entry for event in events[: end - before])])), state)

    def _all(self, image: SequenceImage, session: ClientSession | None = None) -> None:
        """Insert what isn't stored yet, trim all."""
        stored = self._ops.read_raw(self._chain, image.settled.size, image.size)
        state = image.settled.copy()
        self._store(list(state.extend(image.pending)), state, stored=stored, session=session)

    def _store(
        self,
        events: Sequence[Event],
        after: ChainState,
        *,
        stored: AbstractSet[bytes] = frozenset(),
        size: int | None = None,
        trims: int = BLOCK,
        alone: bool = False,
        session: ClientSession | None = None,
    ) -> None:
        """Insert events, but for those ``stored``, and trim them; ``after`` is the chain's state after them.

        ``size``: their bytes as pending entries, if known.
        If ``trims`` entries or more are pending then, those that others stored meanwhile are trimmed too.
        ``alone``: nothing else was pending just now.
        """
        before = (events[0].seq, events[0].prev_hash, events[0].entry.content_hash)
        missing = [event for event in events if not stored or codec.encode_event(event) not in stored]
        if missing:
            with self._ops.session() as inserting:
                self._ops.insert(missing, inserting)
        size = size or sum(len(codec.encode_entry(event.entry)) for event in events)
        if alone and self._ops.trim_all(self._chain, before, after, size):
            return
        left = self._ops.trim(self._chain, before, after, size, session)
        while left and len(left) >= trims:
            left = self._trim_stored(after, left)

    def _trim_stored(self, state: ChainState, pending: Sequence[bytes]) -> list[bytes] | None:
        """Trim what writers of later blocks have stored already but could not trim before us."""
        before = (state.size, state.hash, pending[0])
        stored = self._ops.read_hashes(self._chain, state.size, state.size + len(pending))
        ahead = state.copy()
        for content_hash in pending:
            seq, _, digest, _ = ahead.append(content_hash)
            if stored.get(seq) != digest:
                break
            state.append(content_hash)
        return self._ops.trim(self._chain, before, state) if state.size > before[0] else None


def _passes(waiting: int, own: int, mark: int, *, small: bool) -> bool:
    """Whether our own push passed a multiple of a mark; a large one alone does not count as passing the first."""
    return (small or waiting >= mark) and waiting // mark != (waiting + own) // mark
