"""The primary of three loses its office ten times while clients append, read and audit over HTTP.

What is acknowledged is there once in the end, with its receipt; no audit finds anything; and a client sees an answer
or 503 with Retry-After, in less than the 25 seconds after which Lambda would end a function.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from eventlog.anchors.signing import create_key_file
from eventlog_client.client import EventLog
from local.mongod.embedded import EmbeddedMongo, replica_set_uri, start_replica_set, wait_until
from tests.support.failovers import fail_over
from tests.support.processes import Running, server
from tools.load.appends import Appends
from tools.load.exchange import Exchange, Shared
from tools.load.ledger import Ledger
from tools.load.mix import Mix
from tools.load.reads import Reads
from tools.load.verify import verify

CLIENTS = 8
CHAINS = ["tools.load.a", "tools.load.b"]
PAUSE = 0.06
"""Seconds between two requests of a client: all of them still wait for each failover, and leave time to other tests."""
PROGRESS = 25
"""Acknowledged appends between two failovers."""
HANG_SECONDS = 25.0
INCOMPLETE = "wrong: an audit says incomplete"
"""Honest, while MongoDB can't be asked for everything; the reason is looked at."""
DIED = "the state that it was resumed from is not believed, and it is not anchored: no audit has signed it"
ALLOWED = {None, "503 with Retry-After", INCOMPLETE}
HOW = ("kill", "step down", "pause", "kill", "step down", "pause", "kill", "step down", "pause", "freeze")
"""A pause ends with the election of another, as after a short partition; a freeze is noticed by time limits alone."""


@dataclass
class Told:
    """What the clients were answered: name, seconds and what was wrong."""

    requests: list[tuple[str, float, str | None]] = field(default_factory=list)

    def tell(self, _: str, name: str, millis: float, __: int, wrong: str | None) -> None:
        self.requests.append((name, millis / 1000, wrong))

    def good(self, name: str) -> int:
        return sum(found.startswith(name) and wrong is None for found, _, wrong in self.requests)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[EmbeddedMongo]]:
    nodes = start_replica_set([tmp_path / name for name in "abc"])
    yield nodes
    for node in nodes:
        node.kill()


@pytest.fixture
def running(nodes: list[EmbeddedMongo], tmp_path: Path) -> Iterator[Running]:
    """The development server on the set, with anchors, as its honest audits must not contradict those either."""
    create_key_file(tmp_path / "key")
    anchors = {"EVENTLOG_ANCHORS": str(tmp_path / "anchors"), "EVENTLOG_SIGNING_KEYS": str(tmp_path / "key")}
    with server(tmp_path, MONGO_URI=replica_set_uri(nodes), **anchors) as running:
        yield running


def work(url: str, shared: Shared, told: Told, stop: threading.Event, number: int) -> None:
    """One client; the first one audits."""
    exchange = Exchange(url, None, told.tell)
    appends, reads = Appends(exchange, shared), Reads(exchange, shared)
    auditing: Sequence[Callable[[], None]] = (reads.audit, reads.show_chain, reads.prove)
    appending = (appends.single, appends.own_id, appends.replay, appends.batch, reads.look_up, reads.query_by_seq)
    calls = auditing if number == 0 else appending
    rng = Random(number)
    while not stop.wait(PAUSE):
        rng.choice(calls)()
    exchange.close()


def test_ten_failovers_under_http_load(nodes: list[EmbeddedMongo], running: Running, tmp_path: Path) -> None:
    told, stop, rng = Told(), threading.Event(), Random(1)
    with Ledger(tmp_path / "ledger") as book:
        shared = Shared(book, Mix(rng, CHAINS), rng)
        clients = [threading.Thread(target=work, args=(running.url, shared, told, stop, i)) for i in range(CLIENTS)]

        def progress() -> None:
            enough = told.good("POST /events") + PROGRESS
            wait_until("appends to go on", lambda: told.good("POST /events") >= enough)

        for client in clients:
            client.start()
        try:
            progress()
            for how in HOW:
                if how == "freeze":
                    fail_over(nodes, "pause", meanwhile=progress)
                else:
                    fail_over(nodes, how)
                progress()
        finally:
            stop.set()
            for client in clients:
                client.join()
    assert [request for request in told.requests if request[2] not in ALLOWED] == []
    assert max(seconds for _, seconds, _ in told.requests) < HANG_SECONDS
    assert told.good("POST /audits") > len(HOW)
    assert_no_findings(running.url)
    verdict = verify(running.url, None, tmp_path / "ledger")
    assert verdict.problems == []
    assert verdict.audited == verdict.stored >= verdict.acknowledged > len(HOW) * PROGRESS
    assert "TAMPERED" not in running.stdout


def assert_no_findings(url: str) -> None:
    """None of the last hundred audits found anything; one that could not see everything says why.

    Either it blames MongoDB, or it goes on after one that died, which leaves a state without a signature (runbook.md).
    """
    with EventLog(url) as log:
        reports = log.transport.get("/audits", {"limit": 100}).object()["audits"]
    assert len(reports) > len(HOW)
    assert [report for report in reports if report["findings_total"]] == []
    reasons = {report["incomplete_because"] for report in reports} - {None}
    assert [why for why in reasons - {DIED} if "MongoDB" not in why] == []
