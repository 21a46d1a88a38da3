"""As deployed: the built functions under AWS's Lambda runtime, compared with a plain function that is built the same.

Functions run as ``make start-api`` runs them: in AWS's Runtime Interface Emulator, one request at a time in each
environment. Requests go to the environments as API Gateway sends them; a gateway would be the same for both.
"""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

from eventlog.store.mongo.operations import Operations
from local.start_api.build import emulator, link_image
from local.start_api.functions import Function, FunctionError, Instance, Runtime
from tools.benchmarks import plain_app
from tools.benchmarks.chain_writers import ORIGIN
from tools.benchmarks.cold_start import FUNCTIONS, Artefacts, build
from tools.benchmarks.gateway_requests import gateway_event, gateway_requests
from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, percentile, ratio
from tools.benchmarks.plain_events import seed_plain
from tools.benchmarks.stored import stored

FLOOR, CEILING = 0.85, 1.2
_PLAIN = "deployed_plain"
_POSTS = "deployed_ours"
_EVENTS = 10_000
_TIMEOUT = 30
_INIT = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)\)")
_HANDLER = """\
import os

from mangum import Mangum
from plain_app import plain

handler = Mangum(plain(os.environ["MONGO_URI"], os.environ["MONGO_DATABASE"]), lifespan="off")
"""
_WARM = (
    "Requests a second that warm environments answer, each one request at a time, under AWS's Runtime Interface"
    " Emulator and runtime client; median of {rounds} rounds of {seconds} s, ours and plain in turn. The plain function"
    " has the same layer: FastAPI, Mangum, one `insert_one` (`w: majority`) or one find, no logger, no metrics, no"
    " access. POST: an event of sshd's size. GET: a page of 100 of {events:,} events, filtered by type and source;"
    " ours has twice the fields. All environments, MongoDB and the clients share this machine's cores."
)
_COLD = (
    "Milliseconds from the start of an environment's Python to the end of its imports, as the emulator reports it"
    " (`Init Duration`), and of the first request with it; fresh environments in turn, medians of {rounds}."
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is built, and what runs it."""

    built: Artefacts
    plain: Path
    runtime: Runtime
    run: Run

    def function(self, name: str, database: str) -> Function:
        """Return one of our functions, or the plain one, over a database."""
        ours = {
            "MONGO_URI": self.run.uri,
            "MONGO_DATABASE": database,
            "EVENTLOG_ORIGIN": ORIGIN,
            "POWERTOOLS_METRICS_NAMESPACE": "EventLog",
            "POWERTOOLS_TRACE_DISABLED": "1",
        }
        plain = {"MONGO_URI": self.run.uri, "MONGO_DATABASE": database}
        variables = plain if name == "plain" else ours
        own = {"AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_TIMEOUT": str(_TIMEOUT), "AWS_REGION": "local"}
        code = self.plain if name == "plain" else self.built.functions / name
        return Function(name, code, "app.handler", _TIMEOUT, variables | own)


def run(run: Run) -> BenchmarkReport:
    """Measure warm requests with pools of several sizes, and starts of all functions."""
    with tempfile.TemporaryDirectory(prefix="eventlog-deployed-") as name:
        deployed = _deploy(Path(name), run)
        return BenchmarkReport([_warm(deployed), _cold(deployed)])


def _deploy(folder: Path, run: Run) -> Deployed:
    built = build(run.folder / "built")
    plain, logs = folder / "plain", folder / "logs"
    plain.mkdir()
    logs.mkdir()
    shutil.copy(plain_app.__file__, plain)
    (plain / "app.py").write_text(_HANDLER)
    runtime = Runtime(emulator(), (built.layer / "python", link_image(folder)), logs)
    return Deployed(built, plain, runtime, run)


def _warm(deployed: Deployed) -> Table:
    run = deployed.run
    pools, rounds, seconds = ((1, 8), 2, 0.4) if run.quick else ((1, 8, 16), 3, 0.6)
    ours, posts = stored(run, _EVENTS), gateway_requests("POST")
    with run.client() as client:
        for name in (_PLAIN, _POSTS):
            client.drop_database(name)
        Operations(client, _POSTS).ensure_indexes()
        seed_plain(client, _PLAIN, _EVENTS)
    rows = []
    for method, function, database in (("POST", "ingest", _POSTS), ("GET", "query", ours)):
        requests = posts if method == "POST" else gateway_requests("GET")
        functions = {"ours": deployed.function(function, database), "plain": deployed.function("plain", _PLAIN)}
        with ExitStack() as stack:
            opened = {
                name: stack.enter_context(_environments(each, deployed.runtime, max(pools), requests))
                for name, each in functions.items()
            }
            for size in pools:  # the other environments wait for requests, which costs nothing
                used = {name: partial(_load, each[:size], requests, seconds) for name, each in opened.items()}
                rows.append([str(size), method, *_row(alternately(rounds, used))])
    columns = (
        "environments",
        "request",
        "ours, requests/s",
        "plain, requests/s",
        "ours / plain",
        "p50 / p99 ms",
        "plain",
    )
    note = _WARM.format(rounds=rounds, seconds=seconds, events=_EVENTS)
    return Table("As deployed: warm requests", note, columns, rows)


def _row(loads: Mapping[str, Sequence[tuple[float, list[float]]]]) -> list[str]:
    rates = {name: [rate for rate, _ in found] for name, found in loads.items()}
    millis = {name: [one for _, values in found for one in values] for name, found in loads.items()}
    return [
        *(f"{percentile(rates[name], 50):,.0f}" for name in ("ours", "plain")),
        judged(ratio(rates["ours"], rates["plain"]), floor=FLOOR),
        *(f"{percentile(millis[name], 50):.1f} / {percentile(millis[name], 99):.1f}" for name in ("ours", "plain")),
    ]


@contextmanager
def _environments(
    function: Function, runtime: Runtime, count: int, requests: Sequence[bytes]
) -> Iterator[list[Instance]]:
    """Start environments and warm each of them up with some requests."""

    def warm(instance: Instance) -> None:
        for payload in requests[:5]:
            _invoke(instance, payload)

    with ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        instances = [Instance(function, runtime, number) for number in range(count)]
        for instance in instances:
            stack.callback(instance.stop)
            instance.start()
        list(threads.map(warm, instances))
        yield instances


def _load(instances: Sequence[Instance], requests: Sequence[bytes], seconds: float) -> tuple[float, list[float]]:
    """Send requests to each environment, one after the other; return how many a second, and their milliseconds."""

    def work(instance: Instance) -> list[float]:
        rng, millis = Random(id(instance)), []
        while (before := time.monotonic()) < end:
            _invoke(instance, rng.choice(requests))
            millis.append((time.monotonic() - before) * 1000)
        return millis

    started = time.monotonic()
    end = started + seconds
    with ThreadPoolExecutor(len(instances)) as threads:
        found = [value for values in threads.map(work, instances) for value in values]
    return len(found) / (time.monotonic() - started), found


def _invoke(instance: Instance, payload: bytes) -> None:
    answer = json.loads(instance.invoke(payload))
    if answer["statusCode"] not in {200, 201}:
        raise RuntimeError(f"answered {answer}")


def _cold(deployed: Deployed) -> Table:
    rounds = 2 if deployed.run.quick else 3
    names = ["plain", *FUNCTIONS]
    found = alternately(rounds, {name: partial(_start, deployed, name) for name in names})
    plain = [init for init, _ in found["plain"]]
    rows = []
    for name, starts in found.items():
        inits = [init for init, _ in starts]
        times = judged(ratio(inits, plain), ceiling=None if name == "plain" else CEILING)
        rows.append([name, f"{median(inits):.0f}", times, f"{median(whole for _, whole in starts):.0f}"])
    columns = ("function", "Init Duration, ms", "to the plain function's", "first request, ms")
    return Table("As deployed: cold starts", _COLD.format(rounds=rounds), columns, rows)


def _start(deployed: Deployed, name: str) -> tuple[float, float]:
    """Start an environment; return the milliseconds of its init, and those until its first request was answered."""
    # What each function makes of the request is its own: the start is the same, whatever it answers.
    log = deployed.runtime.logs / f"{name}-0.log"
    log.unlink(missing_ok=True)
    instance = Instance(deployed.function(name, _PLAIN if name == "plain" else _POSTS), deployed.runtime, 0)
    instance.start()
    try:
        before = time.monotonic()
        with suppress(FunctionError):
            instance.invoke(gateway_event("GET", "/api/v1/health", {}))
        whole = (time.monotonic() - before) * 1000
        found = _INIT.search(log.read_text(errors="replace"))
    finally:
        instance.stop()
    if found is None:
        raise RuntimeError(f"the emulator reports no init of {name}: {log.read_text()[-500:]}")
    return float(found[1]), whole
