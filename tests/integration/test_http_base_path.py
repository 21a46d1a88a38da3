"""What is sent in another form than it is said to be in, and the path before the log's own; on both ways in."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from eventlog.http.app import create_app, lambda_handler
from eventlog.settings import Settings
from eventlog.store.mongo.store import connect
from functions.query.app import dashboard_router
from local.server import build_app
from tests.infrastructure.invoke import Context
from tests.support.access import API, EVENT, ROUTERS
from tests.support.callers import by_jwt, gateway_event

EVENTS, BATCH, JSON, NDJSON = f"{API}/events", f"{API}/events/batch", "application/json", "application/x-ndjson"


@pytest.fixture(scope="module")
def settings(mongo_uri: str) -> Iterator[Settings]:
    name = f"test_{uuid4().hex[:12]}"
    yield Settings(mongo_uri=mongo_uri, mongo_database=name)
    with connect(mongo_uri) as client:
        client.drop_database(name)


@dataclass(frozen=True)
class Request:
    """A request of somebody who may do everything."""

    method: str
    path: str
    body: bytes = b""
    accept: str = "*/*"
    kind: str = "application/json"


Ask = Callable[[Request, str], tuple[int, Mapping[str, str], bytes]]
"""Asks with a path before that of the request; status, headers and body."""


def of_server(app: FastAPI) -> Ask:
    client = TestClient(app, follow_redirects=False)

    def ask(wanted: Request, base: str) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"content-type": wanted.kind, "accept": wanted.accept}
        answer = client.request(wanted.method, base + wanted.path, content=wanted.body, headers=headers)
        return answer.status_code, answer.headers, answer.content

    return ask


def of_gateway(app: FastAPI) -> Ask:
    handler: Any = lambda_handler(app)
    caller = by_jwt(sub="s", scope="events:read events:write audits:write")

    def ask(wanted: Request, base: str) -> tuple[int, Mapping[str, str], bytes]:
        path, _, query = wanted.path.partition("?")
        headers = {"content-type": wanted.kind, "accept": wanted.accept}
        event = gateway_event(wanted.method, path, caller, params={}, headers=headers, content=wanted.body)
        # Its routeKey is that of the route, without the base path.
        event["rawPath"] = event["requestContext"]["http"]["path"] = base + path
        answer = handler(event | {"rawQueryString": query}, Context(1))
        return answer["statusCode"], answer["headers"], answer["body"].encode()

    return ask


ONE = orjson.dumps(EVENT)
LINES = [ONE + b"\n" + ONE + b"\n", b"\n" + ONE + b"\r\n\r\n" + ONE, ONE + b"\n{"]
HINTS = [
    *((BATCH, JSON, body, 400, NDJSON) for body in LINES),
    *((EVENTS, JSON, body, 400, f"{BATCH} as {NDJSON}") for body in LINES),
    (BATCH, JSON, ONE, 422, NDJSON),
    (BATCH, NDJSON, b"[" + ONE + b"]", 422, JSON),
    (BATCH, NDJSON, b" [\n" + ONE + b",\n" + ONE + b"]", 422, JSON),
    (BATCH, "application/ndjson", ONE, 415, NDJSON),
    (BATCH, "text/plain", ONE, 415, NDJSON),
]


def test_lines_that_are_sent_as_something_else_are_told_what_they_are(settings: Settings) -> None:
    app = create_app(*ROUTERS, title=f"hints-{uuid4().hex}", settings=settings, anonymous=True)
    for way, ask in (("server", of_server(app)), ("gateway", of_gateway(app))):
        for path, kind, body, expected, hint in HINTS:
            status, _, answer = ask(Request("POST", path, body, kind=kind), "")
            (error,) = orjson.loads(answer)["errors"]
            assert (status, hint in error["detail"]) == (expected, True), (way, path, kind, body, error)
    app.state.connection.close()


def test_a_header_that_is_sent_twice_is_read_as_behind_the_gateway(settings: Settings) -> None:
    """Joined with a comma: a list goes on, and two values where one is meant are none."""
    app = create_app(*ROUTERS, title=f"twice-{uuid4().hex}", settings=settings, anonymous=True)
    client = TestClient(app)
    answer = client.get(f"{API}/events/stream", headers=[("last-event-id", "1"), ("Last-Event-ID", "2")])
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/header/Last-Event-ID")
    answer = client.get(EVENTS, headers=[("accept", "application/json;q=0.5"), ("accept", NDJSON)])
    assert answer.headers["content-type"] == NDJSON
    kinds = [("content-type", "text/plain"), ("content-type", JSON)]
    for sent in (kinds, kinds[::-1], kinds[1:] * 2):
        assert client.post(EVENTS, content=ONE, headers=sent).status_code == 415
    coded = [("content-type", JSON), ("content-encoding", "identity"), ("content-encoding", "gzip")]
    assert client.post(EVENTS, content=ONE, headers=coded).headers["accept-encoding"] == "identity"
    app.state.connection.close()


BASE = "/log/eu"


def test_under_a_base_path_every_address_that_is_answered_begins_with_it(settings: Settings) -> None:
    """A custom domain hands the whole path over, a proxy may take the base path off: the answers are the same."""
    under = settings.model_copy(update={"base_path": BASE})
    app = create_app(*ROUTERS, dashboard_router, title=f"base-{uuid4().hex}", settings=under, anonymous=True)
    assert of_server(app)(Request("POST", EVENTS, ONE), "")[0] == 201  # so that there is a next page
    for way, ask in (("server", of_server(app)), ("gateway", of_gateway(app))):
        for base in (BASE, ""):
            case = f"{way} with {base!r}"
            for path in (f"{API}/health", "/", "/dashboard/main.js", "/dashboard/config.json"):
                for method in ("GET", "HEAD"):
                    assert ask(Request(method, path), base)[0] == 200, (case, path)
            event = orjson.dumps(EVENT | {"event_id": f"b-{uuid4().hex}"})
            status, headers, _ = ask(Request("POST", EVENTS, event), base)
            assert (status, headers["location"].startswith(f"{BASE}{API}/events/b-")) == (201, True), case
            assert ask(Request("GET", headers["location"].removeprefix(BASE)), BASE)[0] == 200, case
            _, headers, _ = ask(Request("POST", f"{API}/audits", b""), base)
            assert headers["location"].startswith(f"{BASE}{API}/audits/"), case
            _, headers, _ = ask(Request("GET", f"{API}/events?limit=1", accept="text/csv"), base)
            assert headers["link"].startswith(f"<{BASE}{API}/events?limit=1&cursor="), case
            for path in (
                f"{API}/nowhere",
                "/logs",
                f"{BASE}{BASE}{API}/health",
                "/api//v1/health",
                f"/%2e{API}/health",
            ):
                assert ask(Request("GET", path), base)[0] == 404, (case, path)
        assert ask(Request("GET", f"/log{API}/health"), "")[0] == 404, way
        status, headers, _ = ask(Request("GET", f"{BASE}?view=events"), "")
        assert (status, headers["location"]) == (308, f"{BASE}/?view=events"), way
    app.state.connection.close()


def test_the_description_names_the_base_path(settings: Settings) -> None:
    app = build_app(settings.model_copy(update={"base_path": BASE}))
    with closing(app.state.connection), TestClient(app, base_url="http://localhost") as client:
        assert client.get(f"{BASE}/openapi.json").json()["servers"] == [{"url": BASE}]
        page = client.get(f"{BASE}/docs").text
        for address in ('href="openapi.json"', 'href="dashboard/style.css"', 'href="./"'):
            assert address in page
