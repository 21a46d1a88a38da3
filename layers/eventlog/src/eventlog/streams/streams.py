"""All live streams of a process: who reads which chain, and the watchers that feed them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface.changes import OpenChangeHints
from eventlog.streams.readers import StreamReader, Subscription
from eventlog.streams.watcher import ChainWatcher, Listener, Sources

MAX_READERS = 1000
_CATCHING_UP = 4
"""How many readers at a time may read pages themselves."""


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
        """Open a reader, which has to be started.

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
        """Count a reader in, and start a watcher if the chain has none that is alive."""
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
        """Count a reader out, and stop the watcher if it was the last; the chain may have a new watcher by then."""
        with self._lock:
            self._readers -= 1
            if watcher.leave(listener):
                watcher.stop()
                if self._watchers.get(watcher.chain) is watcher:
                    del self._watchers[watcher.chain]
