"""A program that appends to one chain, the handle to run it as a process of its own, and the check of what it did.

It says `{"ready": true}`, waits until it is told to go and appends until its handle closes the line to it. Each receipt
is a JSON line in its output, written out before the next append. With ``die_at`` `push:after:2` it kills itself after
its second push. The processes are forked from a server that has imported all of this once: it takes half a second.
"""

import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.store.errors import ChainLostError, StoreError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed
from eventlog.store.mongo import settle
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, connect, operations_of
from eventlog.stored.bodies import APART_FROM
from local.machine import wait_until
from tests.support.factories import draft

ORIGIN = "example.com/log"
CHAIN = "main"
STEPS = {"read_sequence", "read_events", "read_pending", "has_events", "ensure_indexes", "create", "push"}
STEPS |= {"any_settled", "insert", "insert_bodies", "read_hashes", "read_raw", "trim", "trim_all"}
_RETRY_SECONDS = 40
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])

Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``chosen``: ids are the client's, and an append is retried until it is acknowledged. ``count``: 0 is no end.

    ``pause``: seconds between two appends, where a test waits for other things and should leave others the processor.
    """

    chosen: bool = False
    count: int = 0
    batch: int = 1
    shared: str = ""
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process appends and what it writes to; ``die_at``: where it kills itself, empty for nowhere."""

    uri: str
    database: str
    name: str
    die_at: str
    output: Path
    errors: Path


class Dying(Operations):
    """Operations that kill their own process at one step, ``step:before|after:n``."""

    _left = 0

    def die_at(self, where: str) -> None:
        self._step, self._moment, left = where.split(":")
        self._left = int(left)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in STEPS or not self._left or name != self._step:
            return found

        def step(*args: Any) -> Any:
            self._left -= 1
            if not self._left and self._moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = found(*args)
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step


def named(event_id: str) -> Draft:
    """The draft that always belongs to a chosen id; every other one's payload is stored apart from its event."""
    large = {"more": "x" * APART_FROM} if sum(event_id.encode()) % 2 else {}
    return draft(event_id, payload={"id": event_id} | large)


class Program:
    """What runs in the process."""

    def __init__(self, store: MongoStore, name: str, options: Options, line: Connection) -> None:
        self._store = store
        self._name = name
        self._options = options
        self._line = line
        self._stopped = threading.Event()

    def run(self) -> None:
        say({"ready": True})
        self._line.recv()
        threading.Thread(target=self._wait_for_the_end, daemon=True).start()
        if self._options.shared:
            self._append([named(self._options.shared)], until_acknowledged=True)
        number = 0
        while not self._stopped.is_set() and (not self._options.count or number < self._options.count):
            ids = [f"{self._name}-{number}-{i}" for i in range(self._options.batch)]
            if self._options.chosen:
                say({"trying": ids})
                self._append([named(event_id) for event_id in ids], until_acknowledged=True)
            else:
                self._append([draft() for _ in ids], until_acknowledged=False)
            number += 1
            self._stopped.wait(self._options.pause)

    def _wait_for_the_end(self) -> None:
        with suppress(EOFError):
            self._line.recv()
        self._stopped.set()

    def _append(self, drafts: list[Draft], until_acknowledged: bool) -> None:
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                placed = self._store.append(CHAIN, drafts)
            except ChainLostError as error:
                say({"failed": repr(error)})
            except StoreUnavailableError as error:
                say({"unavailable": repr(error)})
            except StoreError as error:
                say({"failed": repr(error)})
            else:
                say({"receipts": [receipt(p) for p in placed]})
                return
            if not until_acknowledged or time.monotonic() > deadline:
                return


def say(line: Line) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def receipt(placed: Placed) -> Line:
    event = placed.event
    return {"id": event.entry.event_id, "seq": event.seq, "hash": event.hash.hex(), "prev": event.prev_hash.hex()}


