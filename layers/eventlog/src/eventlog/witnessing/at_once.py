"""Runs tasks in a few threads for a limited time; what has not ended then is left behind, and holds nobody up."""

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

THREADS = 8
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def run_at_once(
    tasks: Sequence[_Task], work: Callable[[_Task], _Result], seconds: float
) -> tuple[list[tuple[_Task, _Result]], list[_Task]]:
    """Run the tasks in their order, ``THREADS`` at a time; return those that ended in time, and those that only began.

    ``work`` must not raise. Threads of tasks that only began go on until these end, and nobody hears of it.
    """
    # Threads of a pool would be waited for when the process ends; these are not.
    waiting: SimpleQueue[_Task] = SimpleQueue()
    begun: SimpleQueue[_Task] = SimpleQueue()
    ended: SimpleQueue[tuple[_Task, _Result]] = SimpleQueue()
    over = threading.Event()
    for task in tasks:
        waiting.put(task)

    def go_on() -> None:
        while not over.is_set():
            try:
                task = waiting.get_nowait()
            except Empty:
                return
            begun.put(task)
            ended.put((task, work(task)))

    for _ in range(min(THREADS, len(tasks))):
        threading.Thread(target=go_on, name="ask a witness", daemon=True).start()
    found: list[tuple[_Task, _Result]] = []
    deadline = time.monotonic() + seconds
    while len(found) < len(tasks):
        try:
            found.append(ended.get(timeout=max(0.0, deadline - time.monotonic())))
        except Empty:
            break
    over.set()
    left = [begun.get_nowait() for _ in range(begun.qsize())]
    done = {id(task) for task, _ in found}
    return found, [task for task in left if id(task) not in done]
