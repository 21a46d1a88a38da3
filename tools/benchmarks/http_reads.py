"""GET over HTTP: pages of events of the local server, compared with those of a plain FastAPI app."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from random import Random
from urllib.parse import urlencode

from eventlog.formats.times import format_time
from tools.benchmarks import data
from tools.benchmarks.http_clients import Clients
from tools.benchmarks.http_servers import ServedApp, ours, served
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, percentile, ratio
from tools.benchmarks.plain_app import plain
from tools.benchmarks.plain_events import seed_plain
from tools.benchmarks.stored import stored
from tools.benchmarks.writers import Load

FLOOR = 0.95
_POOL = 64
_PLAIN = "http_plain_reads"
_NOTE = (
    "Pages a second that `GET /api/v1/events` answers in one server process, of {count:,} events of sshd's size, over"
    " keep-alive connections from separate client processes; each cell is the median of {rounds} rounds of {seconds} s,"
    " ours and plain in turn. The plain app is FastAPI with a model of the query, one find of as many events by the"
    " same filters through an index, and a model of the answer, under the same uvicorn settings. It shows 7 fields of"
    " an event, ours 14. CPU is that of the server process, for one page. Asked is >= {floor} of the plain app's pages."
)
_COLUMNS = (
    *("connections", "page of", "filters", "ours, pages/s", "plain, pages/s", "ours / plain"),
    *("ours, CPU ms", "plain, CPU ms", "ours, p50 / p99 ms", "plain, p50 / p99 ms"),
)


@dataclass(frozen=True, slots=True)
class ReadCase:
    """A case: how many connections, how long the pages are, and what they are filtered by."""

    limit: int
    filters: str = "none"
    connections: int = 1

    def requests(self, rng: Random, count: int) -> list[bytes]:
        """Make the requests before the measurement."""
        return [_get(self._parameters(rng, count)) for _ in range(_POOL)]

    def _parameters(self, rng: Random, count: int) -> dict[str, str]:
        found = {"limit": str(self.limit)}
        if "time" in self.filters:
            start = rng.randrange(count // 2)
            found["start_time"] = format_time(data.START + start * 1000)
            found["end_time"] = format_time(data.START + (start + count // 2) * 1000)
        if "type" in self.filters:
            found["event_type"] = rng.choice(("sshd.auth_failure", "sshd.disconnect", "sshd.failed_password"))
        if "source" in self.filters:
            found["source_id"] = rng.choice(data.SOURCES)
        if "nothing" in self.filters:
            found["event_type"] = "sshd.never"
        return found


@dataclass(frozen=True, slots=True)
class _Round:
    """What one server did in one round."""

    load: Load
    cpu: float = field(metadata={"unit": "seconds a page"})


CASES = (
    *(ReadCase(limit) for limit in (10, 100, 1000)),
    *(ReadCase(limit, "type, source") for limit in (10, 100, 1000)),
    ReadCase(100, "time, type"),
    ReadCase(100, "nothing fits"),
    ReadCase(10, "type, source", 8),
    ReadCase(100, "type, source", 8),
)


def run(run: Run) -> BenchmarkReport:
    """Measure each case in alternate rounds."""
    rounds, seconds, count = (2, 0.3, 10_000) if run.quick else (3, 0.5, 100_000)
    name = stored(run, count)
    with run.client() as client:
        client.drop_database(_PLAIN)
        seed_plain(client, _PLAIN, count)
    with ExitStack() as opened:
        clients = opened.enter_context(closing(Clients(2)))
        servers = {
            "ours": opened.enter_context(served(ours, run.uri, name)),
            "plain": opened.enter_context(served(plain, run.uri, _PLAIN)),
        }
        rows = [_row(case, clients, servers, (rounds, seconds, count)) for case in CASES]
    note = _NOTE.format(rounds=rounds, seconds=seconds, count=count, floor=FLOOR)
    return BenchmarkReport([Table("Pages over HTTP", note, _COLUMNS, rows)])


def _row(case: ReadCase, clients: Clients, servers: dict[str, ServedApp], sizes: tuple[int, float, int]) -> list[str]:
    rounds, seconds, count = sizes
    requests = case.requests(Random(case.limit), count)

    def load(server: ServedApp, seconds: float = seconds) -> _Round:
        before = server.cpu()
        found = clients.run(server.port, requests, case.connections, seconds)
        return _Round(found, (server.cpu() - before) / len(found.millis))

    # A short load first, so that neither server's first requests are measured.
    for server in servers.values():
        load(server, 0.2)
    found = alternately(rounds, {name: partial(load, server) for name, server in servers.items()})
    rates = {name: [one.load.rate for one in of] for name, of in found.items()}
    return [
        *(str(case.connections), str(case.limit), case.filters),
        *(f"{percentile(rates[name], 50):,.0f}" for name in servers),
        judged(ratio(rates["ours"], rates["plain"]), floor=FLOOR),
        *(f"{1000 * percentile([one.cpu for one in found[name]], 50):.2f}" for name in servers),
        *(_latencies(found[name]) for name in servers),
    ]


def _latencies(rounds: Sequence[_Round]) -> str:
    millis = [value for one in rounds for value in one.load.millis]
    return f"{percentile(millis, 50):.1f} / {percentile(millis, 99):.1f}"


def _get(parameters: dict[str, str]) -> bytes:
    return f"GET /api/v1/events?{urlencode(parameters)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
