"""All live streams of a process: who reads which chain, and the watchers that feed them."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

from eventlog.principals import counted_as
from eventlog.store.errors import LimitError, StoreUnavailableError
from eventlog.store.interface.changes import OpenChangeHints
from eventlog.streams.listeners import Listener
from eventlog.streams.readers import StreamReader
from eventlog.streams.subscription import Subscription
from eventlog.streams.watcher import ChainWatcher, Sources

MAX_READERS = 1000
_WAIT = 20
"""Seconds until a caller with too many streams should try again."""
_CATCHING_UP = 4
"""How many readers at a time may read pages themselves."""


class Streams:
    """All readers of a process, and a watcher for each chain that has some.

    ``per_caller``: how many readers one caller may have open; 0: any number.
    """

    def __init__(self, sources: Sources, hints: OpenChangeHints, per_caller: int = 0) -> None:
        self._sources = sources
        self._hints = hints
        self._per_caller = per_caller
        self._watchers: dict[str, ChainWatcher] = {}
        self._readers = 0
        self._by_caller: Counter[str] = Counter()
        self._closed = False
        self._lock = threading.Lock()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_CATCHING_UP, "stream")

    @contextmanager
    def reader(self, wanted: Subscription, principal: str = "") -> Iterator[StreamReader]:
        """Open a reader for a caller; it has to be started.

        Raises:
            LimitError: the caller has as many as one caller may have.
            StoreUnavailableError: there are too many in all, or the process ends.
        """
        listener, caller = Listener(), counted_as(principal)
        watcher = self._enter(wanted.watched, listener, caller)
        try:
            yield StreamReader(wanted, watcher, listener, self._sources, self._pool)
        finally:
            self._leave(watcher, listener, caller)

    def close(self) -> None:
        """End all streams, and begin no more."""
        with self._lock:
            self._closed = True
            for watcher in self._watchers.values():
                watcher.stop()

    def _enter(self, chain: str, listener: Listener, caller: str) -> ChainWatcher:
        """Count a reader in, and start a watcher if the chain has none that is alive."""
        # A refusal comes before anything is counted, and the caller's own limit before the server's, as that the caller
        # can do something about. A watcher that has ended, or is about to, is replaced: nobody would wake who joins it.
        with self._lock:
            if self._closed:
                raise StoreUnavailableError("this server is stopping")
            if 0 < self._per_caller <= self._by_caller[caller]:
                has = f"{caller} has {self._per_caller} live streams open"
                raise LimitError(f"{has}, which is all that one caller may (EVENTLOG_STREAMS_PER_CALLER).", _WAIT)
            if self._readers >= MAX_READERS:
                raise StoreUnavailableError(f"this server has {MAX_READERS} streams, which is all it takes")
            watcher = self._watchers.get(chain)
            if watcher is None or watcher.stopping or not watcher.is_alive():
                watcher = self._watchers[chain] = ChainWatcher(chain, self._sources, self._hints(chain))
                watcher.start()
            watcher.listeners.add(listener)
            self._readers += 1
            self._by_caller[caller] += 1
            return watcher

    def _leave(self, watcher: ChainWatcher, listener: Listener, caller: str) -> None:
        """Count a reader out, and stop the watcher if it was the last; the chain may have a new watcher by then."""
        with self._lock:
            self._readers -= 1
            self._by_caller[caller] -= 1
            if not self._by_caller[caller]:
                del self._by_caller[caller]
            if watcher.listeners.remove(listener):
                watcher.stop()
                if self._watchers.get(watcher.chain) is watcher:
                    del self._watchers[watcher.chain]
