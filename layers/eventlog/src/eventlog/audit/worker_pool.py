"""Runs the worker processes of an audit (``workers.py``).

They talk by pipes alone, as AWS Lambda has no shared memory; a worker ends when its pipe does.
"""

import os
import subprocess
import sys
import time
from collections import deque
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from eventlog.audit.segment_worker import decode_answer, encode_task
from eventlog.verify.fast_path import Segment

_PROGRAM = "eventlog.wiring.segment_worker"
"""What a worker runs: it opens a connection of its own, so it stands with what opens connections."""

_AHEAD = 2
_ANSWER_SECONDS = 5.0


class RunningWorkers:
    """``WorkerPool``. Each worker has up to ``_AHEAD`` segments to do; answers wait until they are asked for."""

    def __init__(self, end: int, step: int) -> None:
        self._end = end
        self._step = step
        self._next = 0
        self._workers: dict[Connection, _Worker] = {}
        self._answers: dict[int, Segment | None] = {}

    def add(self, work: bytes) -> None:
        """Start a worker; it gets work once it is connected."""
        worker = _Worker(work)
        self._workers[worker.pipe] = worker

    def segment(self, start: int) -> Segment | None:
        """See ``WorkerPool.segment``.

        Workers get segments that start at a multiple of the step and end at the next, or at the end of all.
        """
        # Answers that are there are taken in; those to segments that the audit has passed are of no use.
        self._receive(0)
        self._answers = {at: answer for at, answer in self._answers.items() if at >= start}
        if start % self._step == 0:
            self._order(start)
        # If a worker is at work on it, it gets a moment to answer; then it is given up, and the audit verifies it.
        until = time.monotonic() + _ANSWER_SECONDS
        while worker := next((worker for worker in self._workers.values() if start in worker.tasks), None):
            if not self._receive(until - time.monotonic()):
                self._give_up(worker)
            self._order(start)
        return self._answers.pop(start, None)

    def close(self) -> None:
        """End every worker at once."""
        for worker in list(self._workers.values()):
            self._give_up(worker)

    def _order(self, start: int) -> None:
        """Hand out the next segments from ``start`` on, in the order in which they are needed."""
        self._next = max(self._next, start)
        for waiting in range(_AHEAD):
            for worker in list(self._workers.values()):
                if worker.ready and len(worker.tasks) == waiting and self._next < self._end:
                    stop = min(self._next + self._step, self._end)
                    if worker.order(self._next, stop):
                        self._next = stop
                    else:
                        self._give_up(worker)

    def _receive(self, seconds: float) -> bool:
        """Take the answers that are there; return whether any worker answered, or ended, in time."""
        found = wait(list(self._workers), max(0.0, seconds))
        for pipe in found:
            worker = self._workers[pipe]  # type: ignore[index]
            try:
                self._answers.update(worker.answer())
            except (EOFError, OSError):
                self._give_up(worker)
        return bool(found)

    def _give_up(self, worker: "_Worker") -> None:
        del self._workers[worker.pipe]
        worker.end()


class _Worker:
    """One worker process: our end of its pipe and the segments it has to do, in this order."""

    def __init__(self, work: bytes) -> None:
        self.pipe, theirs = Pipe()
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        with theirs:
            # In a session of its own a Ctrl-C for the audit does not end the worker first. ``-P``: nothing is imported
            # from the current directory.
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, "-P", "-m", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.ready = False
        self.tasks: deque[int] = deque()
        self._send(work)

    def order(self, start: int, stop: int) -> bool:
        """Hand over a segment; return whether the worker is still there to take it."""
        self.tasks.append(start)
        return self._send(encode_task(start, stop))

    def answer(self) -> dict[int, Segment | None]:
        """Read the next answer, by its segment's start; the first message only says that the worker is ready.

        Raises:
            EOFError: the worker has ended.
            OSError: the pipe to it is broken.
        """
        answer = self.pipe.recv_bytes()
        if not self.ready:
            self.ready = True
            return {}
        return {self.tasks.popleft(): decode_answer(answer)}

    def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.wait()

    def _send(self, message: bytes) -> bool:
        try:
            self.pipe.send_bytes(message)
        except OSError:
            return False
        return True
