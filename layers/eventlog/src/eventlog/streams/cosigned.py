"""Checkpoints for streams, and what witnesses add to the newest one afterwards."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import orjson

from eventlog.formats.cosigned_note import MAX_LINES
from eventlog.formats.sse import format_frame
from eventlog.stored.anchor_copies import AnchorCopy

LINES_SECONDS = 1.0
"""How often lines of the newest checkpoint are looked for, however busy the chain is."""


class Checkpoints(Protocol):
    """Checkpoints that may be shown. Both methods raise StoreError, CorruptionError for one that may not."""

    def newest(self, chain: str) -> AnchorCopy | None:
        """Return the chain's newest one."""
        ...

    def scan(self, chain: str, first: int) -> Iterator[AnchorCopy]:
        """Iterate over those from this number on."""
        ...

    def lines(self, copy: AnchorCopy) -> list[str]:
        """Return what witnesses have added to one, by key id."""
        ...


@dataclass(frozen=True, slots=True)
class Announced:
    """A signed checkpoint as a frame, to be sent to readers that were sent the ``size`` events it covers."""

    number: int
    size: int
    frame: bytes


class NewLines:
    """Looks for lines of the newest checkpoint that were not told yet; ``frames`` are those that were, as frames.

    Those of an older checkpoint are dropped: whoever trusts a quorum waits for that of the newest. So all of them
    together are bounded by what a checkpoint is served with.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.frames: tuple[Announced, ...] = ()
        self._clock = clock
        self._copy: AnchorCopy | None = None
        self._told: set[str] = set()
        self._next = 0.0

    def follow(self, copy: AnchorCopy) -> None:
        """Look for lines of this checkpoint from now on, and of none before it."""
        self._copy, self._told, self.frames, self._next = copy, set(), (), 0.0

    def look(self, checkpoints: Checkpoints) -> bool:
        """Look, if the last time was long enough ago; return whether there is something new.

        Raises:
            StoreUnavailableError: the database can't be reached.
        """
        now, copy = self._clock(), self._copy
        if copy is None or now < self._next:
            return False
        self._next = now + LINES_SECONDS
        new = [line for line in checkpoints.lines(copy) if line not in self._told][: MAX_LINES - len(self._told)]
        if not new:
            return False
        self._told.update(new)
        shown = {"chain": copy.chain, "number": copy.number, "size": copy.size, "lines": new}
        frame = format_frame(orjson.dumps(shown), event="cosignatures")
        self.frames = (*self.frames, Announced(copy.number, copy.size, frame))
        return True
