"""The execution environments of one function: one for each request at the same time, up to a limit."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import Lock
from typing import Protocol

Submit = Callable[[bytes], Future[bytes]]
"""Hands an event, as JSON, to a function; the future is its answer, as JSON."""


class ThrottledError(Exception):
    """Too many requests for the function at once: Lambda's TooManyRequestsException (429)."""


class Environment(Protocol):
    """Runs one invocation at a time (functions.Instance)."""

    def start(self) -> None:
        """Start it."""
        ...

    def is_alive(self) -> bool:
        """Return whether it can take another invocation."""
        ...

    def invoke(self, payload: bytes) -> bytes:
        """Run one invocation; return the answer."""
        ...

    def stop(self) -> None:
        """Stop it, also in the middle of an invocation."""
        ...


class Pool:
    """Starts an environment if none is idle (a cold start), reuses the one used last, and replaces one that is gone.

    While ``size`` requests are running, ``queue`` more may wait; the next one is refused.
    """

    def __init__(self, make: Callable[[int], Environment], size: int, queue: int) -> None:
        self._make = make
        self._limit = size + queue
        self._accepted = 0
        self._numbers = count(1)
        self._idle: list[Environment] = []
        self._all: set[Environment] = set()
        self._closed = False
        self._lock = Lock()
        # As many threads as environments: the executor's own queue is the queue, and a thread outlives what it started.
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="invoke")

    def submit(self, payload: bytes) -> Future[bytes]:
        """Start an invocation; return its answer as a future, which may raise FunctionError or LocalError.

        Raises:
            ThrottledError: too many requests are running and waiting, or the pool is closed.
        """
        with self._lock:
            if self._accepted >= self._limit or self._closed:
                raise ThrottledError
            self._accepted += 1
        future = self._threads.submit(self._run, payload)
        future.add_done_callback(self._answered)
        return future

    def close(self) -> None:
        """Stop all environments; invocations that are running fail."""
        with self._lock:
            self._closed = True
            running = list(self._all)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for environment in running:
            environment.stop()
        self._threads.shutdown()

    def _run(self, payload: bytes) -> bytes:
        environment = self._take()
        try:
            return environment.invoke(payload)
        finally:
            self._give_back(environment)

    def _take(self) -> Environment:
        # Under the lock, an idle one that still lives, or a new one. It is started without the lock, as that takes
        # seconds, and counted before, so that ``close`` can stop it.
        with self._lock:
            if self._closed:
                raise ThrottledError
            while self._idle:
                if (environment := self._idle.pop()).is_alive():
                    return environment
                self._all.discard(environment)
            environment = self._make(next(self._numbers))
            self._all.add(environment)
        try:
            environment.start()
        except BaseException:
            self._give_back(environment)
            raise
        return environment

    def _give_back(self, environment: Environment) -> None:
        alive = environment.is_alive()
        with self._lock:
            if alive:
                self._idle.append(environment)
            else:
                self._all.discard(environment)

    def _answered(self, _: Future[bytes]) -> None:
        with self._lock:
            self._accepted -= 1
