"""Query strings: one strict reading in every route, on a server and behind API Gateway alike."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import Settings
from tests.integration.conftest import MakeApi
from tests.support.access import EVENT, ROUTERS, SAMPLES, SCOPES, STREAM
from tests.support.anchoring import put_anchor
from tests.support.callers import by_jwt
from tests.support.each import each
from tests.support.gateway import BehindGateway

ID = "00000000-0000-7000-8000-000000000000"
PATHS = {route: sample.about("main", ID).path for route, sample in SAMPLES.items()} | {f"GET {STREAM}": STREAM}
EVENTS, EXPORT, STATS = "/api/v1/events", "/api/v1/export", "/api/v1/stats"
LAST = "9999-12-31T23:59:59.999Z"
REFUSED = tuple[int, list[str]]
Ways = dict[str, Any]
"""The same log on a server and behind API Gateway, each as an ASGI app."""


@pytest.fixture(scope="module")
def server(make_api: MakeApi, client: MongoClient[dict[str, Any]]) -> Iterator[TestClient]:
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        yield api
    client.drop_database(name)


@pytest.fixture(scope="module")
def ways(server: TestClient) -> Iterator[Ways]:
    settings: Settings = server.app.state.connection.settings  # type: ignore[attr-defined]
    app = create_app(*ROUTERS, title="function", settings=settings)
    behind = BehindGateway(app, by_jwt(sub="someone", scope=" ".join(SCOPES)))
    yield {"server": server.app, "gateway": behind}
    behind.close()
    app.state.connection.close()


def refusal(app: Any, route: str, query: str | bytes) -> REFUSED:
    """The status and pointers that a query string is answered with, byte for byte as it is written here."""
    sent: list[dict[str, Any]] = []
    path = PATHS.get(route, route)
    scope = {
        "type": "http",
        "method": route.partition(" ")[0] if route in PATHS else "GET",
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "raw_path": path.encode(),
        "path": path,
        "query_string": query if isinstance(query, bytes) else query.encode(),
        "headers": [(b"host", b"testserver")],
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        async with asyncio.timeout(20):  # a stream that is not refused has no end
            await app(scope, receive, send)

    asyncio.run(ask())
    start, body = sent[0], b"".join(message.get("body", b"") for message in sent[1:])
    if start["status"] != 422:
        return start["status"], []
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    assert kinds == [b"application/problem+json"]
    return 422, [error["pointer"] for error in json.loads(body)["errors"]]


@pytest.fixture(scope="module")
def parameters(server: TestClient) -> dict[str, dict[str, dict[str, Any]]]:
    """The schema of each parameter of each route, as the OpenAPI document has it."""
    paths = server.get("/openapi.json").json()["paths"]
    found = {}
    for route in PATHS:
        method, path = route.replace(":path", "").split()
        described = paths[path][method.lower()].get("parameters", [])
        found[route] = {one["name"]: one["schema"] for one in described if one["in"] == "query"}
    return found


def kind_of(schema: dict[str, Any]) -> str:
    """The type of a parameter that may be null, too."""
    (kind,) = {each["type"] for each in schema.get("anyOf", [schema]) if each["type"] != "null"}
    return str(kind)


@each("way", ["server", "gateway"])
@each("route", PATHS)
def test_a_parameter_that_a_route_does_not_have_is_refused(ways: Ways, way: str, route: str) -> None:
    assert refusal(ways[way], route, "chian=x&lmit=1&chian=y") == (422, ["/query/chian", "/query/lmit"])


@each("way", ["server", "gateway"])
def test_an_audit_is_not_asked_for_by_a_query_string(ways: Ways, server: TestClient, way: str) -> None:
    assert refusal(ways[way], "POST /api/v1/audits", "chain=acme&mode=full") == (422, ["/query/chain", "/query/mode"])
    assert server.get("/api/v1/audits").json()["audits"] == []


def test_a_refusal_names_the_parameters_in_its_sentence_too(server: TestClient) -> None:
    told = server.get("/api/v1/events", params={"limit": "0", "order": "x"}).json()
    assert told["detail"] == "Not allowed as given: order, limit; errors says why."
    assert [error["pointer"] for error in told["errors"]] == ["/query/order", "/query/limit"]


@each("way", ["server", "gateway"])
@each("route", PATHS)
def test_a_single_value_that_is_repeated_is_refused_whatever_comes_first(
    ways: Ways, parameters: dict[str, dict[str, dict[str, Any]]], way: str, route: str
) -> None:
    for name, schema in parameters[route].items():
        if kind_of(schema) != "array":
            for first, second in (("main", "main"), ("1", "1"), ("abc", "1")):
                assert refusal(ways[way], route, f"{name}={first}&{name}={second}") == (422, [f"/query/{name}"])


NO_NUMBERS = (
    "1_0",
    "%2B5",
    "%201",
    "1%20",
    "1%0A",
    "1.0",
    "1e1",
    "0x1",
    "-0",
    "",
    "%D9%A1",
    "%EF%BC%91",
    "%C2%B2",
    "true",
)
NO_FLAGS = ("1", "yes", "on", "TRUE", "t", "", "%20true")


@each("way", ["server", "gateway"])
@each("route", PATHS)
def test_numbers_are_digits_and_flags_are_true_or_false(
    ways: Ways, parameters: dict[str, dict[str, dict[str, Any]]], way: str, route: str
) -> None:
    for name, schema in parameters[route].items():
        for value in {"integer": NO_NUMBERS, "boolean": NO_FLAGS}.get(kind_of(schema), ()):
            status, pointers = refusal(ways[way], route, f"{name}={value}")
            assert (status, f"/query/{name}" in pointers) == (422, True), value


def test_the_document_names_what_the_tables_above_are_made_of(parameters: dict[str, dict[str, dict[str, Any]]]) -> None:
    kinds = [kind_of(schema) for schemas in parameters.values() for schema in schemas.values()]
    assert {kind: kinds.count(kind) for kind in ("integer", "boolean", "array")} == {
        "integer": 17,
        "boolean": 1,
        "array": 9,
    }
    numbers = [each for schemas in parameters.values() for schema in schemas.values() for each in _numbers(schema)]
    assert all({"minimum", "maximum"} <= number.keys() for number in numbers)


def test_the_document_says_that_every_route_may_refuse_its_parameters(server: TestClient) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    described = {f"{m} {path}": one["responses"] for path, methods in paths.items() for m, one in methods.items()}
    assert len(described) == len(PATHS)
    assert [route for route, responses in described.items() if "422" not in responses] == []


def _numbers(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in schema.get("anyOf", [schema]) if each["type"] == "integer"]


UNREADABLE = {
    "chain=%ff": ["/query/chain"],
    "chain=a%C3": ["/query/chain"],
    "chain=100%": ["/query/chain"],
    "chain=%zz": ["/query/chain"],
    "%ed%a0%80=1": ["/query/\ufffd\ufffd\ufffd"],
    "chain=\u00fc": ["/query/chain"],
    "a%2Fb~=1": ["/query/a~1b~0"],
    "=1": ["/query/"],
}


@each("way", ["server", "gateway"])
@each("route", PATHS)
@each("query,pointers", UNREADABLE.items())
def test_what_can_not_be_read_in_one_way_is_refused(
    ways: Ways, way: str, route: str, query: str, pointers: list[str]
) -> None:
    assert refusal(ways[way], route, query) == (422, pointers)


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
REVERSED = {
    f"{EVENTS}?start_time={LATE}&end_time={EARLY}": "/query/end_time",
    f"{EVENTS}?end_time={EARLY}&start_time={LATE}": "/query/end_time",
    f"{EVENTS}?sort=seq&from_seq=9&to_seq=3": "/query/to_seq",
    f"{EXPORT}?start_time={LATE}&end_time={EARLY}": "/query/end_time",
    f"{EXPORT}?from_seq=9&to_seq=3": "/query/to_seq",
    f"{STATS}?start_time={LATE}&end_time={EARLY}": "/query/end_time",
    f"{STATS}?start_time={LATE}&end_time={LATE}": "/query/end_time",
    "/api/v1/chains/main/consistency?first=2&second=1": "/query/first",
    f"{EVENTS}?sort=seq&event_type=a": "/query/event_type",
    f"{EVENTS}?sort=seq&source_id=a": "/query/source_id",
    f"{EVENTS}?sort=seq&start_time={EARLY}": "/query/start_time",
    f"{EVENTS}?end_time={EARLY}&sort=seq": "/query/end_time",
    f"{EVENTS}?from_seq=1": "/query/from_seq",
    f"{EVENTS}?to_seq=1&sort=time": "/query/to_seq",
    f"{EXPORT}?to_seq=1&start_time={EARLY}": "/query/to_seq",
    f"{EXPORT}?to_seq=1&end_time={EARLY}": "/query/to_seq",
}


@each("way", ["server", "gateway"])
@each("asked,pointer", REVERSED.items())
def test_ranges_that_are_none_are_refused_by_the_name_of_a_bound(
    ways: Ways, way: str, asked: str, pointer: str
) -> None:
    path, _, query = asked.partition("?")
    assert refusal(ways[way], path, query) == (422, [pointer])


@pytest.fixture(scope="module")
def clients(ways: Ways) -> dict[str, TestClient]:
    """The two ways to a log whose chain ``edges`` has the first and the last event that there can be."""
    found = {way: TestClient(app) for way, app in ways.items()}
    times = ("1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", LAST)
    batch = [EVENT | {"chain": "edges", "event_id": f"e{n}", "timestamp": time} for n, time in enumerate(times)]
    assert found["gateway"].post(f"{EVENTS}/batch", json=batch).status_code == 201
    put_anchor(found["server"].app.state.connection.log, chain="edges")  # type: ignore[attr-defined]
    return found


ENDS = (
    "10000-01-01T00:00:00Z",
    "10000-01-01T00:00:00.000Z",
    "+010000-01-01T00:00:00.000Z",
    "9999-12-31T19:00:00-05:00",
)
BEYOND = ("10000-01-01T00:00:00.001Z", "10000-01-02T00:00:00Z", "+10000-01-01T00:00:00Z", "10000-01-01", "10000")


@each("way", ["server", "gateway"])
@each("end", ENDS)
def test_a_range_with_an_end_can_have_the_last_instant_in_it(
    clients: dict[str, TestClient], way: str, end: str
) -> None:
    api, asked = clients[way], {"chain": "edges", "start_time": "9999-01-01T00:00:00Z", "end_time": end}
    assert [event["event_id"] for event in api.get(EVENTS, params=asked).json()["events"]] == ["e2"]
    for accept in ("application/x-ndjson", "text/csv"):
        assert api.get(EVENTS, params=asked, headers={"accept": accept}).text.count(LAST) == 1
    assert api.get(STATS, params=asked).json()["total"] == 1
    lines = [json.loads(line) for line in api.get(EXPORT, params=asked).text.splitlines()]
    assert lines[0]["selection"] == {"start_time": "9999-01-01T00:00:00.000Z", "end_time": None}
    assert [line["event"]["event_id"] for line in lines if "event" in line] == ["e2"]
    whole = api.get(EXPORT, params={"chain": "edges", "end_time": end})
    assert whole.text == api.get(EXPORT, params={"chain": "edges"}).text


@each("way", ["server", "gateway"])
def test_an_end_stays_exclusive_and_nothing_else_is_beyond_9999(clients: dict[str, TestClient], way: str) -> None:
    api = clients[way]
    before = api.get(EVENTS, params={"chain": "edges", "end_time": LAST}).json()["events"]
    assert [event["event_id"] for event in before] == ["e1", "e0"]
    for path in (EVENTS, EXPORT, STATS):
        for name, values in (("end_time", BEYOND), ("start_time", (*ENDS, *BEYOND))):
            for value in values:
                answer = api.get(path, params={"chain": "edges", name: value})
                found = answer.status_code, [error["pointer"] for error in answer.json()["errors"]]
                assert found == (422, [f"/query/{name}"]), value


@each("way", ["server", "gateway"])
def test_all_times_fit_into_one_chart(clients: dict[str, TestClient], way: str) -> None:
    asked = {"chain": "edges", "start_time": "1970-01-01T00:00:00Z", "end_time": ENDS[0]}
    figures = clients[way].get(STATS, params=asked).json()
    assert (figures["total"], figures["end_time"]) == (3, "10000-01-01T00:00:00.000Z")
    assert len(figures["starts"]) <= 61
    assert (figures["series"][0]["counts"][0], figures["series"][0]["counts"][-1]) == (2, 1)
    again = {name: figures[name] for name in ("chain", "start_time", "end_time", "bucket")}
    assert clients[way].get(STATS, params=again).json() == figures


@each("way", ["server", "gateway"])
def test_what_is_written_in_an_unusual_way_means_what_it_says(clients: dict[str, TestClient], way: str) -> None:
    for query, status in (
        ("ch%61in=edges&event_type=t&event_type=%74&event_type=a+b&limit=0010", 200),
        ("&&chain=edges&", 200),
        ("chain=edges&source_id=a,b&source_id=s", 200),
        ("sort=seq&chain=edges&from_seq=2&to_seq=2", 200),
    ):
        answer = clients[way].get(f"{EVENTS}?{query}")
        assert answer.status_code == status, query
        assert len(answer.json()["events"]) == (0 if "to_seq" in query else 3), query


def test_the_last_part_of_an_export_does_not_begin_where_nothing_can_be(clients: dict[str, TestClient]) -> None:
    for way in clients.values():
        answer = way.get(EXPORT, params={"chain": "edges", "from_seq": 4, "start_time": "1970-01-01T00:00:00Z"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/from_seq")
