"""Asynchronous ingest over HTTP: what is accepted into the queue, what is refused before, and the receipt later."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.http.wired import wiring_of
from eventlog.ingest.queue_message import parse_message
from eventlog.settings import Settings
from eventlog.wiring.ingest import IngestWiring
from eventlog_client import EventLog, RefusedError
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from local.server import build_app
from tests.support.queues import Queues, consumer, fifo_queues
from tests.support.serving import served as serving

EVENTS = "/api/v1/events"
ASYNC = f"{EVENTS}?async=true"
CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order"}


def event(**fields: Any) -> dict[str, Any]:
    return {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {"n": 1}} | fields


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with fifo_queues(monkeypatch) as queues:
        yield queues


@contextmanager
def served(settings: Settings) -> Iterator[TestClient]:
    app = create_app(*ingest_routers, *query_routers, title="local", settings=settings, anonymous=True)
    with closing(app.state.connection), TestClient(app) as api:
        yield api


@pytest.fixture
def api(queues: Queues, mongo_uri: str, database: str) -> Iterator[TestClient]:
    with served(queues.settings(mongo_uri, database)) as api:
        yield api


def consume(api: TestClient, queues: Queues) -> list[str]:
    return queues.poll(consumer(api.app.state.connection))  # type: ignore[attr-defined]


def test_the_receipt_s_address_begins_with_the_base_path(queues: Queues, mongo_uri: str, database: str) -> None:
    with served(queues.settings(mongo_uri, database, base_path="/log")) as api:
        answer = api.post(f"/log{ASYNC}", json=event())
        assert answer.json()["receipt"].startswith("/log/api/v1/events/")
        assert answer.headers["location"] == answer.json()["receipt"]
        consume(api, queues)
        assert api.get(answer.json()["receipt"]).status_code == 200


def test_an_event_is_accepted_then_appended_and_then_has_its_receipt(api: TestClient, queues: Queues) -> None:
    answer = api.post(ASYNC, json=event(chain="shop.eu"))
    accepted = answer.json()
    assert (answer.status_code, accepted["chain"]) == (202, "shop.eu")
    assert accepted.keys() == {"event_id", "chain", "received_at", "receipt"}
    assert answer.headers["location"] == accepted["receipt"]
    missing = api.get(accepted["receipt"])
    assert (missing.status_code, "on its way" in missing.json()["detail"]) == (404, True)
    assert consume(api, queues) == []
    receipt = api.get(accepted["receipt"])
    assert receipt.status_code == 200
    assert (receipt.json()["seq"], receipt.json()["received_at"]) == (0, accepted["received_at"])
    shown = api.get(f"{EVENTS}/{accepted['event_id']}?chain=shop.eu").json()
    assert (shown["payload"], shown["principal"]) == ({"n": 1}, "anonymous")


def test_the_receipt_is_the_one_that_the_append_answered(api: TestClient) -> None:
    answer = api.post(EVENTS, json=event(event_id="a"))
    assert api.get(f"{EVENTS}/a/receipt").json() == answer.json()
    assert api.get(f"{EVENTS}/a/receipt").content == answer.content


def test_a_synchronous_append_of_the_same_event_is_a_replay_with_that_receipt(api: TestClient, queues: Queues) -> None:
    accepted = api.post(ASYNC, json=event(event_id="a")).json()
    consume(api, queues)
    again = api.post(EVENTS, json=event(event_id="a"))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == api.get(accepted["receipt"]).content


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_cloudevents_are_accepted_in_both_modes(api: TestClient, queues: Queues, mode: str) -> None:
    if mode == "structured":
        headers = {"content-type": "application/cloudevents+json"}
        answer = api.post(ASYNC, json=CLOUDEVENT | {"data": {"a": 1.5}}, headers=headers)
    else:
        binary = {f"ce-{name}": value for name, value in CLOUDEVENT.items()} | {"content-type": "application/json"}
        answer = api.post(ASYNC, content=b'{"a": 1.5}', headers=binary)
    assert answer.status_code == 202
    assert consume(api, queues) == []
    shown = api.get(f"{EVENTS}/{answer.json()['event_id']}").json()
    assert shown["payload"]["data"] == {"a": 1.5}
    assert shown["timestamp"] == shown["received_at"] == answer.json()["received_at"]


def test_each_request_is_a_message_of_its_own_in_the_group_of_its_chain(api: TestClient, queues: Queues) -> None:
    accepted = [api.post(f"{ASYNC}&chain={chain}", json=event(event_id="a")).json() for chain in ("x", "y", "y")]
    messages = queues.received(queues.url)
    assert sorted(message["Attributes"]["MessageGroupId"] for message in messages) == ["x", "y", "y"]
    entries = [parse_message(message["Body"]).entry for message in messages]
    assert {(entry.chain, entry.event_id) for entry in entries} == {(item["chain"], "a") for item in accepted}
    assert len({message["Attributes"]["MessageDeduplicationId"] for message in messages}) == 3


@pytest.mark.parametrize(
    ("body", "kind", "refusal"),
    [
        (b"{", "application/json", (400, "")),
        (b'{"a":1,"a":1}', "application/json", (400, "/a")),
        (json.dumps(event(event_id="ce-1")).encode(), "application/json", (422, "/event_id")),
        (json.dumps(event(chain="eventlog.registry")).encode(), "application/json", (422, "/chain")),
        (json.dumps(event(timestamp="yesterday")).encode(), "application/json", (422, "/timestamp")),
        (json.dumps(event(more=1)).encode(), "application/json", (422, "/more")),
        (json.dumps(event(payload={"x": "a" * (256 << 10)})).encode(), "application/json", (413, "/payload")),
        (b"x" * ((4 << 20) + 1), "application/json", (413, "")),
        (b"{}", "text/plain", (415, "/header/content-type")),
        (json.dumps(CLOUDEVENT | {"id": ""}).encode(), "application/cloudevents+json", (422, "/id")),
        (json.dumps(event(payload={"x": "\x7f" * 200_000})).encode(), "application/json", (413, "")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_synchronous_route_refuses_is_refused_before_anything_is_queued(
    api: TestClient, queues: Queues, body: bytes, kind: str, refusal: tuple[int, str]
) -> None:
    answer = api.post(ASYNC, content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == refusal
    assert queues.received(queues.url) == []


@pytest.mark.parametrize("character", ['"', "é", "\uffff", "😀", "\\"])
def test_the_largest_payload_goes_through_the_queue_as_it_is(api: TestClient, queues: Queues, character: str) -> None:
    size = len(json.dumps(character)) - 2 if character.isascii() else len(character.encode())
    payload = {"x": character * ((262_144 - 8) // size)}
    accepted = api.post(ASYNC, json=event(payload=payload))
    assert accepted.status_code == 202
    assert consume(api, queues) == []
    assert api.get(f"{EVENTS}/{accepted.json()['event_id']}").json()["payload"] == payload


def test_what_the_queue_finds_too_large_is_refused_and_says_what_to_do(api: TestClient, queues: Queues) -> None:
    queues.sqs.set_queue_attributes(QueueUrl=queues.url, Attributes={"MaximumMessageSize": "1024"})
    answer = api.post(ASYNC, json=event(payload={"x": "a" * 1024}))
    assert answer.status_code == 413
    assert "send it with ?async=false" in answer.json()["errors"][0]["detail"]
    assert api.post(f"{EVENTS}?async=false", json=event(payload={"x": "a" * 1024})).status_code == 201


def test_a_queue_that_is_not_there_is_503_with_retry_after(queues: Queues, mongo_uri: str, database: str) -> None:
    settings = queues.settings(mongo_uri, database, EVENTLOG_QUEUE_URL=f"{queues.url}x.fifo")
    with served(settings) as api:
        answer = api.post(ASYNC, json=event(event_id="a"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert api.get(f"{EVENTS}/a").status_code == 404


def test_sqs_out_of_reach_is_503_and_appends_go_on(
    monkeypatch: pytest.MonkeyPatch, mongo_uri: str, database: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_QUEUE_URL="http://127.0.0.1:1/1/a.fifo")
    with served(settings) as api:
        answer = api.post(ASYNC, json=event())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "EndpointConnectionError" in answer.json()["detail"]
        assert api.post(EVENTS, json=event()).status_code == 201


def test_an_event_of_nobody_knows_whom_is_never_queued(queues: Queues, mongo_uri: str, database: str) -> None:
    app = create_app(*ingest_routers, *query_routers, title="local", settings=queues.settings(mongo_uri, database))
    with closing(app.state.connection), TestClient(app) as api:
        headers = {"content-type": "application/json"}
        assert api.post(ASYNC, json=event(), headers=headers).status_code == 401
    assert queues.received(queues.url) == []


def test_without_a_queue_async_is_refused_and_the_rest_is_as_ever(mongo_uri: str, database: str) -> None:
    with served(Settings(mongo_uri=mongo_uri, mongo_database=database)) as api:
        answer = api.post(ASYNC, json=event())
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/async")
        assert api.post(f"{EVENTS}?async=false", json=event()).status_code == 201


def test_async_can_be_the_default_and_a_request_can_say_otherwise(
    queues: Queues, mongo_uri: str, database: str
) -> None:
    with served(queues.settings(mongo_uri, database, EVENTLOG_ASYNC="true")) as api:
        assert api.post(EVENTS, json=event()).status_code == 202
        assert api.post(f"{EVENTS}?async=false", json=event()).status_code == 201
        assert api.post(f"{EVENTS}/batch", json=[event()]).status_code == 201


def test_a_default_of_async_needs_a_queue() -> None:
    with pytest.raises(ValidationError, match="EVENTLOG_ASYNC needs EVENTLOG_QUEUE_URL"):
        Settings.model_validate({"EVENTLOG_ASYNC": "true"})


@pytest.mark.parametrize(
    "path",
    [f"{EVENTS}?asynch=true", f"{EVENTS}?asynchronous=true", f"{EVENTS}?async=maybe", f"{EVENTS}/batch?async=true"],
)
def test_another_parameter_or_value_is_refused(api: TestClient, queues: Queues, path: str) -> None:
    answer = api.post(path, json=event())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"][:12]) == (422, "/query/async")
    assert queues.received(queues.url) == []


def test_sending_does_not_hold_up_the_event_loop(api: TestClient) -> None:
    seen: list[bool] = []

    class Queue:
        def send(self, *_: object, **__: object) -> None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                seen.append(False)
            else:
                seen.append(True)

    wiring_of(api.app, IngestWiring).queue = Queue()  # type: ignore[arg-type,assignment]
    assert api.post(ASYNC, json=event()).status_code == 202
    assert seen == [False]


def test_a_receipt_of_an_event_that_was_there_before_tells_by_when_it_was_received(
    api: TestClient, queues: Queues
) -> None:
    first = api.post(EVENTS, json=event(event_id="a")).json()
    later = api.post(ASYNC, json=event(event_id="a", payload={"n": 2})).json()
    assert consume(api, queues) == []
    found = api.get(later["receipt"]).json()
    assert found == first
    assert found["received_at"] != later["received_at"]
    assert api.get(f"{EVENTS}/a").json()["payload"] == {"n": 1}


def test_a_client_gets_its_receipt_at_once_or_a_conflict_though_the_log_queues_by_default(
    queues: Queues, mongo_uri: str, database: str
) -> None:
    app = build_app(queues.settings(mongo_uri, database, EVENTLOG_ASYNC=True))
    with closing(app.state.connection), serving(app) as url, EventLog(url) as log:
        assert log.append("t", "s", {"n": 1}, event_id="a", timestamp="2026-11-23T12:00:00Z").seq == 0
        with pytest.raises(RefusedError) as caught:
            log.append("t", "s", {"n": 2}, event_id="a", timestamp="2026-11-23T12:00:00Z")
        assert caught.value.status == 409
