"""A CloudEvent that is delivered again is a replay, whatever the mode, the way in, and what brokers did to it."""

import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.http.app import create_app, lambda_handler
from eventlog.ingest.cloudevents import event_id
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from tests.infrastructure.invoke import Context
from tests.support.callers import by_jwt, gateway_event
from tests.support.queues import Queues, consumer, fifo_queues

EVENTS, BATCH, ASYNC = "/api/v1/events", "/api/v1/events/batch", "/api/v1/events?async=true"
PAID: dict[str, Any] = {
    "specversion": "1.0",
    "source": "/shop",
    "type": "order.paid",
    "time": "2026-11-23T12:00:00Z",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "data": {"order": 4711, "sum": 12.50},
}
AGAIN = PAID | {
    "time": "2026-11-23T13:00:00.000+01:00",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
    "knativearrivaltime": "2026-11-23T12:00:05.123456789Z",
    "knativehistory": "default-kne-trigger-kn-channel.svc",
    "datacontenttype": "application/json; charset=utf-8",
}
Post = Callable[[str, dict[str, str], bytes], tuple[int, Any]]
Send = Callable[[Post, dict[str, Any]], tuple[int, Any]]


def binary(post: Post, form: dict[str, Any], path: str = EVENTS) -> tuple[int, Any]:
    headers = {f"ce-{name}": value for name, value in form.items() if name not in {"data", "datacontenttype"}}
    kind = {"content-type": form.get("datacontenttype", "application/json")}
    return post(path, headers | kind, json.dumps(form["data"], indent=2).encode())


def structured(post: Post, form: dict[str, Any]) -> tuple[int, Any]:
    return post(EVENTS, {"content-type": "application/cloudevents+json"}, json.dumps(form).encode())


def batched(post: Post, form: dict[str, Any]) -> tuple[int, Any]:
    kind = {"content-type": "application/cloudevents-batch+json"}
    status, answer = post(BATCH, kind, json.dumps([form]).encode())
    return status, answer["receipts"][0] if "receipts" in answer else answer


MODES: list[Send] = [binary, structured, batched]


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with fifo_queues(monkeypatch) as queues:
        yield queues


@pytest.fixture
def log(queues: Queues, mongo_uri: str, database: str) -> Iterator[TestClient]:
    settings = queues.settings(mongo_uri, database)
    app = create_app(*ingest_routers, *query_routers, title="again", settings=settings, anonymous=True)
    with TestClient(app) as client:
        yield client
    app.state.connection.close()


