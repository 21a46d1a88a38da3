"""What every benchmark shares: alternate runs, medians, percentiles, and the tables that come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from pymongo import MongoClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report; ``rows`` are Markdown cells, ``note`` says in words how it was measured."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """What one benchmark found: its tables, and how to draw its plots (file name -> a function that writes it)."""

    tables: Sequence[Table]
    plots: Mapping[str, Callable[[str], None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks: the URI of a real MongoDB, and whether it is the short one."""

    uri: str
    quick: bool = False

    def client(self) -> "MongoClient[dict[str, object]]":
        """A client of its own; the caller closes it."""
        return MongoClient(self.uri, retryWrites=False)


def alternately(rounds: int, runs: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Run A B A B ...: what slows the machine for a while slows all of them."""
    found: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def ratio(ours: Sequence[float], plain: Sequence[float]) -> float:
    """The median over the rounds of ours / plain of the same round."""
    return median(a / b for a, b in zip(ours, plain, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def judged(value: float, *, floor: float | None = None, ceiling: float | None = None) -> str:
    """A ratio as a cell, with what is asked of it: ``0.71 (>= 0.6)``; one that misses it is said to."""
    if floor is None and ceiling is None:
        return f"{value:.2f}"
    met = (floor is None or value >= floor) and (ceiling is None or value <= ceiling)
    asked = f">= {floor:g}" if floor is not None else f"<= {ceiling:g}"
    return f"{value:.2f} ({asked})" if met else f"**{value:.2f}, missed ({asked})**"
