"""Appends against plain inserts, the naive chain and a transaction: separate processes on one chain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Literal

from tools.benchmarks import witnessed
from tools.benchmarks.chain_writers import SEARCHED, UNSEARCHED, Naive, Ours, Plain, Shape, Transaction, forks, prepare
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, percentile, ratio
from tools.benchmarks.plot import Plot, draw
from tools.benchmarks.writers import Load, Make, Writers, merged


@dataclass(frozen=True, slots=True)
class Group:
    """What several kinds of writers did, in turn, in the same runs."""

    writers: int
    loads: dict[str, list[Load]]

    def ratio(self, name: str = "ours", to: str = "plain") -> float:
        """Return the ratio of events a second to those of another kind, as the median of the rounds."""
        return ratio([load.rate for load in self.loads[name]], [load.rate for load in self.loads[to]])

    def rate(self, name: str) -> float:
        """Return events a second of one kind, as the median of the rounds."""
        return median(load.rate for load in self.loads[name])

    def millis(self, name: str, percent: float) -> float:
        """Return a percentile of one kind's milliseconds, over all rounds."""
        return percentile(merged(self.loads[name]), percent)


def run(run: Run) -> BenchmarkReport:
    """Run the append benchmark; return its tables and plots."""
    # The writers are forked once for all counts: a new process for each run would measure its start.
    prepare(run)
    counts = (1, 8, 32) if run.quick else (1, 8, 32, 64)
    rounds, seconds = (1, 0.8) if run.quick else (3, 0.55)
    writers = Writers(run.uri, max(counts))
    try:
        singles = {count: _singles(writers, count, rounds, seconds) for count in counts}
        shapes = [_shape(writers, shape, rounds, seconds) for shape in _SHAPES if not run.quick or shape.asked]
        asked = witnessed.measure(run, writers, rounds, seconds)
    finally:
        writers.close()
    tables = [_singles_table(singles), _peers_table(run, singles)]
    tables.append(Table("Batches, sizes, chosen ids and search fields", _SHAPES_NOTE, _SHAPES_COLUMNS, shapes))
    tables.append(asked)
    plots: dict[str, Callable[[str], None]] = {
        "append-throughput.svg": lambda path: draw(path, _throughput(singles)),
        "append-p99.svg": lambda path: draw(path, _p99(singles)),
    }
    return BenchmarkReport(tables, plots)


def _singles(writers: Writers, count: int, rounds: int, seconds: float) -> Group:
    shape = Shape()
    makes: dict[str, Make] = {
        "ours": Ours(shape),
        "plain": Plain(shape),
        "naive": Naive(shape),
        "transaction": Transaction(shape),
    }
    runs = {name: partial(writers.run, make, count, seconds) for name, make in makes.items()}
    return Group(count, alternately(rounds, runs))


_FLOORS = {1: 0.5, 8: 0.6, 32: 0.6}


def _singles_table(singles: Mapping[int, Group]) -> Table:
    # Floors hold for the counts they were set for; the other rows are only shown.
    rows = []
    for count, group in singles.items():
        floor = _FLOORS.get(count)
        slower = group.millis("ours", 99) / group.millis("plain", 99)
        rows.append(
            [
                str(count),
                f"{group.rate('ours'):.0f}",
                f"{group.rate('plain'):.0f}",
                judged(group.ratio(), floor=floor),
                f"{group.millis('ours', 50):.1f} / {group.millis('plain', 50):.1f}",
                f"{group.millis('ours', 99):.1f} / {group.millis('plain', 99):.1f}",
                judged(slower, ceiling=3 if count == 32 else None),
            ]
        )
    columns = ["writers", "ours, events/s", "plain, events/s", "ratio", "p50 ms", "p99 ms", "p99 to plain"]
    return Table("Single events on one chain", _SINGLES_NOTE, columns, rows)


def _peers_table(run: Run, singles: Mapping[int, Group]) -> Table:
    # Ratios to plain inserts, and how many events forked: the naive chain is fast because it does.
    rows = []
    for count, group in singles.items():
        to_transaction = group.rate("ours") / group.rate("transaction")
        rows.append(
            [
                str(count),
                f"{group.ratio('naive'):.2f}",
                f"{group.ratio('transaction'):.2f}",
                f"{group.millis('transaction', 99):.0f}",
                judged(to_transaction, floor=6 if count == 32 else None),
            ]
        )
    lost = ", ".join(f"{name} {forks(run, name)}" for name in ("naive", "transaction", "ours"))
    note = f"Events that follow one which another follows too, over all runs: {lost}."
    if 32 in singles and 64 in singles:
        kept = singles[64].rate("ours") / singles[32].rate("ours")
        note += f" Ours with 64 writers to ours with 32: {judged(kept, floor=0.85)}."
    columns = ["writers", "naive to plain", "transaction to plain", "transaction p99 ms", "ours to transaction"]
    return Table("The chains most people write", note, columns, rows)


