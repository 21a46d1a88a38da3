"""POST over HTTP: the local server compared with a bare FastAPI app that validates the same model and inserts once."""

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from random import Random

from eventlog.formats.times import format_time
from eventlog.store.mongo.operations import Operations
from tools.benchmarks import data
from tools.benchmarks.http_clients import Clients
from tools.benchmarks.http_servers import bare, ours, request, served
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, percentile, ratio
from tools.benchmarks.writers import Load, merged

FLOOR = 0.7
_POOL = 64
_OURS, _BARE = "http_ours", "http_bare"
_NOTE = (
    "Events a second that `POST /api/v1/events` takes in one server process, payloads as sshd's, over keep-alive"
    " connections from separate client processes; each cell is the median of {rounds} rounds of {seconds} s, ours and"
    " bare in turn. The bare app is FastAPI with the same pydantic model as its body and one insert (`w: majority`,"
    " a document with the same fields, the same indexes), under the same uvicorn settings."
)
_COLUMNS = (
    "connections",
    "events a request",
    "ours, events/s",
    "bare, events/s",
    "ours / bare",
    "ours, p50 / p99 ms",
    "bare, p50 / p99 ms",
)


@dataclass(frozen=True, slots=True)
class PostCase:
    """A case: how many connections, and how many events in each request."""

    connections: int
    batch: int = 1

    def requests(self, rng: Random) -> Sequence[bytes]:
        """Make the requests before the measurement."""
        if self.batch == 1:
            return [request("/api/v1/events", _event(rng)) for _ in range(_POOL)]
        return [request("/api/v1/events/batch", [_event(rng) for _ in range(self.batch)]) for _ in range(8)]


CASES = (PostCase(1), PostCase(32), PostCase(1, 100))


def run(run: Run) -> BenchmarkReport:
    """Measure each case in alternate rounds."""
    rounds, seconds = (2, 0.4) if run.quick else (5, 0.6)
    _prepare(run)
    with ExitStack() as opened:
        clients = opened.enter_context(closing(Clients(2)))
        ports = {
            "ours": opened.enter_context(served(ours, run.uri, _OURS)).port,
            "bare": opened.enter_context(served(bare, run.uri, _BARE)).port,
        }
        rows = [_row(case, clients, ports, rounds, seconds) for case in CASES]
    return BenchmarkReport([Table("POST over HTTP", _NOTE.format(rounds=rounds, seconds=seconds), _COLUMNS, rows)])


def _row(case: PostCase, clients: Clients, ports: dict[str, int], rounds: int, seconds: float) -> list[str]:
    requests = case.requests(Random(case.connections))

    def load(name: str, seconds: float = seconds) -> Load:
        return clients.run(ports[name], requests, case.connections, seconds)

    # A short load first, so that neither server's first requests are measured.
    for name in ports:
        load(name, 0.2)
    loads = alternately(rounds, {name: partial(load, name) for name in ports})
    rates = {name: [found.rate * case.batch for found in of] for name, of in loads.items()}
    return [
        str(case.connections),
        str(case.batch),
        *(f"{percentile(rates[name], 50):,.0f}" for name in ("ours", "bare")),
        judged(ratio(rates["ours"], rates["bare"]), floor=FLOOR if case.batch == 1 else None),
        *(_latencies(loads[name]) for name in ("ours", "bare")),
    ]


def _latencies(loads: Sequence[Load]) -> str:
    millis = merged(loads)
    return f"{percentile(millis, 50):.1f} / {percentile(millis, 99):.1f}"


def _event(rng: Random) -> dict[str, object]:
    entry = data.entry(rng, "main", data.payloads(rng, 1)[0])
    return {
        "event_type": entry.event_type,
        "timestamp": format_time(entry.timestamp),
        "source_id": entry.source_id,
        "payload": json.loads(entry.payload),
    }


def _prepare(run: Run) -> None:
    with run.client() as client:
        for name in (_OURS, _BARE):
            client.drop_database(name)
            Operations(client, name).ensure_indexes()
