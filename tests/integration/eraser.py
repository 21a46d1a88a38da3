"""The erase function's own code in a process, which is killed where it waits: before the n-th of its steps.

A step is whatever changes something that outlives the process: a command that writes to MongoDB, a file that gets its
name beside the anchors, a signature. They are seen below all of our code, in the driver and in the file system, so that
a step that somebody adds is one more to be killed at. The processes are forked from a server that has imported this.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

from pymongo import monitoring

from eventlog.anchors.signing import KeyFile
from eventlog.governance import erasing
from functions.erase.app import handler
from tests.infrastructure.invoke import Context
from tests.integration import writer

WRITES = {"insert", "update", "delete", "findAndModify", "create", "createIndexes"}
_SECONDS = 60
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([writer.__name__, __name__])

Json = dict[str, Any]


class Steps(monitoring.CommandListener):
    """Waits for ever before the ``stop``-th step, counted from 1, once it said which that is; at 0 it only counts."""

    def __init__(self, stop: int, line: Connection) -> None:
        self.stop, self.line, self.taken = stop, line, list[str]()
        self.lock = threading.Lock()

    def before(self, step: str) -> None:
        with self.lock:  # all others wait here, too
            self.taken.append(step)
            if len(self.taken) == self.stop:
                self.line.send({"waits": step})
                self.line.recv()  # nothing comes
                os._exit(1)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in WRITES:
            self.before(f"{event.command_name} {event.command[event.command_name]}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""

    def watch(self) -> None:
        """Have the driver, the file system and the keys tell of their steps."""
        monitoring.register(self)
        link, sign = os.link, KeyFile.sign

        def named(source: str, target: Any) -> None:
            self.before(f"file {str(target).rpartition('.')[2]}")
            link(source, target)

        def signed(key: KeyFile, message: bytes) -> bytes:
            self.before("sign")
            return sign(key, message)

        os.link, KeyFile.sign = named, signed  # type: ignore[assignment, method-assign]


def main(environment: Mapping[str, str], event: Json, stop: int, line: Connection) -> None:
    """What the process does: it answers one event, as an invocation would."""
    os.environ.update(environment)
    patch.object(erasing, "minute_of", lambda _: -1).start()  # the one in which older orders are looked at again
    steps = Steps(stop, line)
    steps.watch()
    try:
        line.send({"answer": handler(event, Context(1)), "steps": steps.taken})
    except EOFError:
        os._exit(1)


@dataclass(frozen=True, slots=True)
class Eraser:
    """Starts the function for one event, in a process of its own each time."""

    environment: Mapping[str, str]

    def run(self, event: Json, **settings: str) -> tuple[Json, list[str]]:
        """Its answer, and the steps that it took."""
        found = self._start(event, 0, settings)
        assert "answer" in found, found
        return found["answer"], found["steps"]

    def kill_at(self, stop: int, event: Json, **settings: str) -> str | None:
        """Kill it before a step; which one that was, None if it came to its end before that."""
        return self._start(event, stop, settings).get("waits")

    def _start(self, event: Json, stop: int, settings: Mapping[str, str]) -> Json:
        here, line = _PROCESSES.Pipe()
        process = _PROCESSES.Process(target=main, args=({**self.environment, **settings}, event, stop, line))
        process.start()
        line.close()
        try:
            assert here.poll(_SECONDS), "it says nothing"
            found: Json = here.recv()
        finally:
            if process.is_alive():
                os.kill(process.pid or 0, signal.SIGKILL)
            process.join(_SECONDS)
            here.close()
        return found
