"""Waking readers: coroutines of any number of event loops, from any thread."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress


class Listener:
    """A coroutine that waits; ``wake`` is set in its own event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.wake = asyncio.Event()


class Listeners:
    """Those that are woken whenever something happens."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> None:
        """Wake a listener from now on."""
        with self._lock:
            self._listeners.add(listener)

    def remove(self, listener: Listener) -> bool:
        """Stop waking a listener; return whether none is left."""
        with self._lock:
            self._listeners.discard(listener)
            return not self._listeners

    def wake(self) -> None:
        """Wake them all, those of an event loop with one call."""
        loops: dict[asyncio.AbstractEventLoop, list[Listener]] = {}
        with self._lock:
            for listener in self._listeners:
                loops.setdefault(listener.loop, []).append(listener)
        for loop, listeners in loops.items():
            with suppress(RuntimeError):  # the loop is closed, and its readers are gone
                loop.call_soon_threadsafe(_wake, listeners)


def _wake(listeners: Iterable[Listener]) -> None:
    for listener in listeners:
        listener.wake.set()
