"""Appends, reads and audits on a sharded cluster: that of the tests, with a router of its own for each writer."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from bson import MaxKey, MinKey
from pymongo import MongoClient

from eventlog.audit.auditor import Auditor
from eventlog.store.errors import StoreError
from eventlog.store.interface import Draft, Query
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, connect, open_log
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.placing import SHARDS, move, move_sequence, spread
from tests.support.sharded.router import Router
from tools.benchmarks import data, seed
from tools.benchmarks.measure import BenchmarkReport, Run, Table, percentile
from tools.benchmarks.writers import Load, Operation, Writers, merged

ORIGIN = "bench"
WRITERS = 16
PLACEMENTS = ("one shard", "order on two", "chains on two")
"""All on one shard; pushes spread by the hash and events where they are at first; each chain whole, on either."""
_CALLS = ("page", "look-up", "look-up after an append")
_JOURNAL_MILLIS = 100
"""MongoDB's own: reads of what an idle shard has wait for its journal's next turn."""
_RouterClient = MongoClient[dict[str, Any]]


@cache
def _client(uri: str, servers: tuple[tuple[str, int], ...]) -> _RouterClient:
    """Return a process's client, with a router of its own where the router is ours: one for all would be measured."""
    return connect(Router(*servers).__enter__().uri if servers else uri)


@dataclass(frozen=True, slots=True)
class ShardedAppends:
    """Single events, each to any one of the chains."""

    database: str
    chains: tuple[str, ...]
    servers: tuple[tuple[str, int], ...]

    def __call__(self, uri: str, rng: Random) -> Operation:
        """Make a writer's operation."""
        store = open_log(_client(uri, self.servers), self.database, ORIGIN)
        payloads = data.payloads(rng, 64)

        def append() -> int:
            chain = rng.choice(self.chains)
            return len(store.append(chain, [Draft(data.entry(rng, chain, rng.choice(payloads)), False)]))

        return append


def run(run: Run) -> BenchmarkReport:
    """Run the benchmark of shards on a cluster of its own; ``run``'s MongoDB is only compared with."""
    with tempfile.TemporaryDirectory(prefix="eventlog-shards-") as folder, ExitStack() as stack:
        cluster = stack.enter_context(ShardedCluster(Path(folder), journal_millis=_JOURNAL_MILLIS))
        # The writers are forked before any client has threads, and know the cluster by its ports.
        writers = Writers(cluster.uri, WRITERS)
        stack.callback(writers.close)
        router = stack.enter_context(connect(cluster.uri))
        appends = _appends(run, cluster, router, writers)
        return BenchmarkReport([appends, _audits(run, cluster, router), _reads(run, cluster, router)])


def _place(router: _RouterClient, database: str, placement: str, chains: tuple[str, ...]) -> None:
    """Make a database with all of these chains on the first shard, or every other one on the second."""
    spread(router, database, "zzz", 0)
    for chain in chains[1::2] if placement != "one shard" else ():
        move_sequence(router, database, chain)
        if placement == "chains on two":
            low, high = {"chain": chain, "seq": MinKey()}, {"chain": chain, "seq": MaxKey()}
            move(router, f"{database}.events", low, high)
    Operations(router, database).ensure_indexes()


def _appends(run: Run, cluster: ShardedCluster, router: _RouterClient, writers: Writers) -> Table:
    """Measure appends to 1, 4 and 16 chains, and which shard they met."""
    seconds = 1.0 if run.quick else 1.5
    rows = []
    for count in (1, 4, 16):
        chains = tuple(f"chain-{number:02}" for number in range(count))
        for placement in PLACEMENTS if count > 1 else PLACEMENTS[:1]:
            database = f"shards_{count}_{PLACEMENTS.index(placement)}"
            _place(router, database, placement, chains)
            before = _pushes(cluster)
            load = writers.run(ShardedAppends(database, chains, cluster.servers), WRITERS, seconds)
            pushes = [after - already for after, already in zip(_pushes(cluster), before, strict=True)]
            rows.append([str(count), placement, *_cells(load, pushes, _events(cluster, router, database, chains))])
    columns = ["chains", "placed", "events/s", "p50 ms", "p99 ms", "pushes on the busier shard", "events on the fuller"]
    return Table("Shards: appends through routers", _APPENDS_NOTE, columns, rows)


def _cells(load: Load, pushes: list[int], events: list[int]) -> list[str]:
    parts = [f"{max(numbers) / max(1, sum(numbers)):.0%}" for numbers in (pushes, events)]
    millis = merged([load])
    return [f"{load.rate:.0f}", f"{median(millis):.1f}", f"{percentile(millis, 99):.1f}", *parts]


def _pushes(cluster: ShardedCluster) -> list[int]:
    """Return how many pushes each shard has done so far."""
    found = []
    for shard in cluster.shards.values():
        with shard.client() as client:
            found.append(int(client.admin.command("serverStatus")["metrics"]["commands"]["findAndModify"]["total"]))
    return found


