"""The cost of an append, a page and an audit as the log grows, compared with plain operations on as many events."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from statistics import median
from typing import Any, get_args

from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

from eventlog.audit.auditor import Auditor
from eventlog.formats.name_filter import NameFilter
from eventlog.store.interface import Order, Position, Query
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import connect, open_log
from eventlog.stored.codec import CODEC
from tools.benchmarks import data, proofs
from tools.benchmarks.chain_writers import CHAIN, ORIGIN, Ours, Plain, Shape
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, percentile, ratio
from tools.benchmarks.plans import Explainer
from tools.benchmarks.plot import Plot, draw
from tools.benchmarks.query import LIMIT, bare, millis
from tools.benchmarks.storage import storage
from tools.benchmarks.stored import restored, stored
from tools.benchmarks.writers import Operation

_TYPES: tuple[tuple[str, ...], ...] = (
    (),
    ("sshd.auth_failure",),
    ("sshd.auth_failure", "sshd.disconnect", "sshd.failed_password"),
)
_FLOOR = 0.9
LONG = 1_000_000
"""Events of a log that is not audited here once more."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One operation at one size: the milliseconds of each of ours and of each plain one."""

    ours: Sequence[float]
    plain: Sequence[float]

    @property
    def p50(self) -> float:
        """The median of ours."""
        return percentile(self.ours, 50)

    @property
    def plain_p50(self) -> float:
        """The median of the plain ones."""
        return percentile(self.plain, 50)

    def cells(self, scale: float = 1, digits: int = 2) -> list[str]:
        """Return three cells: the p50 of ours, that of the plain ones, and their ratio."""
        ours, plain = self.p50 * scale, self.plain_p50 * scale
        return [f"{ours:.{digits}f}", f"{plain:.{digits}f}", f"{self.p50 / self.plain_p50:.2f}"]


@dataclass(frozen=True, slots=True)
class CostsAtSize:
    """Everything at one size."""

    count: int
    append: Cost
    page: Cost
    audit: Cost | None
    """Not of the largest, of which the audits have tables of their own."""


def appends(run: Run, count: int) -> Cost:
    """Measure one writer's single appends, in turn with plain inserts into the same collection."""
    with restored(run, count) as database:
        ours, plain = Ours(Shape(), database)(run.uri, Random(1)), Plain(Shape(), database)(run.uri, Random(2))
        runs = {"ours": partial(millis, ours), "plain": partial(millis, plain)}
        alternately(10, runs)
        found = alternately(50 if run.quick else 400, runs)
    return Cost(found["ours"], found["plain"])


def pages(run: Run, count: int) -> Cost:
    """Measure pages from anywhere in the log, each in turn with the finds that it sends, sent bare."""
    database, ours, plain = stored(run, count), [], []
    client: MongoClient[dict[str, Any]] = MongoClient(run.uri)
    with connect(run.uri) as connected, client, closing(Explainer(run.uri, database)) as explainer:
        store, events = open_log(connected, database, ORIGIN), client[database]["events"]
        for query in _queries(count, 100 if run.quick else 500):
            finds = explainer.finds(query)
            ours.append(millis(partial(store.page, query)))
            plain.append(millis(partial(bare, events, finds)))
    return Cost(ours, plain)


