"""Over HTTP: what a report says of anchors, and that nobody but the log itself appends what is the log's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.anchors.signing import create_key_file
from eventlog.http.app import create_app
from eventlog.settings import Settings
from functions.chain_audit.app import routers as audit_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from tests.integration.bad_input import CLOUDEVENT, GOOD

Json = dict[str, Any]


@pytest.fixture
def anchored(mongo_uri: str, database: str, tmp_path: Path) -> Iterator[TestClient]:
    """The API with a key and a directory for anchors."""
    create_key_file(tmp_path / "key")
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        anchors=str(tmp_path / "anchors"),
        signing_keys=str(tmp_path / "key"),
    )
    app = create_app(*ingest_routers, *query_routers, *audit_routers, title="local", settings=settings, anonymous=True)
    with TestClient(app) as client:
        yield client
    app.state.connection.close()


def append(api: TestClient, **fields: Any) -> None:
    assert api.post("/api/v1/events", json=GOOD | fields).status_code == 201


def audited(api: TestClient) -> Json:
    """The report of an audit, as it is shown later."""
    started = api.post("/api/v1/audits", json={})
    assert started.status_code == 200
    shown = api.get(f"/api/v1/audits/{started.json()['audit_id']}")
    assert shown.json() == started.json()
    report: Json = shown.json()
    return report


def test_a_report_says_how_far_the_chain_is_anchored_and_since_when(anchored: TestClient) -> None:
    append(anchored)
    append(anchored)
    report = audited(anchored)
    assert (report["status"], report["anchored_size"], report["unanchored_events"]) == ("intact", 2, 0)
    checkpoint = anchored.get("/api/v1/chains/main").json()["last_checkpoint"]
    assert report["anchored_at"] == checkpoint["time"]
    assert report["incomplete_because"] is None


def test_without_anchors_a_report_says_that_nothing_is_anchored(api: TestClient) -> None:
    append(api)
    report = audited(api)
    assert (report["status"], report["anchored_size"], report["anchored_at"]) == ("intact", None, None)
    assert report["unanchored_events"] == 1


def test_a_report_counts_events_whose_claimed_time_is_far_off(anchored: TestClient) -> None:
    append(anchored, timestamp="1999-01-01T00:00:00Z")
    report = audited(anchored)
    assert (report["status"], report["skew"]["events"], report["skew"]["seq"]) == ("intact", 1, 0)
    assert report["skew"]["seconds"] > 20 * 365 * 86_400


def test_a_report_says_what_could_not_be_reached(anchored: TestClient, tmp_path: Path) -> None:
    append(anchored)
    (tmp_path / "anchors").write_text("no directory")
    report = audited(anchored)
    assert (report["status"], report["findings"]) == ("incomplete", [])
    assert "anchors" in report["incomplete_because"]
    assert report["anchored_size"] is None


def test_the_log_s_own_chain_can_be_read_like_any_other(anchored: TestClient) -> None:
    append(anchored)
    audited(anchored)
    events = anchored.get("/api/v1/events", params={"chain": "eventlog.registry"}).json()["events"]
    assert [(event["event_type"], event["event_id"]) for event in events] == [("eventlog.chain_registered", "main")]


CE_TYPE = {"Content-Type": "application/cloudevents+json"}
CE_BATCH = {"Content-Type": "application/cloudevents-batch+json"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/app", "ce-type": "user.login"}
Send = Callable[[TestClient], Any]
OWN: dict[str, tuple[str, Send]] = {
    "chain": ("/chain", lambda api: api.post("/api/v1/events", json=GOOD | {"chain": "eventlog.registry"})),
    "type": ("/event_type", lambda api: api.post("/api/v1/events", json=GOOD | {"event_type": "eventlog.x"})),
    "id": ("/event_id", lambda api: api.post("/api/v1/events", json=GOOD | {"event_id": "eventlog.key-2"})),
    "chain in a batch": (
        "/0/chain",
        lambda api: api.post("/api/v1/events/batch", json=[GOOD | {"chain": "eventlog.registry"}]),
    ),
    "chain of a batch": (
        "/query/chain",
        lambda api: api.post("/api/v1/events/batch?chain=eventlog.registry", json=[GOOD]),
    ),
    "type in a batch": (
        "/1/event_type",
        lambda api: api.post("/api/v1/events/batch", json=[GOOD, GOOD | {"event_type": "eventlog.x"}]),
    ),
    "id in a batch": (
        "/0/event_id",
        lambda api: api.post("/api/v1/events/batch", json=[GOOD | {"event_id": "eventlog.x"}]),
    ),
    "chain of an event": (
        "/query/chain",
        lambda api: api.post("/api/v1/events?chain=eventlog.registry", json=GOOD),
    ),
    "chain of a CloudEvent": (
        "/query/chain",
        lambda api: api.post("/api/v1/events?chain=eventlog.registry", json=CLOUDEVENT, headers=CE_TYPE),
    ),
    "type of a CloudEvent": (
        "/type",
        lambda api: api.post("/api/v1/events", json=CLOUDEVENT | {"type": "eventlog.x"}, headers=CE_TYPE),
    ),
    "type in a batch of CloudEvents": (
        "/0/type",
        lambda api: api.post("/api/v1/events/batch", json=[CLOUDEVENT | {"type": "eventlog.x"}], headers=CE_BATCH),
    ),
    "chain of a batch of CloudEvents": (
        "/query/chain",
        lambda api: api.post("/api/v1/events/batch?chain=eventlog.x", json=[CLOUDEVENT], headers=CE_BATCH),
    ),
    "chain in binary mode": (
        "/query/chain",
        lambda api: api.post("/api/v1/events?chain=eventlog.registry", json={}, headers=BINARY),
    ),
    "type in binary mode": (
        "/type",
        lambda api: api.post("/api/v1/events", json={}, headers=BINARY | {"ce-type": "eventlog.x"}),
    ),
}


@pytest.mark.parametrize(("pointer", "send"), OWN.values(), ids=OWN)
def test_what_is_the_log_s_own_is_refused_by_name_and_nothing_is_stored(
    api: TestClient, pointer: str, send: Send
) -> None:
    answer = send(api)
    assert answer.status_code == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]
    assert "eventlog." in answer.json()["errors"][0]["detail"]
    assert api.get("/api/v1/chains").json()["chains"] == []


@pytest.mark.parametrize("name", ["eventlog", "eventlogs.x", "eventlog-x"])
def test_names_that_only_look_alike_are_free(api: TestClient, name: str) -> None:
    append(api, chain=name, event_type=name, event_id=name)
