"""Audits compared with only reading and decoding the same documents, in one process and with two workers."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
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

    def audit(self, workers: int) -> float:
        """Run a full audit, up to its stored report; return events a second."""
        # A new client each time, as each process of the function has one; the first read of the chain is not measured.
        with connect(self.uri) as client:
            store = open_log(client, self.database, ORIGIN)
            plan = Workers(self.uri, self.database, count=workers, least=0)
            auditor = Auditor(store, AuditStore(store), ORIGIN, workers=plan)
            store.chain(CHAIN)
            started = time.monotonic()
            report = auditor.run(auditor.start(CHAIN, "full"), 3600)
            assert (report.status, report.events_checked) == ("intact", self.size)
            return self.size / (time.monotonic() - started)

    def measured(self, workers: int) -> "MeasuredRun":
        """Audit in a fresh process; without workers, only read in one."""
        arguments = [self.uri, self.database, str(self.size), str(workers)]
        command = [sys.executable, "-m", "tools.benchmarks.audit", *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return MeasuredRun(*map(float, done.stdout.split()))


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """Events a second, and the peak resident megabytes of the process and of the largest of its workers."""

    rate: float
    own: float
    worker: float


RUNS = {"read": 0, "one": 1, "two": 2}
"""How many workers."""


def run(run: Run) -> BenchmarkReport:
    """Measure speed and memory of audits."""
    rounds, sizes = (3, (5_000, 20_000)) if run.quick else (2, (100_000, 1_000_000))
    with ExitStack() as stack:
        small, large = (SeededLog(run.uri, stack.enter_context(restored(run, size)), size) for size in sizes)
        few = alternately(1, {name: partial(small.measured, workers) for name, workers in RUNS.items()})
        many = alternately(rounds, {name: partial(large.measured, workers) for name, workers in RUNS.items()})
    return BenchmarkReport([_speed(large.size, run.quick, many), _memory(sizes, few, many)])


def _speed(size: int, quick: bool, measured: Mapping[str, Sequence[MeasuredRun]]) -> Table:
    floor, two_floor = (None, None) if quick else (FLOOR, TWO_FLOOR)
    names = {"read": "reading and decoding with PyMongo", "one": "audit, one process", "two": "audit, two workers"}
    found = {name: [each.rate for each in runs] for name, runs in measured.items()}
    one, two = ratio(found["one"], found["read"]), ratio(found["two"], found["read"])
    cells = {"read": ("", ""), "one": (judged(one, floor=floor), "")}
    cells["two"] = (judged(two, floor=floor), judged(ratio(found["two"], found["one"]), floor=two_floor))
    return Table(
        f"Audit of {size:,} events",
        f"Full audits and plain reads of the same documents in turn, {len(found['read'])} rounds, {cores()} cores, "
        "which MongoDB shares; each in a fresh process. Starting the workers counts, which is not worth it for a short "
        "chain.",
        ["", "events/s", "to reading", "to one process"],
        [[names[name], f"{median(rates):,.0f}", *cells[name]] for name, rates in found.items()],
    )


def _memory(
    sizes: tuple[int, int], few: Mapping[str, Sequence[MeasuredRun]], many: Mapping[str, Sequence[MeasuredRun]]
) -> Table:
    peaks: dict[str, tuple[str, Callable[[MeasuredRun], float]]] = {
        "one process": ("one", lambda run: run.own),
        "two workers: the audit": ("two", lambda run: run.own),
        "two workers: the larger one": ("two", lambda run: run.worker),
    }
    rows = []
    for name, (runs, peak) in peaks.items():
        before, after = (max(map(peak, found[runs])) for found in (few, many))
        rows.append([name, f"{before:.0f}", f"{after:.0f}", judged(after - before, ceiling=GROWTH_CEILING_MB)])
    columns = ["", *(f"{size:,} events" for size in sizes), "growth"]
    return Table("Memory of an audit", "Peak resident megabytes of the same processes.", columns, rows)


def _measure(log: SeededLog, workers: int) -> None:
    """Audit, and print events a second, the peak megabytes of this process, and those of its largest worker."""
    peaks: dict[int, float] = {}
    done = threading.Event()
    sampling = threading.Thread(target=_sample, args=(peaks, done))
    sampling.start()
    rate = log.audit(workers) if workers else log.read()
    done.set()
    sampling.join()
    own = peaks.pop(os.getpid())
    print(rate, own, max(peaks.values(), default=0.0))


def _sample(peaks: dict[int, float], done: threading.Event) -> None:
    """Note the peak resident megabytes of this process and its children. For Linux; getrusage counts the parent in."""
    over = False
    while not over:
        over = done.wait(0.05)  # once more after the end, so that the shortest run has its figure
        children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
        for pid in [os.getpid(), *map(int, children.split())]:
            with suppress(OSError):
                if found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
                    peaks[pid] = max(peaks.get(pid, 0.0), int(found[1]) / 1024)


if __name__ == "__main__":
    _measure(SeededLog(sys.argv[1], sys.argv[2], int(sys.argv[3])), int(sys.argv[4]))
