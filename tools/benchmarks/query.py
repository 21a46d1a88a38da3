"""Pages of 100 compared with bare finds of the same documents, for every combination of filters."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from eventlog.formats.name_filter import ANY, NameFilter
from eventlog.store.interface import Order, Position, Query
from eventlog.store.mongo.store import MongoStore, connect, open_log
from tools.benchmarks import data
from tools.benchmarks.chain_writers import CHAIN, ORIGIN
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, percentile
from tools.benchmarks.plans import Examined, Explainer, Find
from tools.benchmarks.stored import stored

LIMIT = 100
CEILING = 1.3
WORST = 5
"""Combinations that the page shows by themselves."""
_TYPES = ("sshd.auth_failure", "sshd.disconnect", "sshd.failed_password", "sshd.closed")
_SOURCES = data.SOURCES[:5]
_TIMES = ("p50 ms", "p99 ms", "bare p50", "bare p99")


@dataclass(frozen=True, slots=True)
class PageCase:
    """A query, with its description."""

    filters: str
    order: Order
    page: str
    query: Query


@dataclass(frozen=True, slots=True)
class PageResult:
    """The result of a case: milliseconds of our pages, of the bare finds, and of both bare reads; and explain's counts.

    Both bare reads are a read of the settled size and then the finds.
    """

    case: PageCase
    ours: list[float]
    bare: list[float]
    both: list[float]
    examined: Examined

    @property
    def ratio(self) -> float:
        """The ratio of our p50 to that of the bare finds."""
        return percentile(self.ours, 50) / percentile(self.bare, 50)

    @property
    def ratio_to_both(self) -> float:
        """The ratio of our p50 to that of both bare reads."""
        return percentile(self.ours, 50) / percentile(self.both, 50)

    @property
    def most_keys(self) -> int:
        """The most keys to examine: one for each event, one for the next, one for the start of each further scan."""
        return LIMIT + max(10, self.examined.scans)


def _filters(what: str, names: tuple[str, ...]) -> dict[str, NameFilter]:
    return {"": ANY, f"1 {what}": NameFilter.of(names[:1]), f"{len(names)} {what}s": NameFilter.of(names)}


def cases(count: int) -> Iterator[PageCase]:
    """Yield every combination of filters in both orders, each with its first page and one in the middle."""
    # Time, types and sources in all combinations, and the order by seq by itself, as it takes no such filters.
    times: dict[str, dict[str, Any]] = {
        "any time": {},
        "time range": {
            "start_time": data.START + count // 4 * 1000,
            "end_time": data.START + count // 4 * 3 * 1000,
        },
    }
    types = _filters("type", _TYPES)
    sources = _filters("source", _SOURCES)
    filters = {
        ", ".join(filter(None, names)): Query(
            chain=CHAIN, **times[names[0]], event_types=types[names[1]], source_ids=sources[names[2]], limit=LIMIT
        )
        for names in product(times, types, sources)
    }
    filters["by seq"] = Query(chain=CHAIN, sort="seq", limit=LIMIT)
    middle = Position(data.START + count // 2 * 1000, count // 2)
    for (name, query), order in product(filters.items(), get_args(Order)):
        yield PageCase(name, order, "first", replace(query, order=order))
        yield PageCase(name, order, "middle", replace(query, order=order, after=middle, size=count))


def millis(work: Callable[[], object]) -> float:
    """Run work; return its milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def bare(events: Collection[dict[str, Any]], finds: Sequence[Find]) -> list[dict[str, Any]]:
    """Run the same finds with nothing around them; return the documents as dicts."""
    found: list[dict[str, Any]] = []
    for find in finds:
        order, hint = list(find["sort"].items()), list(find["hint"].items())
        found += events.find(find["filter"], sort=order, hint=hint, limit=find["limit"])
    return found


def measure(run: Run, database: str, count: int) -> list[PageResult]:
    """Run every case."""
    rounds = 10 if run.quick else 25
    client: MongoClient[dict[str, Any]] = MongoClient(run.uri)
    with connect(run.uri) as ours, client, closing(Explainer(run.uri, database)) as explainer:
        store = open_log(ours, database, ORIGIN)
        return [_result(store, client[database], explainer, case, rounds) for case in cases(count)]


