"""Writers as separate processes, like Lambda's: each has its own client and shares nothing with the others."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random

Operation = Callable[[], int]
"""Runs one operation; returns how many events it stored."""
Make = Callable[[str, Random], Operation]
"""Makes a writer's operation from a MongoDB URI."""

_LEAD_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Load:
    """What a group of writers did: events a second, and each operation's milliseconds."""

    rate: float
    millis: list[float]


class Writers:
    """Up to ``count`` processes, started once and used for many runs. Start them before any MongoClient is made."""

    def __init__(self, uri: str, count: int) -> None:
        context = multiprocessing.get_context("fork")
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, uri, number), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, make: Make, count: int, seconds: float) -> Load:
        """Let ``count`` writers work at the same time for so many seconds; return the rate and the latencies."""
        # Two steps: all writers get ready, which may take different times, then all start at one moment. The rate
        # counts from that moment to the end of the slowest writer.
        for pipe in self._pipes[:count]:
            pipe.send((make, seconds))
        ready = [pipe.recv() for pipe in self._pipes[:count]]
        if failed := [answer for answer in ready if answer != "ready"]:
            raise RuntimeError(f"a writer failed: {failed[0]}")
        at = time.monotonic() + _LEAD_SECONDS
        for pipe in self._pipes[:count]:
            pipe.send(at)
        found: list[tuple[int, list[float], float] | str] = [pipe.recv() for pipe in self._pipes[:count]]
        results = [result for result in found if not isinstance(result, str)]
        if len(results) < count:
            raise RuntimeError(f"a writer failed: {next(result for result in found if isinstance(result, str))}")
        events = sum(result[0] for result in results)
        return Load(events / (max(result[2] for result in results) - at), [m for r in results for m in r[1]])

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()


def _serve(pipe: Connection, uri: str, number: int) -> None:
    rng = Random(number)
    operations: dict[Make, Operation] = {}
    while (order := pipe.recv()) is not None:
        make, seconds = order
        try:
            if make not in operations:
                operations[make] = make(uri, rng)
                operations[make]()
            operation = operations[make]
            pipe.send("ready")
            pipe.send(_work(operation, pipe.recv(), seconds))
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}"[:300])


def _work(operation: Operation, at: float, seconds: float) -> tuple[int, list[float], float]:
    time.sleep(max(0.0, at - time.monotonic()))
    events, millis, now = 0, [], time.monotonic()
    while now < at + seconds:
        events += operation()
        ended = time.monotonic()
        millis.append((ended - now) * 1000)
        now = ended
    return events, millis, now


def merged(loads: Sequence[Load]) -> list[float]:
    """Return the milliseconds of all operations of several runs."""
    return [value for load in loads for value in load.millis]
