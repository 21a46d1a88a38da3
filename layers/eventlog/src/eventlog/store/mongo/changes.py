"""Hints that a chain has grown: by a change stream, or where there is none, by the clock."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pymongo.change_stream import CollectionChangeStream
from pymongo.errors import PyMongoError

from eventlog.store.mongo.store import MongoStore, operations_of

POLL_SECONDS = 0.1
"""How long to wait while there is no change stream. It grows where nothing happens: a client may stream many chains,
also ones that do not exist."""

_LONGEST_POLL = 1.0
_REOPEN_SECONDS = 5.0
_FIELDS = {"updateDescription.updatedFields.size": 1, "fullDocument.size": 1}

_Stream = CollectionChangeStream[dict[str, Any]]


class ChangeStreams:
    """Opens the change hints of a process, of which at most ``watching`` have a change stream: each takes a connection.

    ``log`` gives the log anew for each use, as a process may connect again.
    """

    def __init__(self, log: Callable[[], MongoStore], watching: int) -> None:
        self._log = log
        self._slots = threading.BoundedSemaphore(watching)

    def hints(self, chain: str) -> "Changes":
        """Open the hints about a chain; see ``OpenChangeHints``."""
        return Changes(self._log, chain, self._slots)


class Changes:
    """``ChangeHints`` by one change stream on ``sequences``.

    It takes one of ``slots`` for its change stream. Without one, and while the server gives no change stream (its user
    may not watch, an election), it polls.
    """

    def __init__(self, log: Callable[[], MongoStore], chain: str, slots: threading.Semaphore) -> None:
        self._log = log
        self._chain = chain
        self._slots = slots
        self._stream: _Stream | None = None
        self._reopen_at = 0.0
        self._polled = -1
        self._pause = POLL_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    @property
    def watching(self) -> bool:
        """Whether there is a change stream."""
        return self._stream is not None

    def wait(self, size: int, seconds: float) -> None:
        """See ``ChangeHints.wait``; without a change stream it sleeps, longer each time the size stays the same."""
        deadline = time.monotonic() + seconds
        if self._stream is None and time.monotonic() >= self._reopen_at:
            self._open()
            return  # what came while there was no change stream has to be looked for
        if self._stream is None:
            self._pause = min(1.5 * self._pause, _LONGEST_POLL) if size == self._polled else POLL_SECONDS
            self._polled = size
            time.sleep(min(self._pause, seconds))
            return
        try:
            while time.monotonic() < deadline and self._stream.alive:
                change = self._stream.try_next()
                if change is None or _size(change, size) > size:
                    return
        except PyMongoError:
            self._close()
        else:
            if not self._stream.alive:  # the collection was dropped or renamed
                self._close()

    def _open(self) -> None:
        self._reopen_at = time.monotonic() + _REOPEN_SECONDS
        if not self._slots.acquire(blocking=False):
            return
        pipeline: list[dict[str, Any]] = [{"$match": {"documentKey._id": self._chain}}, {"$project": _FIELDS}]
        try:
            self._stream = operations_of(self._log()).sequences.watch(pipeline, max_await_time_ms=1000)
        except PyMongoError:
            self._slots.release()

    def _close(self) -> None:
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        self._slots.release()
        try:
            stream.close()
        except PyMongoError:
            return  # the server forgets it by itself


def _size(change: dict[str, Any], known: int) -> int:
    """Read the size that a change tells: the known one if it changed nothing of it, one more if it can't be told.

    An append sets ``size``. Settling changes a sequence document, too, but not that.
    """
    if "updateDescription" in change:
        return int(change["updateDescription"].get("updatedFields", {}).get("size", known))
    return int(change.get("fullDocument", {}).get("size", known + 1))