def _events(cluster: ShardedCluster, router: _RouterClient, database: str, chains: tuple[str, ...]) -> list[int]:
    """Settle all chains, and return how many events each shard has."""
    log = open_log(router, database, ORIGIN)
    for chain in chains:
        log.settle(chain)
    found = []
    for shard in cluster.shards.values():
        with shard.client() as client:
            found.append(client[database]["events"].count_documents({}))
    return found


def _audits(run: Run, cluster: ShardedCluster, router: _RouterClient) -> Table:
    """Measure a full audit of one chain on a replica set, and through a router on one shard and over two."""
    size = 5_000 if run.quick else 50_000
    rows = []
    with run.client() as plain:
        for where, client, split in (
            ("replica set", plain, 0),
            ("router, 1 shard", router, 1),
            ("router, 2 shards", router, 2),
        ):
            database = f"shards_audit_{split}"
            client.drop_database(database)
            if split:
                spread(router, database, "zzz" if split == 1 else "main", size // 2)
            seed.seed(client, database, "main", size)
            with connect(run.uri if not split else cluster.uri) as own:
                rate = median(_audit(own, database, size) for _ in range(1 if run.quick else 2))
            rows.append([where, f"{rate:.0f}"])
    return Table("Shards: a full audit, one process", f"One chain of {size:,} events.", ["through", "events/s"], rows)


def _audit(client: _RouterClient, database: str, size: int) -> float:
    store = open_log(client, database, seed.ORIGIN)
    auditor = Auditor(store, AuditStore(store), seed.ORIGIN)
    started = time.monotonic()
    report = auditor.run(auditor.start("main", "full"), 3600)
    assert (report.status, report.events_checked) == ("intact", size)
    return size / (time.monotonic() - started)


def _reads(run: Run, cluster: ShardedCluster, router: _RouterClient) -> Table:
    """Measure a page and a look-up of a chain on one shard and on both, with the other one idle and dead."""
    logs = {"on one shard": "shards_near", "on both": "shards_both"}
    for where, database in logs.items():
        spread(router, database, "zzz" if where == "on one shard" else "main", 50)
        seed.seed(router, database, "main", 200)
    first = {database: _first(open_log(router, database, ORIGIN)) for database in logs.values()}
    rows = []
    for state in ("idle", "dead"):
        with _shard(cluster, dead=state == "dead"):
            for where, database in logs.items():
                is_out_of_reach = (state, where) == ("dead", "on both")  # each call waits for 12 s
                if run.quick and is_out_of_reach:
                    continue
                store = open_log(router, database, ORIGIN)
                calls: dict[str, Callable[[], object]] = {
                    "page": partial(store.page, Query(chain="main")),
                    "look-up": partial(store.get, "main", first[database]),
                    "look-up after an append": partial(_after_append, store, first[database]),
                }
                if is_out_of_reach:
                    calls = {"look-up": calls["look-up"]}
                measured = {name: _millis(call, 10 if run.quick else 25) for name, call in calls.items()}
                rows.append([where, state, *(measured.get(name, "not tried") for name in _CALLS)])
    columns = ["chain", "the other shard is", "page of 100, ms", "look-up, ms", "append and look-up, ms"]
    return Table("Shards: reads with an idle and with a dead shard", _READS_NOTE, columns, rows)


def _first(store: MongoStore) -> str:
    (event,) = store.page(Query(chain="main", sort="seq", order="asc", limit=1)).events
    return event.entry.event_id


def _after_append(store: MongoStore, event_id: str) -> None:
    rng = Random(0)
    store.append("main", [Draft(data.entry(rng, "main", "{}"), False)])
    store.get("main", event_id)


@contextmanager
def _shard(cluster: ShardedCluster, *, dead: bool) -> Iterator[None]:
    other = cluster.shards[SHARDS[1]]
    if dead:
        other.kill()
    try:
        yield
    finally:
        if dead:
            other.start()


def _millis(call: Callable[[], object], times: int) -> str:
    """Return the median and the 95th percentile, or what was answered instead of a result, and after how long."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        try:
            call()
        except StoreError:
            return f"503 after {time.perf_counter() - started:.1f} s"
        found.append(1000 * (time.perf_counter() - started))
    return f"{median(found):.1f} / {percentile(found, 95):.1f}"


_APPENDS_NOTE = (
    "16 writers, each with a process and a router of its own; single events, each to any of the chains. *One shard*: "
    "all is there. *Order on two*: pushes are spread, events still lie on one, as right after `make db-setup`. *Chains "
    "on two*: every other chain is on the second shard with its order and its events, as `make place` does. Two "
    "shards, config server, routers and writers share the same cores, so events/s can't grow with shards here: what "
    "shows is which shard the work met."
)
_READS_NOTE = (
    "p50 / p95 through one router; the second shard does nothing, or was killed. `on both`: the order and the later "
    "events are on the second shard."
)
