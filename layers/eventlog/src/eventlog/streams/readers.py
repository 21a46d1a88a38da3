"""Readers of live streams: each has its own place in a chain, and all of a chain share its one watcher.

A reader pulls. It buffers only the chunk that it is sending, so a slow one costs little and holds up no other. If it is
further behind than what the watcher still has, it reads pages itself; a few readers do so at a time.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import orjson

from eventlog.formats.sse import format_frame
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.streams import watcher
from eventlog.streams.listeners import Listener
from eventlog.streams.recent import Item, item_of
from eventlog.streams.subscription import Subscription
from eventlog.streams.watcher import ChainWatcher, ShorterError, Sources, View, read

CHUNK_BYTES = 64 << 10
"""About what a reader takes at once: a chunk ends with the event that reaches this."""

_TAKE = 256
_PAGE, _PAGE_BYTES = 500, 256 << 10
_AGAIN_SECONDS = 0.5


class EndedError(Exception):
    """A stream ends here; ``reason`` is ``stopping``, ``damaged`` or ``shorter``, with the chain's ``size`` then."""

    def __init__(self, reason: str, size: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.size = size


class StreamReader:
    """One reader, in one event loop.

    ``next`` is its place: the first seq that it has not seen. ``news`` counts the events that it was sent and the
    checkpoints that were made since it came.
    """

    def __init__(
        self,
        wanted: Subscription,
        watched: ChainWatcher,
        listener: Listener,
        sources: Sources,
        pool: ThreadPoolExecutor,
    ) -> None:
        # Until ``start`` has found the place, nothing was sent and nothing was told.
        self.next = 0
        self.news = 0
        self._was_live = False
        self._listener = listener
        self._wanted = wanted
        self._watcher = watched
        self._sources = sources
        self._pool = pool
        self._page: list[Item] = []
        self._told_size: int | None = None
        self._told_checkpoint = 0
        self._told_lines = 0
        self._ahead_since: float | None = None
        self._size_read = 0

    async def start(self, seconds: float) -> None:
        """Find the place to begin at, and read the first page if that is in the past.

        So what can't be read is reported before the answer has begun.

        Raises:
            StoreUnavailableError: the chain can't be read in so many seconds.
            CorruptionError: the chain is damaged.
        """
        deadline = time.monotonic() + seconds
        while not self._watcher.started:
            if self._watcher.failure is not None:
                raise self._watcher.failure
            if self._watcher.stopping:
                raise StoreUnavailableError("the chain can't be followed now")
            if not await self._woken(deadline - time.monotonic()):
                raise StoreUnavailableError("the chain could not be read in time")
        # A place beyond the end is kept: the events there may still come.
        places = (self._wanted.seen, self._wanted.from_seq, self._watcher.view(0, 0).end)
        self.next = next(place for place in places if place is not None)
        if self.behind:
            await self._read_page()

    @property
    def behind(self) -> bool:
        """Whether the watcher no longer has what comes next."""
        return not self._page and self._watcher.view(self.next, 0).items is None

    @property
    def fell_behind(self) -> bool:
        """Whether it is behind now, though it had seen all there was before."""
        return self._was_live and self.behind

    @property
    def ahead(self) -> bool:
        """Whether it has come past events that the chain does not have."""
        # Whoever catches up reads pages, which may go further than what the watcher has read.
        return self.next > self._bound(max(self._watcher.view(0, 0).end, self._size_read))

    def fall_back(self, size: int | None = None) -> EndedError:
        """Go back to where a chain of this size (None: as it is known now) can be followed on.

        So whoever connects again with the last id of this stream gets what comes, and is not left waiting for a place
        that the chain may never have. Return how the stream ends.
        """
        size = self._watcher.view(0, 0).end if size is None else size
        self.next = min(self.next, self._bound(size))
        self._page = []
        return EndedError("shorter", size)

    def _bound(self, size: int) -> int:
        """Return the furthest place for a chain of this size: who asks for events to come waits where they will be."""
        return max(size, self._wanted.from_seq or 0)

    async def more(self, seconds: float) -> bytes:
        """Return the next frames as soon as there are any; nothing after so many seconds.

        Raises:
            EndedError: the stream ends here.
        """
        deadline = time.monotonic() + seconds
        while True:
            # Cleared before looking: what comes after the look sets it again, so the wait below returns at once.
            self._listener.wake.clear()
            if chunk := self._take():
                return chunk
            self._check()
            late = time.monotonic() >= deadline
            if self.behind:  # its events are in the database only; a page may hold none of those asked for
                await self._catch_up()
                if late:
                    return self._take()
            elif late:
                return b""
            else:
                await self._woken(min(deadline - time.monotonic(), self._patience()))

    def _take(self) -> bytes:
        """Return frames of what is here; none if no event that is here was asked for."""
        chunk = bytearray()
        if self._told_size is None:
            chunk += self._head(self._watcher.view(0, 0).end)
        while len(chunk) < CHUNK_BYTES and (items := self._page or self._watcher.view(self.next, _TAKE).items):
            chunk += self._chosen(items)
        # Only now the checkpoints, which may cover events that were just taken; and the head, once it has seen it all.
        view = self._watcher.view(self.next, 0)
        chunk += self._checkpoints(view)
        chunk += self._cosigned(view)
        if self.next == view.end:
            self._was_live = True
            if view.end != self._told_size:
                chunk += self._head(view.end)
        return bytes(chunk)

    def _chosen(self, items: list[Item]) -> bytes:
        """Move on over events up to a chunk's size; return the frames of those asked for."""
        chunk, taken = bytearray(), 0
        for taken, item in enumerate(items, 1):  # noqa: B007  how far it came
            self.next = item.seq + 1
            if self._wanted.has(item):
                self.news += 1
                chunk += item.frame
                if len(chunk) >= CHUNK_BYTES:
                    break
        self._page = self._page[taken:]
        return bytes(chunk)

    def _head(self, size: int) -> bytes:
        """Return the frame that says how many events the chain has."""
        self._told_size = size
        shown = {"chain": self._wanted.chain, "size": size}
        return format_frame(orjson.dumps(shown), event="head", seq=self.next - 1)

    def _checkpoints(self, view: View) -> bytes:
        """Return the new checkpoints that cover seen events only; of those made before it came, only the newest."""
        found = [new for new in view.checkpoints if self._told_checkpoint < new.number and new.size <= self.next]
        if not self._told_checkpoint:
            found = found[-1:]
        elif found:
            self.news += 1
        if found:
            self._told_checkpoint, self._told_lines = found[-1].number, 0
        return b"".join(new.frame for new in found)

    def _cosigned(self, view: View) -> bytes:
        """Return what witnesses have added to the checkpoint that it was told last, since it was told."""
        frames = [new.frame for new in view.cosigned if new.number == self._told_checkpoint][self._told_lines :]
        self.news += bool(frames) and self._was_live
        self._told_lines += len(frames)
        return b"".join(frames)

    def _check(self) -> None:
        """End the stream if its watcher has ended, or if the chain is shorter; an unreachable database is waited for.

        Raises:
            EndedError: the stream ends here.
        """
        if isinstance(self._watcher.failure, ShorterError):
            raise self.fall_back(self._watcher.failure.size)
        if isinstance(self._watcher.failure, CorruptionError):
            raise EndedError("damaged")
        if self._watcher.stopping:
            raise EndedError("stopping")
        if not self._patience():
            raise self.fall_back()

    def _patience(self) -> float:
        """Return for how many seconds more the chain may be shorter than what this reader has seen.

        It may be so for a moment, as after an election, and the chain may grow again; but nobody waits for it for ever.
        """
        if not self.ahead:
            self._ahead_since = None
            return watcher.SHORTER_SECONDS
        self._ahead_since = self._ahead_since or time.monotonic()
        return max(0.0, self._ahead_since + watcher.SHORTER_SECONDS - time.monotonic())

    async def _catch_up(self) -> None:
        """Read the next page; an unreachable database is tried again a little later."""
        try:
            await self._read_page()
        except StoreUnavailableError:
            await asyncio.sleep(_AGAIN_SECONDS)
        except CorruptionError as error:
            raise EndedError("damaged") from error

    async def _read_page(self) -> None:
        loop, place = asyncio.get_running_loop(), (self._wanted.watched, self.next, _PAGE, _PAGE_BYTES)
        page = await loop.run_in_executor(self._pool, read, self._sources.events(), *place)
        self._page = [item_of(event) for event in page.events]
        self._size_read = page.size

    async def _woken(self, seconds: float) -> bool:
        """Wait until the watcher has something to tell; return whether it had in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._listener.wake.wait()
        except TimeoutError:
            return False
        self._listener.wake.clear()
        return True
