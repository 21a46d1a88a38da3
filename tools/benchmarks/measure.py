"""What all benchmarks share: alternate runs, medians, percentiles, and tables of results."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from pymongo import MongoClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report; ``rows`` are Markdown cells, ``note`` says how it was measured."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """The result of one benchmark: its tables, and a function for each plot that writes the file of that name."""

    tables: Sequence[Table]
    plots: Mapping[str, Callable[[str], None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks: the URI of a real MongoDB, a folder for files, and whether it is the short one."""

    uri: str
    folder: Path
    quick: bool = False

    def client(self) -> "MongoClient[dict[str, object]]":
        """Open a new client, which the caller closes."""
        return MongoClient(self.uri, retryWrites=False)


def alternately(rounds: int, runs: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Run A B A B and so on, so that what slows the machine for a while slows all of them; return all results."""
    found: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def ratio(ours: Sequence[float], plain: Sequence[float]) -> float:
    """Return the median of the rounds' ratios of ours to plain."""
    return median(a / b for a, b in zip(ours, plain, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def processor_seconds(pid: int) -> float:
    """Return what a living process has used of processors so far. For Linux (proc(5), ``/proc/pid/stat``)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def judged(value: float, *, floor: float | None = None, ceiling: float | None = None) -> str:
    """Return a ratio as a cell, with its limit: ``0.71 (>= 0.6)``, or in bold if it misses the limit."""
    if floor is None and ceiling is None:
        return f"{value:.2f}"
    met = (floor is None or value >= floor) and (ceiling is None or value <= ceiling)
    asked = f">= {floor:g}" if floor is not None else f"<= {ceiling:g}"
    return f"{value:.2f} ({asked})" if met else f"**{value:.2f}, missed ({asked})**"
