"""Audits compared with only reading and decoding the same documents, in one process and with two workers."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from eventlog.audit.auditor import Auditor
from eventlog.audit.workers import Workers, cores
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import connect, open_log
from tools.benchmarks.chain_writers import CHAIN, ORIGIN
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, ratio
from tools.benchmarks.stored import restored

FLOOR = 0.7
TWO_FLOOR = 1.6
GROWTH_CEILING_MB = 50.0


@dataclass(frozen=True, slots=True)
class SeededLog:
    """A seeded chain of ``size`` events."""

    uri: str
    database: str
    size: int

    def read(self) -> float:
        """Read every document in order, decoded to a dict; return events a second."""
        with connect(self.uri) as client:
            events = client[self.database]["events"]
            started = time.monotonic()
            count = sum(1 for _ in events.find({"chain": CHAIN}, sort=[("seq", 1)]))
            assert count == self.size
            return count / (time.monotonic() - started)

    def audit(self, workers: int) -> Callable[[], float]:
        """Return a function that runs a full audit, up to its stored report, and returns events a second."""

        def audit() -> float:
            # A new client each time, as each process of the function has one; the first read of the chain is not
            # measured.
            with connect(self.uri) as client:
                store = open_log(client, self.database, ORIGIN)
                plan = Workers(self.uri, self.database, count=workers, least=0)
                auditor = Auditor(store, AuditStore(store), ORIGIN, workers=plan)
                store.chain(CHAIN)
                started = time.monotonic()
                report = auditor.run(auditor.start(CHAIN, "full"), 3600)
                assert (report.status, report.events_checked) == ("intact", self.size)
                return self.size / (time.monotonic() - started)

        return audit

    def memory(self, workers: int) -> tuple[float, float]:
        """Audit in a fresh process; return its peak megabytes, and those of its largest worker."""
        command = [
            sys.executable,
            "-m",
            "tools.benchmarks.audit",
            self.uri,
            self.database,
            str(self.size),
            str(workers),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        own, children = map(float, done.stdout.split())
        return own, children


def run(run: Run) -> BenchmarkReport:
    """Measure speed and memory of audits."""
    sizes = (5_000, 20_000) if run.quick else (100_000, 1_000_000)
    with ExitStack() as stack:
        small, large = (SeededLog(run.uri, stack.enter_context(restored(run, size)), size) for size in sizes)
        return BenchmarkReport([_speed(large, run.quick), _memory(small, large)])


def _speed(log: SeededLog, quick: bool) -> Table:
    rounds, floor, two_floor = (3, None, None) if quick else (2, FLOOR, TWO_FLOOR)
    names = {"read": "reading and decoding with PyMongo", "one": "audit, one process", "two": "audit, two workers"}
    found = alternately(rounds, {"read": log.read, "one": log.audit(1), "two": log.audit(2)})
    one, two = ratio(found["one"], found["read"]), ratio(found["two"], found["read"])
    cells = {"read": ("", ""), "one": (judged(one, floor=floor), "")}
    cells["two"] = (judged(two, floor=floor), judged(ratio(found["two"], found["one"]), floor=two_floor))
    return Table(
        f"Audit of {log.size:,} events",
        f"Full audits and plain reads of the same documents in turn, {rounds} rounds, {cores()} cores, which MongoDB "
        "shares. Starting the workers counts, which is not worth it for a short chain.",
        ["", "events/s", "to reading", "to one process"],
        [[names[name], f"{median(rates):,.0f}", *cells[name]] for name, rates in found.items()],
    )


def _memory(small: SeededLog, large: SeededLog) -> Table:
    alone = [log.memory(1)[0] for log in (small, large)]
    parents, workers = zip(*[log.memory(2) for log in (small, large)], strict=True)
    measured = {"one process": alone, "two workers: the audit": parents, "two workers: the larger one": workers}
    return Table(
        "Memory of an audit",
        "Peak resident megabytes of fresh processes.",
        ["", f"{small.size:,} events", f"{large.size:,} events", "growth"],
        [
            [name, f"{before:.0f}", f"{after:.0f}", judged(after - before, ceiling=GROWTH_CEILING_MB)]
            for name, (before, after) in measured.items()
        ],
    )


def _measure_memory(log: SeededLog, workers: int) -> None:
    """Audit, and print the peak megabytes of this process and of its largest worker."""
    peaks: dict[int, float] = {}
    done = threading.Event()
    sampling = threading.Thread(target=_sample, args=(peaks, done))
    sampling.start()
    log.audit(workers)()
    done.set()
    sampling.join()
    own = peaks.pop(os.getpid())
    print(own, max(peaks.values(), default=0.0))


def _sample(peaks: dict[int, float], done: threading.Event) -> None:
    """Note the peak resident megabytes of this process and its children. For Linux; getrusage counts the parent in."""
    while not done.wait(0.02):
        children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
        for pid in [os.getpid(), *map(int, children.split())]:
            with suppress(OSError):
                if found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
                    peaks[pid] = max(peaks.get(pid, 0.0), int(found[1]) / 1024)


if __name__ == "__main__":
    _measure_memory(SeededLog(sys.argv[1], sys.argv[2], int(sys.argv[3])), int(sys.argv[4]))