@dataclass(frozen=True, slots=True)
class ShapeCase:
    """A row of the second table; ``asked`` is the ratio it should have, ``to`` what it is compared with.

    ``to``: plain inserts, our own appends with ids made by the log, or ours without search fields, which have databases
    of their own, as their chains must be of one length. ``slower``: how many times plain inserts' p99 its own may be.
    """

    name: str
    writers: int
    shape: Shape
    asked: float | None = None
    to: Literal["plain", "made", "unsearched"] = "plain"
    slower: float | None = None


_SHAPES = (
    ShapeCase("batches of 500", 1, Shape(batch=500), 0.85),
    ShapeCase("batches of 100", 1, Shape(batch=100)),
    ShapeCase("batches of 100", 4, Shape(batch=100), 0.5),
    ShapeCase("payloads of 16 KiB", 1, Shape(size=16 << 10), 0.65, slower=2),
    ShapeCase("payloads of 16 KiB", 8, Shape(size=16 << 10), 0.6, slower=2),
    ShapeCase("payloads of 200 KiB", 1, Shape(size=200 << 10), 0.65, slower=2),
    ShapeCase("payloads of 200 KiB", 8, Shape(size=200 << 10), 0.6, slower=2),
    ShapeCase("chosen ids, to made ones", 1, Shape(chosen=True), 0.8, to="made"),
    ShapeCase("chosen ids, to made ones", 8, Shape(chosen=True), 0.8, to="made"),
    ShapeCase("chosen ids, to made ones", 32, Shape(chosen=True), 0.8, to="made"),
    ShapeCase("three search fields, to none", 1, Shape(found=True), to="unsearched"),
    ShapeCase("three search fields, to none", 8, Shape(found=True), to="unsearched"),
    ShapeCase("three search fields, to none, batches of 100", 1, Shape(100, found=True), to="unsearched"),
)
_SINGLES_NOTE = (
    "Separate processes, one chain, events as sshd's in size, `w: majority`. Plain: inserts of the same documents with "
    "the same indexes, in no order and with no chain."
)
_SHAPES_NOTE = (
    "As above. The last rows are not to plain inserts but to our own appends: with ids made by the server, and without "
    "search fields, of which each event has three."
)
_SHAPES_COLUMNS = ["what", "writers", "events/s", "compared with", "ratio", "p50 ms", "p99 ms", "p99 to plain"]


def _shape(writers: Writers, case: ShapeCase, rounds: int, seconds: float) -> list[str]:
    # Chosen ids cost a look at whether they exist, and search fields index entries, so these are compared with our own
    # appends without them, not with plain inserts.
    base: Make = Plain(case.shape)
    ours = Ours(case.shape)
    if case.to == "made":
        base = Ours(Shape())
    elif case.to == "unsearched":
        ours, base = Ours(case.shape, SEARCHED), Ours(Shape(case.shape.batch), UNSEARCHED)
    runs = {
        "ours": partial(writers.run, ours, case.writers, seconds),
        "plain": partial(writers.run, base, case.writers, seconds),
    }
    group = Group(case.writers, alternately(rounds, runs))
    return [
        case.name,
        str(case.writers),
        f"{group.rate('ours'):.0f}",
        f"{group.rate('plain'):.0f}",
        judged(group.ratio(), floor=case.asked),
        f"{group.millis('ours', 50):.1f} / {group.millis('plain', 50):.1f}",
        f"{group.millis('ours', 99):.1f} / {group.millis('plain', 99):.1f}",
        judged(group.millis("ours", 99) / group.millis("plain", 99), ceiling=case.slower),
    ]


def _throughput(singles: Mapping[int, Group]) -> Plot:
    names = ("plain", "ours", "naive", "transaction")
    lines = {name: [group.rate(name) for group in singles.values()] for name in names}
    title = "Single events a second on one chain"
    return Plot(title=title, x_label="writers", y_label="events/s", x=list(singles), lines=lines, log_x=True)


def _p99(singles: Mapping[int, Group]) -> Plot:
    names = ("plain", "ours", "naive")
    lines = {name: [group.millis(name, 99) for group in singles.values()] for name in names}
    title = "99th percentile of an append (the transaction's is beyond)"
    return Plot(title=title, x_label="writers", y_label="ms", x=list(singles), lines=lines, log_x=True)