def ways(log: TestClient) -> dict[str, Post]:
    handler: Any = lambda_handler(log.app)  # type: ignore[arg-type]

    def by_server(path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        answer = log.post(path, headers=headers, content=body)
        return answer.status_code, answer.json()

    def by_function(path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        params = dict([query.split("=")]) if query else {}
        caller = by_jwt(sub="s", scope="events:write")
        answer = handler(gateway_event("POST", path, caller, params=params, headers=headers, content=body), Context(1))
        return answer["statusCode"], json.loads(answer["body"])

    return {"server": by_server, "function": by_function}


def test_an_event_that_is_delivered_again_is_a_replay_in_every_mode(log: TestClient) -> None:
    """Each mode after each mode, on the server and behind the gateway; what is stored stays as it was first sent."""
    for number, ((way, post), first, second) in enumerate(product(ways(log).items(), MODES, MODES)):
        case, same = f"{way}: {first.__name__}, {second.__name__}", {"id": f"1-{number}"}
        status, receipt = first(post, PAID | same)
        assert status == 201, case
        stored = log.get(f"{EVENTS}/{receipt['event_id']}").json()
        assert second(post, AGAIN | same) == (200, receipt), case
        assert log.get(f"{EVENTS}/{receipt['event_id']}").json() == stored, case
        for changed in ({"data": {"order": 4712}}, {"type": "order.sent"}, {"subject": "x"}):
            status, answer = second(post, AGAIN | same | changed)
            assert (status, "receipts" in answer) == (409, False), (case, changed)
    assert log.get("/api/v1/chains/main").json()["size"] == 2 * 9


def test_an_event_that_is_delivered_again_through_the_queue_is_a_replay(log: TestClient, queues: Queues) -> None:
    consume = consumer(log.app.state.connection)  # type: ignore[attr-defined]
    for number, (way, post) in enumerate(ways(log).items()):
        queued, direct = {"id": f"q-{number}"}, {"id": f"d-{number}"}
        assert structured(post, PAID | direct)[0] == 201
        for form in (PAID | queued, AGAIN | queued, AGAIN | direct):
            assert binary(post, form, ASYNC)[0] == 202, way
        queues.poll(consume)
        assert queues.dead() == [], way
        assert structured(post, AGAIN | queued)[0] == 200, way
    binary(ways(log)["server"], AGAIN | {"id": "q-0", "data": 1}, ASYNC)
    queues.poll(consume)
    assert [reason for *_, reason in queues.dead()] == ["conflict: the id exists with other content"]
    assert log.get("/api/v1/chains/main").json()["size"] == 4


QUOTED = {
    '"a b \\"c\\""': 'a b "c"',
    '"Euro \\\\ %E2%82%AC"': "Euro \\ €",
    '""': "",
    "a%22b": 'a"b',
    "%22a%22": '"a"',
    "%2522": "%22",
    '"%2522"': "%22",
    'say "hi"': 'say "hi"',
    "a, b": "a, b",
}
"""A header's value, and the attribute that it stands for (HTTP binding 1.0.2, section 3.1.3.2)."""


def test_a_header_s_value_is_unquoted_and_then_decoded_once(log: TestClient) -> None:
    for number, (sent, meant) in enumerate(QUOTED.items()):
        for way, post in ways(log).items():
            form = PAID | {"id": f"{way}-{number}", "subject": sent, "myext": sent}
            status, receipt = binary(post, form)
            assert status == 201, (way, sent)
            payload = log.get(f"{EVENTS}/{receipt['event_id']}").json()["payload"]
            assert (payload["subject"], payload["myext"]) == (meant, meant), (way, sent)
            assert structured(post, form | {"subject": meant})[0] == 200, (way, sent)
    for broken in ('"', '"a', '"a"b', '"a" "b"', '"a\\"'):
        for way, post in ways(log).items():
            status, answer = binary(post, PAID | {"id": "b", "subject": broken})
            assert (status, answer["errors"][0]["pointer"]) == (422, "/subject"), (way, broken)


def test_a_header_that_is_sent_twice_is_refused(log: TestClient) -> None:
    """The server sees both. API Gateway joins them with a comma, which then says so in what an event is known by."""
    ce = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "t"}
    kind = ("content-type", "text/plain")
    by_server, by_function = ways(log).values()
    for name in (*ce, "ce-subject", "ce-time", "ce-myext"):
        first = ce.get(name, "2026-11-23T12:00:00Z")
        twice = [*(ce | {name: first}).items(), kind, (name.upper(), first)]
        answer = log.post(EVENTS, headers=twice)
        assert (answer.status_code, pointers(answer.json())) == (422, [f"/{name[3:]}"]), name
        if name not in ("ce-subject", "ce-myext"):
            status, refused = by_function(EVENTS, ce | dict([kind]) | {name: f"{first},{first}"}, b"")
            assert (status, pointers(refused)) == (422, [f"/{name[3:]}"]), name
    for way, post in (("server", by_server), ("function", by_function)):
        status, refused = post(EVENTS, ce | {"content-type": "text/plain,text/plain"}, b"x")
        assert (status, pointers(refused)) == (415, ["/header/content-type"]), way
    answer = log.post(EVENTS, headers=[*ce.items(), kind, kind])
    assert (answer.status_code, pointers(answer.json())) == (415, ["/header/content-type"])
    native = [("content-type", "application/json"), ("content-type", "application/cloudevents+json")]
    for path in (EVENTS, BATCH):
        answer = log.post(path, headers=native, content=b"[]")
        assert (answer.status_code, pointers(answer.json())) == (415, ["/header/content-type"]), path
    assert log.get("/api/v1/chains").json()["chains"] == []


def test_a_comma_that_is_meant_can_be_sent_on_every_way(log: TestClient) -> None:
    ce = {"ce-specversion": "1.0", "ce-type": "t", "content-type": "text/plain"}
    for number, (way, post) in enumerate(ways(log).items()):
        commas = {"ce-source": f"/a,{number}", "ce-id": "1,2", "ce-tracestate": "a=1,b=2", "ce-subject": "x,y"}
        for written in ("%2C", '","'):
            known = {
                name: value.replace(",", written) for name, value in commas.items() if name in ("ce-source", "ce-id")
            }
            if written != "%2C":
                known = {name: f'"{commas[name]}"' for name in known}
            status, receipt = post(EVENTS, ce | commas | known, b"x")
            assert (status, receipt["event_id"]) == (201 if written == "%2C" else 200, event_id(f"/a,{number}", "1,2"))
        payload = log.get(f"{EVENTS}/{receipt['event_id']}").json()["payload"]
        assert (payload["tracestate"], payload["subject"]) == ("a=1,b=2", "x,y"), way
    assert by_plain_comma(log)[0] == 200


def by_plain_comma(log: TestClient) -> tuple[int, Any]:
    """On a server, which would see two headers, a comma is a comma."""
    ce = {"ce-specversion": "1.0", "ce-type": "t", "ce-subject": "x,y", "content-type": "text/plain"}
    return ways(log)["server"](EVENTS, ce | {"ce-source": "/a,0", "ce-id": "1,2"}, b"x")


def pointers(answer: Any) -> list[str]:
    return [error["pointer"] for error in answer["errors"]]
