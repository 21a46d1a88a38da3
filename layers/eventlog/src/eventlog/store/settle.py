"""Settling: pending entries move from a sequence document into ``events``.

Four rules keep it safe; ``tests/model`` shows each to be necessary. (1) Settle only from an image known to be
majority-committed. (2) Trim an entry only once its event is majority-committed. (3) Answers rest on majority reads.
(4) Read ``sequences`` before ``events``, in one causally consistent session.
"""

import time
from collections.abc import Sequence
from uuid import uuid4

from eventlog.formats.event import ChainState, Entry
from eventlog.store import codec
from eventlog.store.operations import Cut, Left, Operations

_TURN_SECONDS = 0.1
"""A writer settles for others at most this long, then opens its claim to a successor."""


class Settler:
    """One turn at settling a chain."""

    def __init__(self, operations: Operations, chain: str) -> None:
        self._ops = operations
        self._chain = chain
        self._owner = uuid4().hex
        self._until = time.monotonic() + _TURN_SECONDS

    def own(self, settled: ChainState, entries: Sequence[Entry]) -> None:
        """Settle entries of our own acknowledged push, which found ``pending`` empty, then what came meanwhile."""
        left = self._round(settled, entries)
        if left is not None and self._mine(left):
            self.rest()

    def take_over(self) -> None:
        """Settle what another writer left behind, if nobody else does."""
        if self._ops.claim(self._chain, self._owner):
            self.rest()

    def rest(self) -> None:
        """Settle until ``pending`` is empty, a successor holds the claim, or the turn is over."""
        while True:
            with self._ops.session() as session:
                image = self._ops.read_sequence(self._chain, session)
            if image is None or not image.pending:
                return
            left = self._round(image.settled, image.pending)
            if left is None or not self._mine(left):
                return

    def drain(self) -> int:
        """Settle everything that is pending now, whoever else settles; return the settled size."""
        target = None
        while True:
            with self._ops.session() as session:
                image = self._ops.read_sequence(self._chain, session)
            if image is None:
                return 0
            target = image.size if target is None else target
            if image.settled.size >= target or not image.pending:
                return image.settled.size
            self._round(image.settled, image.pending)

    def _round(self, settled: ChainState, entries: Sequence[Entry]) -> Left | None:
        state = settled.copy()
        events = list(state.extend(entries))
        with self._ops.session() as session:
            self._ops.insert(events, session)
        size = sum(len(codec.encode_entry(entry)) for entry in entries)
        cut = Cut(
            chain=self._chain,
            before=settled.size,
            after=state,
            count=len(entries),
            bytes=size,
            owner=self._owner,
            claim="" if time.monotonic() > self._until else self._owner,
        )
        return self._ops.trim(cut)

    def _mine(self, left: Left) -> bool:
        return left.pending > 0 and left.claimed_by == self._owner
