"""Settling: pending entries move from a sequence document into ``events``, in blocks.

Seqs are cut into blocks of ``BLOCK``. The writer whose push passes the end of a block settles it, so two writers seldom
settle the same entries and none has to ask another; large pushes are settled by their own writers. What a writer left
behind that died is settled by a later one, or by the audit. Nothing depends on who does it. A chain's first push is
settled at once, so that a chain that has lost its sequence document is never taken for a new one.

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
from eventlog.stored.placing import place
from eventlog.stored.sequences import SequenceImage

BLOCK = 96
"""Entries settled together."""
LARGE_BYTES = 64 << 10
"""A push of a whole block, or of so many bytes, is settled by its own writer, without the entries of others."""
OVERDUE = 512
OVERDUE_BYTES = 512 << 10
"""So many pending entries, or bytes, show that settlers are dead or slow: whose push passes a multiple settles all."""
_DRAIN_SECONDS = 5.0


class Settler:
    """Settles one chain."""

    def __init__(self, operations: Operations, chain: str) -> None:
        self._ops = operations
        self._chain = chain

    def after_push(self, image: PushImage, events: Sequence[Event], after: ChainState) -> bool:
        """Settle what is our turn after our own acknowledged push of ``events``; return whether there was anything.

        ``after`` is the chain's state after them. The image of an acknowledged push is majority-committed (rule 1), so
        whatever stands in it may be settled: the cases below only decide who does it, and never whether it is safe.
        """
        waiting, before = len(image.pending) - len(events), events[0].seq
        # The blocks that our push touches begin at start; those that it completes end at end. None if start >= end.
        start, end = before - before % BLOCK, image.size - image.size % BLOCK
        whole, large = len(events) >= BLOCK, image.own_bytes >= LARGE_BYTES
        overdue = _passes(waiting, len(events), OVERDUE, small=not whole) or _passes(
            image.waiting_bytes, image.own_bytes, OVERDUE_BYTES, small=not large
        )
        if whole and 0 < waiting < BLOCK:
            # A whole block came after less than one. What waits are small pushes, whose block we have completed: no
            # other writer will come to settle them, so they go with ours.
            self._block(image, events, image.settled.size, image.size)
        elif whole or large or before == 0 or (start < end and not waiting):
            # A large push, a chain's first one, or one that completes a block and is alone: settle our own entries,
            # which we have at hand. If others' entries wait before ours, the trim fails, as it drops from the front
            # only; then those who settle these find ours in events and trim them too.
            self._store(events, image.own, after.copy(), trims=1, alone=not waiting)
        elif start < end and not overdue:
            # A small push completes a block that others have begun: settle the block, reading their entries.
            self._block(image, events, max(start, image.settled.size), end)
        elif not overdue:
            return False  # the block is not complete: the push that completes it settles our entries
        if overdue:  # settlers are dead or slow, and our push has passed a mark: settle whatever is pending
            self.rest()
        return True

    def rest(self) -> None:
        """Settle what is pending now, once."""
        image = self._ops.read_sequence(self._chain)
        if image is not None and image.pending:
            self._all(image)

    def drain(self) -> int:
        """Settle what is pending now until a majority read shows that it is settled; return the settled size.

        Reads and trims share a causally consistent session, so what any settler has trimmed is not read as pending. It
        gives up after some seconds where writers are faster.
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
        """Settle start..end-1, which end with some of our own ``events``; what others pushed before them is read.

        The push's image has only the others' content hashes. Their entries come from a majority read (rule 1).
        """
        before = events[0].seq
        first, others = self._ops.read_pending(self._chain, start, before) if start < before else (start, [])
        if first + len(others) != before:  # others have settled further than this, or the read was of an old image
            return
        # Fold over what was settled since the image, to the state before the first entry that is still pending.
        state = image.settled.copy()
        state.fold(image.pending[: first - state.size])
        settled = list(state.extend([*others, *(event.entry for event in events[: end - before])]))
        self._store(settled, [*map(codec.encode_entry, others), *image.own[: end - before]], state)

    def _all(self, image: SequenceImage, session: ClientSession | None = None) -> None:
        """Insert what isn't stored yet, and trim all that was pending in an image that a majority read gave."""
        stored = self._ops.read_raw(self._chain, image.settled.size, image.size)
        state = image.settled.copy()
        events = list(state.extend(image.pending))
        self._store(events, [*map(codec.encode_entry, image.pending)], state, stored=stored, session=session)

    def _store(
        self,
        events: Sequence[Event],
        entries: Sequence[bytes],
        after: ChainState,
        *,
        stored: AbstractSet[bytes] = frozenset(),
        trims: int = BLOCK,
        alone: bool = False,
        session: ClientSession | None = None,
    ) -> None:
        """Insert events and then trim them from the sequence document; ``after`` is the chain's state after them.

        The insert returns once a majority has it, so the trim keeps rule 2. A trim applies only if what is settled is
        what our events follow; if another settler was faster, it changes nothing.

        Args:
            events: What to settle, contiguous.
            entries: The same as pending entries, encoded.
            after: The chain's state after them.
            stored: Documents that a majority read has found in ``events``; they are not inserted again.
            trims: If so many entries or more are pending then, those that others have stored meanwhile are trimmed too.
            alone: Nothing else was pending just now.
            session: Where the caller reads on.
        """
        before = (events[0].seq, events[0].prev_hash, events[0].entry.content_hash)
        documents = map(place, events, entries)
        missing = {document: event for event, document in zip(events, documents, strict=True) if document not in stored}
        if missing:
            with self._ops.session() as inserting:
                self._ops.insert([*missing.values()], inserting, [*missing])
        size = sum(map(len, entries))
        if alone and self._ops.trim_all(self._chain, before, after, size):  # cheap; fails if more was pushed meanwhile
            return
        left = self._ops.trim(self._chain, before, after, size, session)
        while left and len(left) >= trims:
            left = self._trim_stored(after, left)

    def _trim_stored(self, state: ChainState, pending: Sequence[bytes]) -> list[bytes] | None:
        """Trim what writers of later blocks have stored already but could not trim, as ours stood before theirs.

        Returns the content hashes of what is pending then; None if nothing could be trimmed.
        """
        before = (state.size, state.hash, pending[0])
        stored = self._ops.read_hashes(self._chain, state.size, state.size + len(pending))
        ahead = state.copy()
        for content_hash in pending:
            seq, _, digest, _ = ahead.append(content_hash)
            if stored.get(seq) != digest:  # not seen by a majority read: trimming it now could lose it (rule 2)
                break
            state.append(content_hash)
        return self._ops.trim(self._chain, before, state) if state.size > before[0] else None


def _passes(waiting: int, own: int, mark: int, *, small: bool) -> bool:
    """Whether our own push passed a multiple of a mark.

    A push that is not ``small`` passes the first mark by itself. That says nothing of settlers, so it doesn't count.
    """
    return (small or waiting >= mark) and waiting // mark != (waiting + own) // mark
