"""What witnesses cost an append and an anchor while all of them hang: nothing, in commands and in waits.

Two logs do the same, one with a policy and one without; MongoDB's own profiler counts what it is asked.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from starlette.testclient import TestClient

from eventlog.anchors.signing import create_key_file
from eventlog.http.app import create_app
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from functions.chain_audit.app import routers as audit_routers
from functions.ingest.app import routers as ingest_routers
from tests.support.profiled import Cost, counted
from tests.support.witness_servers import policy_of, running
from tests.support.witnesses import ed25519

Client = MongoClient[dict[str, Any]]
EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
LOOK = "audits query {_id: {$gte: ?, $lt: ?}, chain: {$in: ?}}"
"""What is known of a chain's witnesses, for the report of its audit."""


class Hanging(ThreadingHTTPServer):
    """Takes connections and never answers; ``asked``: how many there were."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked = 0
        self.release = threading.Event()
        super().__init__(("127.0.0.1", 0), BaseHTTPRequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        self.asked += 1
        threading.Thread(target=lambda: (self.release.wait(), request.close()), daemon=True).start()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    server = Hanging()
    with running(server):
        yield server
        server.release.set()


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked is waited for less long."""
    monkeypatch.setattr("eventlog.witnessing.http_call.SECONDS", 0.1)


@contextmanager
def log_of(folder: Path, uri: str, database: str, policy: bytes | None) -> Iterator[tuple[TestClient, AuditWiring]]:
    """A log that is anchored in a folder; with a policy it asks witnesses for the chain main."""
    folder.mkdir()
    create_key_file(folder / "key")
    settings = Settings(mongo_uri=uri, mongo_database=database, EVENTLOG_ORIGIN="example.com/log")
    settings.anchors, settings.signing_keys = str(folder / "anchors"), str(folder / "key")
    if policy is not None:
        (folder / "policy").write_bytes(policy)
        settings.witness_policy, settings.witness_chains = str(folder / "policy"), "main"
    app = create_app(*ingest_routers, *audit_routers, title="local", settings=settings, anonymous=True)
    with closing(app.state.connection), TestClient(app) as api:
        yield api, wiring_of(app, AuditWiring)


def cost_of(api: TestClient, wiring: AuditWiring, client: Client, database: str) -> tuple[Cost, Cost, int]:
    """What five appends ask MongoDB, what an audit asks that anchors them, and of how many chains that was."""
    with counted(client[database]) as appended:
        for _ in range(3):
            api.post("/api/v1/events", json=EVENT).raise_for_status()
        api.post("/api/v1/events/batch", json=[EVENT] * 2).raise_for_status()
    with counted(client[database]) as anchored:
        reports = wiring.auditor.audit_all("incremental", 60)
    assert [(report.status, report.anchored_size) for report in reports if report.chain == "main"] == [("intact", 5)]
    return appended, anchored, len(reports)


@pytest.mark.replica_set  # a router has no profiler
@pytest.mark.new_database  # both are: making indexes counts, too
@pytest.mark.usefixtures("_soon")
def test_witnesses_that_hang_cost_an_append_and_an_anchor_nothing(
    client: Client, mongo_uri: str, database: str, tmp_path: Path, hanging: Hanging
) -> None:
    url = f"http://127.0.0.1:{hanging.server_address[1]}/w"
    policy = policy_of(*((f"w{n}", ed25519(f"witness.example/w{n}", n + 1), url) for n in range(3)))
    try:
        with (
            log_of(tmp_path / "without", mongo_uri, f"{database}_w", None) as (api, wiring),
            log_of(tmp_path / "with", mongo_uri, database, policy) as (asking, witnessed),
        ):
            appended, anchored, _ = cost_of(api, wiring, client, f"{database}_w")
            also, with_them, audits = cost_of(asking, witnessed, client, database)
            assert sum(appended.values()) > 3
            assert also == appended
            # An audit reads what is known of its chain's witnesses; what anchors is the same, and waited for nobody.
            assert with_them - anchored == Counter({LOOK: audits})
            assert anchored - with_them == Counter()
            assert hanging.asked == 0
            assert witnessed.witnessing is not None
            outcome = witnessed.witnessing.round(witnessed.auditor.audit_all("incremental", 60))
            assert {record.state for record in outcome.records} <= {"silent", "not_asked"}
            assert hanging.asked == 3
    finally:
        client.drop_database(f"{database}_w")
