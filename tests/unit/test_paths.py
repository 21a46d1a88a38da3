"""One reading of a path: what API Gateway and the app could read in two ways reaches no route."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import pytest

from eventlog.http.app import create_app, lambda_handler
from eventlog.http.dashboard import dashboard
from eventlog.settings import Settings
from tests.infrastructure.invoke import Context
from tests.support.access import ROUTERS, ROUTES, STREAM
from tests.support.each import each

UNCLEAR = [
    *("a%2Fb", "a%2fb", "%2F", "a%5Cb", "a%5cb", "a\\b", "a%00", "a%0Ab", "a%0d", "a%1f", "a%7F", "a%C2%85", "a%FF"),
    *("a%C3%28", "a%ED%A0%80", "a%C0%AF", "a%252Fb", "a%2525", "a%25", "%2525252F", ".", "..", "%2e", "%2E%2E", ".%2e"),
    *("a//b", "/a", "a%2F%2Fb", "a/../b", "a/%2e%2e/b", "a/./b", "a%3Fb", "a%23b", "a%2", "a%zz", "a%", "a%EF%BF%BD"),
]
GOOD = {"chain": "acme.a", "event_id": "e:1", "audit_id": "0" * 36, "level": "0", "tile": "x001/067", "file": "main.js"}
GOOD |= dict.fromkeys(("erasure_id", "hold_id"), "00000000-0000-7000-8000-000000000000")
PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
PATHS = [*sorted({route.partition(" ")[2] for route in ROUTES if "{" in route}), "/dashboard/{file:path}"]
Status = Callable[[str, str], int]


def method_of(route: str) -> str:
    """GET, unless a path takes only what is posted."""
    return "POST" if f"POST {route}" in ROUTES and f"GET {route}" not in ROUTES else "GET"


def filled(route: str, **values: str) -> str:
    return PARAMETER.sub(lambda found: (GOOD | values)[found[1]], route)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All routes; nobody has signed in, so that every one answers 401 and none asks the database."""
    folder: Path = tmp_path_factory.mktemp("dashboard")
    (folder / "main.js").write_text("")
    return create_app(*ROUTERS, dashboard(folder), title="paths", settings=Settings(mongo_uri=None))


def of_server(app: Any) -> Status:
    """The status that the development server answers, which decodes as uvicorn does."""

    def ask(raw: str, route: str) -> int:
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "method": method_of(route),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
            "raw_path": raw.encode(),
            "path": unquote(raw),
            "query_string": b"",
            "headers": [],
            "state": {},
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        return int(sent[0]["status"])

    return ask


def of_gateway(app: Any) -> Status:
    """The status that a function answers: API Gateway decodes the path, and names the route that it found."""
    handler: Any = lambda_handler(app)

    def ask(raw: str, route: str) -> int:
        path = unquote_to_bytes(raw).decode(errors="replace")
        key = f"{method_of(route)} {route.replace(':path}', '+}')}"
        http = {
            "method": method_of(route),
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.10",
            "userAgent": "test",
        }
        event = {
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": "",
            "headers": {},
            "requestContext": {"requestId": "r", "http": http, "domainName": "log.example.com", "stage": "$default"},
        }
        return int(handler(event, Context(1))["statusCode"])

    return ask


def found(route: str) -> int:
    """What a route answers that was reached: those of the API want to know who calls."""
    return 200 if route.startswith("/dashboard") else 401


@each("way", [of_server, of_gateway])
@each("route", PATHS)
def test_a_path_with_two_readings_reaches_no_route(app: Any, route: str, way: Callable[[Any], Status]) -> None:
    ask = way(app)
    assert ask(filled(route), route) == found(route)
    for parameter, rest in PARAMETER.findall(route):
        for unclear in UNCLEAR:
            decoded = unquote(unclear)
            takes_slashes = rest or parameter == "level"  # which stands before one that does
            if way is of_gateway and takes_slashes and set(decoded) <= set("ab/") and "//" not in f"/{decoded}":
                continue  # decoded it is the route that was authorised all the same
            path = filled(route, **{parameter: unclear})
            assert ask(path, route) == 404, path
        assert ask(filled(route, **{parameter: "%C3%A4%20a"}), route) == (404 if found(route) == 200 else 401)


@each("way", [of_server, of_gateway])
def test_what_is_encoded_without_need_is_read_as_what_it_is(app: Any, way: Callable[[Any], Status]) -> None:
    ask = way(app)
    for path in ("/api/v1/events/a%3Ab%7E", "/api/v1/events/%65", "/api/v1/events/%73treamer"):
        assert ask(path, "/api/v1/events/{event_id}") == 401
    assert ask("/%61pi/v1/chains/acme.a", "/api/v1/chains/{chain}") == 401


@each(
    "path, authorised",
    [
        ("/api/v1/chains/acme.a/root", "/api/v1/chains/{chain}"),
        ("/api/v1/chains/acme.a/tlog/checkpoint", "/api/v1/chains/{chain}/consistency"),
        ("/api/v1/events/e/proof", "/api/v1/events/{event_id}"),
        ("/api/v1/events/e/proof", "/api/v1/events/{event_id}/receipt"),
        (STREAM, "/api/v1/events/{event_id}"),
        ("/api/v1/chains", "/api/v1/chains/{chain}"),
        ("/api/v1/events", "/api/v1/events/{event_id}"),
        ("/api/v1/health", "/dashboard/{file:path}"),
        ("/dashboard/main.js", "/api/v1/events/{event_id}"),
    ],
)
def test_only_the_route_that_api_gateway_authorised_answers(app: Any, path: str, authorised: str) -> None:
    assert of_gateway(app)(path, authorised) == 404
    right = next(route for route in [*PATHS, path] if re.fullmatch(PARAMETER.sub("[^/]+", route), path))
    assert of_gateway(app)(path, right if path != STREAM else path) in {200, 401}


def test_an_event_that_names_two_paths_reaches_no_route(app: Any) -> None:
    http = {"method": "GET", "path": "/api/v1/chains/a", "sourceIp": "203.0.113.10"}
    event = {"version": "2.0", "routeKey": "$default", "headers": {}, "requestContext": {"http": http}}
    for raw, status in (("/api/v1/chains/a", 401), ("/api/v1/chains/b", 404), ("/api/v1/chains/%61", 404)):
        handler: Any = lambda_handler(app)
        assert handler(event | {"rawPath": raw}, Context(1))["statusCode"] == status