def _result(
    store: MongoStore, database: Database[dict[str, Any]], explainer: Explainer, case: PageCase, rounds: int
) -> PageResult:
    # Three rounds warm up caches of plans and documents; they don't count.
    finds, events, sequences = explainer.finds(case.query), database["events"], database["sequences"]

    def both() -> None:
        sequences.find_one({"_id": CHAIN}, {"settled.size": 1})
        bare(events, finds)

    runs = {
        "ours": lambda: millis(lambda: store.page(case.query)),
        "bare": lambda: millis(lambda: bare(events, finds)),
        "both": lambda: millis(both),
    }
    alternately(3, runs)
    found = alternately(rounds, runs)
    return PageResult(case, found["ours"], found["bare"], found["both"], explainer.examined(finds))


def run(run: Run) -> BenchmarkReport:
    """Run the query benchmark; return its tables."""
    count = 20_000 if run.quick else 1_000_000
    results = measure(run, stored(run, count), count)
    return BenchmarkReport([_summary(count, results), _worst(len(results[0].ours), results)])


def _summary(count: int, results: Sequence[PageResult]) -> Table:
    # First pages are what most callers read; a page in the middle shows that its depth costs nothing.
    groups = {
        "all": results,
        "first pages": [r for r in results if r.case.page == "first"],
        "pages in the middle": [r for r in results if r.case.page == "middle"],
    }
    columns = ["pages", "combinations", *_TIMES, "median ratio", "worst ratio", "within", "median to both reads"]
    columns.append("most keys examined")
    return Table(
        f"Queries: pages of {LIMIT} among {count:,} events",
        "`MongoStore.page` and, alternately, the finds that it sends, sent bare by pymongo and decoded to dicts (same "
        "filter, sort, hint and limit); so the ratio is what reading the settled size and checking each event "
        f"add. Ratios are of p50; asked is <= {CEILING:g}. Both reads: the bare finds after a bare read of the settled "
        "size, the round trip by which a page shows every acknowledged event, and once.",
        columns,
        [[name, *_group(group)] for name, group in groups.items()],
    )


def _group(results: Sequence[PageResult]) -> list[str]:
    # Percentiles are over all pages of all cases; ratios are one for each case, so each case counts once.
    ours = [value for result in results for value in result.ours]
    plain = [value for result in results for value in result.bare]
    ratios = [result.ratio for result in results]
    return [
        str(len(results)),
        *(f"{percentile(values, percent):.2f}" for values in (ours, plain) for percent in (50, 99)),
        judged(percentile(ratios, 50), ceiling=CEILING),
        judged(max(ratios), ceiling=CEILING),
        f"{sum(ratio <= CEILING for ratio in ratios)} of {len(ratios)}",
        judged(percentile([result.ratio_to_both for result in results], 50)),
        str(max(result.examined.keys for result in results)),
    ]


def _worst(rounds: int, results: Sequence[PageResult]) -> Table:
    # By ratio, and whatever examined more than it may: that would not show in times of a log that is in the cache.
    worst = sorted(results, key=lambda result: -result.ratio)[:WORST]
    worst += [result for result in results if result.examined.keys > result.most_keys and result not in worst]
    columns = ["filters", "order", "page", *_TIMES, "ratio", "keys examined", "documents", "merged scans"]
    return Table(
        f"Queries: the {WORST} worst of {len(results)} combinations",
        f"By ratio, and any that examines more keys than it may. Of {rounds} pages each, so the p99 is nearly the "
        "slowest. Keys and documents are explain's, over all finds "
        "of a page: one of each for every event and one more to see whether others follow. Several types or sources "
        "are as many index scans merged in order, and each scan beyond the first takes one key more to know where it "
        "starts; so at most limit + 10, or limit + merged scans where there are more than 10 of them.",
        columns,
        [_row(result) for result in worst],
    )


def _row(result: PageResult) -> list[str]:
    times = [f"{percentile(values, percent):.2f}" for values in (result.ours, result.bare) for percent in (50, 99)]
    examined, case = result.examined, result.case
    keys = f"{examined.keys}" if examined.keys <= result.most_keys else f"**{examined.keys}, missed**"
    ratio = judged(result.ratio, ceiling=CEILING)
    return [case.filters, case.order, case.page, *times, ratio, keys, str(examined.documents), str(examined.scans)]
