"""The password is changed while the functions live: they read the secret again, and nobody redeploys them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import boto3
import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from eventlog.http import audits
from eventlog.http.app import create_app
from eventlog.store.errors import CredentialsRefusedError
from eventlog.wiring import secret
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from functions.chain_audit.app import routers as audit_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from local.machine import wait_until
from local.mongod.secured import SecuredMongo
from tests.support.rotated import NEW, Rotated, Secret, in_parameter_store, in_secrets_manager, rotated
from tests.support.secured import secured_mongo

pytestmark = pytest.mark.usefixtures("aws")

EVENT = {"event_type": "t", "timestamp": "2026-11-23T00:00:00Z", "source_id": "s", "payload": {}}
NO_URI = "mongodb://eventlog-ingest:s3cr3t@pass@db.example.com/eventlog"  # an @ that is not escaped


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMongo]:
    """A mongod with access control that tests restart."""
    with secured_mongo(tmp_path_factory.mktemp("rotated")) as running:
        yield running


def api(found: Rotated, routers: Sequence[APIRouter]) -> TestClient:
    return TestClient(create_app(*routers, title="rotated", settings=found.settings(), anonymous=True))


def connection(client: TestClient) -> Connection:
    found: Connection = client.app.state.connection  # type: ignore[attr-defined]
    return found


def stored(found: Rotated) -> int:
    """How many events are in the log."""
    with found.log.mongo.client() as administrator:
        document = administrator[found.log.database]["sequences"].find_one({"_id": "main"})
    return 0 if document is None else int(document["size"])


@pytest.mark.parametrize("keep", [in_secrets_manager, in_parameter_store])
def test_ingest_goes_on_with_the_new_password(mongo: SecuredMongo, keep: Callable[[str], Secret]) -> None:
    found = rotated(mongo, "ingest", keep)
    client = api(found, ingest_routers)
    with closing(connection(client)):
        assert client.post("/api/v1/events", json=EVENT).status_code == 201
        found.change_password()
        found.secret.put(found.uri(NEW))
        refused = client.post("/api/v1/events", json=EVENT)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "MongoDB" in refused.json()["detail"]
        assert stored(found) == 1
        assert client.post("/api/v1/events", json=EVENT).status_code == 201
        assert client.post("/api/v1/events/batch", json=[EVENT, EVENT]).status_code == 201
        assert stored(found) == 4


def test_a_batch_that_is_refused_leaves_nothing_behind(mongo: SecuredMongo) -> None:
    found = rotated(mongo, "ingest")
    client = api(found, ingest_routers)
    with closing(connection(client)):
        assert client.post("/api/v1/events/batch", json=[EVENT]).status_code == 201
        found.replace_user()
        named = [EVENT | {"event_id": f"e-{n}"} for n in range(3)]
        assert client.post("/api/v1/events/batch", json=named).status_code == 503
        assert stored(found) == 1
        assert client.post("/api/v1/events/batch", json=named).status_code == 201
        assert stored(found) == 4


def test_query_goes_on_with_the_new_password(mongo: SecuredMongo) -> None:
    found = rotated(mongo, "query")
    client = api(found, query_routers)
    with closing(connection(client)):
        assert client.get("/api/v1/health").status_code == 200
        found.change_password()
        found.secret.put(found.uri(NEW))
        assert client.get("/api/v1/health").status_code == 503
        assert client.get("/api/v1/events").status_code == 200


def test_audits_go_on_over_http_and_on_schedule(mongo: SecuredMongo) -> None:
    found = rotated(mongo, "audit")
    client = api(found, audit_routers)
    wired = AuditWiring(connection(client))
    with closing(wired.connection):
        assert "skipped" not in audits.run_scheduled(wired, "incremental")
        found.change_password()
        found.secret.put(found.uri(NEW))
        with pytest.raises(CredentialsRefusedError):
            audits.run_scheduled(wired, "incremental")
        assert "skipped" not in audits.run_scheduled(wired, "incremental")
        assert client.get("/api/v1/audits").status_code == 200
        assert client.post("/api/v1/audits").status_code == 404  # answered by MongoDB: there is no such chain


def test_a_secret_that_is_changed_late_is_found_later(mongo: SecuredMongo) -> None:
    found = rotated(mongo, "ingest")
    client = api(found, ingest_routers)
    with closing(connection(client)):
        assert client.post("/api/v1/events", json=EVENT).status_code == 201
        before = connection(client).current
        found.change_password()
        assert client.post("/api/v1/events", json=EVENT).status_code == 503
        assert connection(client).current is before  # the same secret: nothing is gained by another client
        found.secret.put(found.uri(NEW))
        wait_until("the secret to be read", lambda: client.post("/api/v1/events", json=EVENT).status_code == 201)


def test_requests_at_once_end_with_201_or_503_and_share_one_new_client(
    mongo: SecuredMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rotated(mongo, "ingest")
    client = api(found, ingest_routers)
    reads: list[str] = []
    read = secret._read

    def count(arn: str) -> str:
        reads.append(arn)
        return read(arn)

    monkeypatch.setattr(secret, "_read", count)
    stop = threading.Event()

    def post() -> list[int]:
        seen = []
        while not stop.is_set():
            seen.append(client.post("/api/v1/events", json=EVENT).status_code)
        return seen

    with closing(connection(client)), client, ThreadPoolExecutor(12) as threads:
        assert client.post("/api/v1/events", json=EVENT).status_code == 201
        before = connection(client).current
        running = [threads.submit(post) for _ in range(12)]
        found.replace_user()
        try:
            wait_until("another client", lambda: connection(client).current is not before)
            size = stored(found)
            wait_until("more events", lambda: stored(found) > size + 100)
        finally:
            stop.set()
        answers = [status for done in running for status in done.result(60)]
        assert set(answers) == {201, 503}
        assert answers[-1] == 201
        assert stored(found) >= 1 + answers.count(201)
        assert len(reads) == 2  # the first time, and once when it was refused


def test_a_new_secret_that_is_no_uri_changes_nothing_and_is_not_shown(
    mongo: SecuredMongo, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rotated(mongo, "ingest")
    client = api(found, ingest_routers)
    connected = connection(client)
    with closing(connected):
        assert client.post("/api/v1/events", json=EVENT).status_code == 201
        before = connected.current
        found.secret.put(NO_URI)
        connected.refused()
        assert connected.current is before
        assert client.post("/api/v1/events", json=EVENT).status_code == 201
    (said,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "MONGO_URI_SECRET" in vars(said)["error"]
    assert "s3cr3t" not in caplog.text + capsys.readouterr().out + str([vars(record) for record in caplog.records])


def test_a_secret_that_can_not_be_read_again_leaves_things_as_they_are(mongo: SecuredMongo) -> None:
    found = rotated(mongo, "ingest")
    with closing(Connection(found.settings())) as connected:
        before = connected.current
        boto3.client("secretsmanager").delete_secret(SecretId=found.secret.arn, ForceDeleteWithoutRecovery=True)
        connected.refused()
        assert connected.current is before