class Writer:
    """The program as a process; its output is in files, so that nothing it wrote is lost with it."""

    def __init__(self, uri: str, database: str, name: str, folder: Path, die_at: str = "", **options: Any) -> None:
        self.name = name
        self._output = folder / f"{name}.out"
        self._errors = folder / f"{name}.err"
        self._output.touch()
        self._line, line = _PROCESSES.Pipe()
        place = Place(uri, database, name, die_at, self._output, self._errors)
        self.process = _PROCESSES.Process(target=main, args=(place, Options(**options), line))
        self.process.start()
        line.close()  # or the process would never see that this end is closed

    def lines(self) -> list[Line]:
        """What it said so far; a line that its death cut short was not said."""
        return [json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def receipts(self) -> list[Line]:
        return [found for line in self.lines() for found in line.get("receipts", [])]

    def failures(self) -> list[Any]:
        """Errors other than "unavailable", and what it logged as an error."""
        logged = [line for line in self._errors.read_text().splitlines() if not line.startswith("WARNING")]
        return [line["failed"] for line in self.lines() if "failed" in line] + logged

    def tried(self) -> list[list[str]]:
        return [line["trying"] for line in self.lines() if "trying" in line]

    def wait_until_ready(self) -> None:
        wait_until(f"{self.name} to be ready", lambda: bool(self.lines()) or not self.process.is_alive())

    def go(self) -> None:
        self.wait_until_ready()
        self._line.send("go")

    def wait_for(self, more: int) -> None:
        """Returns when it got that many more receipts."""
        enough = len(self.receipts()) + more
        wait_until(f"{self.name} to append", lambda: len(self.receipts()) >= enough)

    def finish(self) -> None:
        """Returns when it made all its appends."""
        self._join()
        self.stop()

    def stop(self) -> None:
        """Lets it finish its append."""
        self._line.close()
        self._join()

    def wait_for_death(self) -> None:
        """Returns when it has killed itself."""
        self._join()
        assert self.process.exitcode == -signal.SIGKILL, self.failures()
        self._line.close()

    def kill(self) -> None:
        self.process.kill()
        self._join()
        self._line.close()

    def _join(self) -> None:
        self.process.join(_RETRY_SECONDS)
        assert not self.process.is_alive(), f"{self.name} goes on"


def audit(store: MongoStore) -> AuditReport:
    """A full audit's report."""
    auditor = Auditor(store, AuditStore(store), ORIGIN)
    report = auditor.run(auditor.start(CHAIN, "full"), 60)
    assert report.status != "running"
    return report


def check_chain(store: MongoStore, receipts: Iterable[Line]) -> int:
    """Check that the chain is intact and settled, and holds each acknowledged event once; return its size.

    Every event has its receipt's seq and hashes; seqs are contiguous and no id stands twice.
    """
    report = audit(store)
    assert (report.status, report.findings) == ("intact", ())
    operations = operations_of(store)
    sequence = operations.sequences.find_one({"_id": CHAIN})
    assert sequence is not None
    assert sequence["pending"] == []
    assert sequence["size"] == sequence["settled"]["size"] == report.to_seq
    fields = {"event_id": 1, "seq": 1, "hash": 1, "prev_hash": 1}
    stored = [
        {"id": e["event_id"], "seq": e["seq"], "hash": e["hash"].hex(), "prev": e["prev_hash"].hex()}
        for e in operations.events.find({"chain": CHAIN}, fields, sort=[("seq", 1)])
    ]
    assert [e["seq"] for e in stored] == list(range(sequence["size"]))
    by_id = {e["id"]: e for e in stored}
    assert len(by_id) == len(stored)
    untrue = [(given, by_id.get(given["id"])) for given in receipts if by_id.get(given["id"]) != given]
    assert not untrue
    return len(stored)


def main(place: Place, options: Options, line: Connection) -> None:
    """What the process does. Its output goes to two files, so that its death loses nothing of it."""
    with place.output.open("w") as sys.stdout, place.errors.open("w") as sys.stderr, connect(place.uri) as client:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
        operations = Dying(client, place.database)
        if place.die_at:
            operations.die_at(place.die_at)
        settle.BLOCK, settle.OVERDUE = 4, 16  # every path of settling in a short run
        Program(MongoStore(operations, ORIGIN), place.name, options, line).run()
