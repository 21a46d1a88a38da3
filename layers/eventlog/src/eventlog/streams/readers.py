"""Readers of live streams: each goes its own way through a chain, fed by the chain's one watcher.

A reader pulls. It has no buffer but the chunk it is sending, so what a slow one costs is bounded and nobody waits for
it. Where it is further behind than what the watcher still has, it reads pages itself, a few readers at a time.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import orjson

from eventlog.formats.sse import format_frame
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.interface.changes import OpenChangeHints
from eventlog.streams.recent import Item, item_of
from eventlog.streams.watcher import ChainWatcher, Listener, Sources, View, read

MAX_READERS = 1000
CHUNK_BYTES = 64 << 10
"""What a reader takes at once, about: it ends with the event that reaches this."""

_TAKE = 256
_PAGE, _PAGE_BYTES = 500, 256 << 10
_CATCHING_UP = 4
_AGAIN_SECONDS = 0.5


class EndedError(Exception):
    """A stream ends here; ``reason`` is ``stopping`` or ``damaged``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a reader wants: a chain's events from ``from_seq`` on, by default from its head on. Empty: any.

    A chain that is ``hidden`` from the reader is to him one that is not there, and never will be.
    """

    chain: str
    hidden: bool = False
    from_seq: int | None = None
    event_types: frozenset[str] = frozenset()
    source_ids: frozenset[str] = frozenset()

    @property
    def watched(self) -> str:
        """The chain that is read; none has the empty name."""
        return "" if self.hidden else self.chain

    def has(self, item: Item) -> bool:
        return (not self.event_types or item.event_type in self.event_types) and (
            not self.source_ids or item.source_id in self.source_ids
        )


class StreamReader:
    """One reader, in one event loop; ``next`` is the seq from which on it has not seen the chain.

    ``news`` counts the events it got and the checkpoints that were made since it came.
    """

    def __init__(
        self,
        wanted: Subscription,
        watcher: ChainWatcher,
        listener: Listener,
        sources: Sources,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.next = 0
        self.news = 0
        self._was_live = False
        self._listener = listener
        self._wanted = wanted
        self._watcher = watcher
        self._sources = sources
        self._pool = pool
        self._page: list[Item] = []
        self._told_size: int | None = None
        self._told_checkpoint = 0

    async def start(self, seconds: float) -> None:
        """Find the place to begin at, and read there if that is in the past: what can't be had is told before anything
        was sent.

        Raises:
            StoreUnavailableError, CorruptionError
        """
        deadline = time.monotonic() + seconds
        while not self._watcher.started:
            if self._watcher.failure is not None:
                raise self._watcher.failure
            if self._watcher.stopping:
                raise StoreUnavailableError("the chain can't be followed now")
            if not await self._woken(deadline - time.monotonic()):
                raise StoreUnavailableError("the chain could not be read in time")
        end = self._watcher.view(0, 0).end
        self.next = end if self._wanted.from_seq is None else self._wanted.from_seq
        if self.behind:
            await self._read_page()

    @property
    def behind(self) -> bool:
        """Whether the watcher no longer has what comes next."""
        return not self._page and self._watcher.view(self.next, 0).items is None

    @property
    def fell_behind(self) -> bool:
        """The same, though it had seen all there was before."""
        return self._was_live and self.behind

    async def more(self, seconds: float) -> bytes:
        """The next frames as soon as there are any; nothing after so many seconds.

        Raises:
            EndedError
        """
        deadline = time.monotonic() + seconds
        while True:
            self._listener.wake.clear()
            if chunk := self._take():
                return chunk
            self._check()
            late = time.monotonic() >= deadline
            if self.behind:
                await self._catch_up()
                if late:
                    return self._take()
            elif late:
                return b""
            else:
                await self._woken(deadline - time.monotonic())

    def _take(self) -> bytes:
        """Frames that are here; none, too, if no event that is here is one of those wanted."""
        chunk = bytearray()
        if self._told_size is None:
            chunk += self._head(self._watcher.view(0, 0).end)
        while len(chunk) < CHUNK_BYTES and (items := self._page or self._watcher.view(self.next, _TAKE).items):
            chunk += self._chosen(items)
        view = self._watcher.view(self.next, 0)
        chunk += self._checkpoints(view)
        if self.next == view.end:
            self._was_live = True
            if view.end != self._told_size:
                chunk += self._head(view.end)
        return bytes(chunk)

    def _chosen(self, items: list[Item]) -> bytes:
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
        """That the chain has so many events, of which this reader has seen those before its place."""
        self._told_size = size
        shown = {"chain": self._wanted.chain, "size": size}
        return format_frame(orjson.dumps(shown), event="head", seq=self.next - 1)

    def _checkpoints(self, view: View) -> bytes:
        """Those whose events were seen; at first the newest of them."""
        found = [new for new in view.checkpoints if self._told_checkpoint < new.number and new.size <= self.next]
        if not self._told_checkpoint:
            found = found[-1:]
        elif found:
            self.news += 1
        if found:
            self._told_checkpoint = found[-1].number
        return b"".join(new.frame for new in found)

    def _check(self) -> None:
        if isinstance(self._watcher.failure, CorruptionError):
            raise EndedError("damaged")
        if self._watcher.stopping:
            raise EndedError("stopping")

    async def _catch_up(self) -> None:
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

    async def _woken(self, seconds: float) -> bool:
        """Wait until something happens; whether it did in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._listener.wake.wait()
        except TimeoutError:
            return False
        self._listener.wake.clear()
        return True


class Streams:
    """All readers of a process, and a watcher for each chain that has some."""

    def __init__(self, sources: Sources, hints: OpenChangeHints) -> None:
        self._sources = sources
        self._hints = hints
        self._watchers: dict[str, ChainWatcher] = {}
        self._readers = 0
        self._closed = False
        self._lock = threading.Lock()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_CATCHING_UP, "stream")

    @contextmanager
    def reader(self, wanted: Subscription) -> Iterator[StreamReader]:
        """A reader, to be started.

        Raises:
            StoreUnavailableError: there are too many, or the process ends.
        """
        listener = Listener()
        watcher = self._enter(wanted.watched, listener)
        try:
            yield StreamReader(wanted, watcher, listener, self._sources, self._pool)
        finally:
            self._leave(watcher, listener)

    def close(self) -> None:
        """End all streams, and begin no more."""
        with self._lock:
            self._closed = True
            for watcher in self._watchers.values():
                watcher.stop()

    def _enter(self, chain: str, listener: Listener) -> ChainWatcher:
        with self._lock:
            if self._closed:
                raise StoreUnavailableError("this server is stopping")
            if self._readers >= MAX_READERS:
                raise StoreUnavailableError(f"this server has {MAX_READERS} streams, which is all it takes")
            watcher = self._watchers.get(chain)
            if watcher is None or watcher.stopping or not watcher.is_alive():
                watcher = self._watchers[chain] = ChainWatcher(chain, self._sources, self._hints(chain))
                watcher.start()
            watcher.join_in(listener)
            self._readers += 1
            return watcher

    def _leave(self, watcher: ChainWatcher, listener: Listener) -> None:
        with self._lock:
            self._readers -= 1
            if watcher.leave(listener):
                watcher.stop()
                if self._watchers.get(watcher.chain) is watcher:
                    del self._watchers[watcher.chain]