def audits(run: Run, count: int) -> Cost:
    """Measure full audits, in turn with reading and decoding the same events in order, in milliseconds an event."""
    with restored(run, count) as database, connect(run.uri) as client:
        store = open_log(client, database, ORIGIN)
        auditor = Auditor(store, AuditStore(store), ORIGIN)
        events = client.get_database(database, CODEC, read_concern=ReadConcern("majority"))["events"]

        def audit() -> None:
            report = auditor.run(auditor.start(CHAIN, "full"), float("inf"))
            assert (report.status, report.events_checked) == ("intact", count)

        def read() -> None:
            assert sum(1 for _ in events.find({"chain": CHAIN}, sort=[("seq", 1)])) == count

        # Small logs are audited several times, as one short audit says little.
        rounds = max(2, min(5, 30_000 // count))
        found = alternately(rounds, {"ours": partial(millis, audit), "plain": partial(millis, read)})
    return Cost(*([value / count for value in found[name]] for name in ("ours", "plain")))


def run(run: Run) -> BenchmarkReport:
    """Run the growth benchmark; return its tables and its plot."""
    exponents = range(3, 5 if run.quick else 7)
    counts = [10**exponent for exponent in exponents]
    stores = storage(run, counts[-1])  # before anything else is written there
    sizes = [
        CostsAtSize(count, appends(run, count), pages(run, count), audits(run, count) if count < LONG else None)
        for count in counts
    ]
    tables = [_table(sizes), _compared(run, counts), proofs.table(run, counts), stores]
    return BenchmarkReport(tables, {"growth.svg": lambda path: draw(path, _plot(sizes))})


def _queries(count: int, number: int) -> Iterator[Query]:
    """Yield queries whose pages are full at every size: no type, one or three, from anywhere towards the far end."""
    rng = Random(count)
    for _ in range(number):
        order: Order = rng.choice(get_args(Order))
        seq = rng.randrange(count // 2) + (count // 2 if order == "desc" else 0)
        after = Position(data.START + 1000 * seq, seq)
        query = Query(chain=CHAIN, event_types=NameFilter.of(rng.choice(_TYPES)), limit=LIMIT, order=order)
        yield replace(query, after=after, size=count)


def _table(sizes: Sequence[CostsAtSize]) -> Table:
    # Each operation has three columns: ours, the plain one, their ratio.
    columns = ["events stored"]
    for operation in ("append ms", "page ms", "audit us/event"):
        columns += [operation, "plain", "times plain"]
    return Table(
        "Growth: cost against the number of events stored",
        "p50s, each alternately with the plain operation at the same size. Append: one writer, one event at a time; "
        "plain: `insert_one` of such a document with `w: majority` into the same collection with the same indexes. "
        f"Page: {LIMIT} events from anywhere in the log; plain: the finds it sends, sent bare. Audit: a full audit's "
        "time by its events; plain: reading and decoding the same events in order of seq.",
        columns,
        [[f"{size.count:,}", *size.append.cells(), *size.page.cells(), *_audit_cells(size.audit)] for size in sizes],
    )


def _audit_cells(audit: Cost | None) -> list[str]:
    return audit.cells(scale=1000, digits=1) if audit else ["see below", "", ""]


def _compared(run: Run, counts: Sequence[int]) -> Table:
    """Compare appends to a small log with appends to the largest one, in alternate rounds."""
    # The other table has each size at another time. Here both logs take turns, so the ratio is of growth alone. The
    # first round warms both up and does not count.
    small, large = (counts[0], counts[-1]) if run.quick else (10_000, counts[-1])
    rounds, number = (5, 20) if run.quick else (20, 50)

    def rate(append: Operation) -> float:
        return number * 1000 / millis(lambda: [append() for _ in range(number)])

    with restored(run, small) as first, restored(run, large) as second:
        writers = {name: Ours(Shape(), name)(run.uri, Random(3)) for name in (first, second)}
        runs = {name: partial(rate, append) for name, append in writers.items()}
        alternately(1, runs)
        found = alternately(rounds, runs)
    return Table(
        f"Growth: appends at {large:,} stored events against those at {small:,}",
        f"One writer, single events, {rounds} alternate rounds of {number} appends; the ratio is the median over the "
        f"rounds; asked is >= {_FLOOR:g}.",
        [f"events/s at {small:,}", f"at {large:,}", "ratio"],
        [
            [
                f"{median(found[first]):.0f}",
                f"{median(found[second]):.0f}",
                judged(ratio(found[second], found[first]), floor=_FLOOR),
            ]
        ],
    )


def _plot(sizes: Sequence[CostsAtSize]) -> Plot:
    costs = {
        "append": [size.append.p50 for size in sizes],
        "page of 100": [size.page.p50 for size in sizes],
        "audit, per event": [size.audit.p50 for size in sizes if size.audit],
    }
    return Plot(
        title=f"Cost relative to that at {sizes[0].count:,} events",
        x_label="events stored",
        y_label="times",
        x=[size.count for size in sizes],
        lines={name: [value / values[0] for value in values] for name, values in costs.items()},
        log_x=True,
    )
