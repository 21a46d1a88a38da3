"""A route that reads its arguments by itself gets what the framework would have found for it."""

import inspect
from contextlib import closing
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Query, Request, Response
from starlette.testclient import TestClient

from eventlog.http import direct, pages
from eventlog.http.answers import json_response
from eventlog.http.direct import query_model, read_directly
from eventlog.http.event_query import EventQuery
from eventlog.http.problems import api_router, install
from tests.support.callers import by_jwt
from tests.support.gateway import BehindGateway

QUERIES = [
    "",
    "limit=5&order=asc",
    "event_type=a&event_type=b*&source_id=%C3%BC",
    "sort=seq&from_seq=1&to_seq=9",
    "start_time=2026-01-01T00:00:00Z&end_time=10000-01-01T00:00:00Z",
    "limit=0",
    "limit=%2B5",
    "limit=",
    "order=up&limit=x&sort=seq",
    "event_type=&event_type=*",
    "sort=seq&event_type=a",
    "start_time=2026-01-02T00:00:00Z&end_time=2026-01-01T00:00:00Z",
    f"cursor={'c' * 201}",
]


def show(query: EventQuery) -> Response:
    return json_response(query.model_dump(exclude_unset=True, mode="json"))


@pytest.fixture
def both() -> TestClient:
    """Two routes that show what they are given: the framework reads for one, the other reads by itself."""

    async def arguments(request: Request) -> tuple[Any, ...]:
        return (query_model(EventQuery, request),)

    def by_framework(query: Annotated[EventQuery, Query()]) -> Response:
        return show(query)

    router = api_router("test")
    router.get("/framework")(by_framework)
    read_directly(router, arguments)
    router.get("/direct")(show)
    app = FastAPI()
    app.include_router(router)
    install(app)
    return TestClient(app)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_string_is_read_as_the_framework_reads_it(both: TestClient, query: str) -> None:
    direct, framework = (both.get(f"/api/v1/{route}?{query}") for route in ("direct", "framework"))
    assert (direct.status_code, direct.json()) == (framework.status_code, framework.json())
    assert direct.status_code in {200, 422}


def test_the_arguments_of_a_page_are_in_the_order_of_its_signature() -> None:
    assert list(inspect.signature(pages.list_events).parameters) == [
        "caller",
        "wired",
        "request",
        "parameters",
        "accepted",
    ]


def test_a_function_of_lambda_reads_a_page_without_a_thread(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none_is_needed(*_: Any) -> None:
        raise AssertionError("a thread was asked for")

    monkeypatch.setattr(direct, "run_in_threadpool", none_is_needed)
    gateway = BehindGateway(app, by_jwt(sub="u", scope="events:read"))
    with closing(gateway):
        answer = TestClient(gateway, "http://localhost").get("/api/v1/events")
    assert (answer.status_code, answer.json()) == (200, {"events": [], "next_cursor": None, "settled_size": 0})
