"""In which thread a route's work is done: in another than the event loop's, but behind Lambda in that one."""

import json
import threading
from inspect import iscoroutinefunction
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from eventlog.errors import NotFoundError
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.problems import api_router, documented
from functions.chain_audit import app as chain_audit
from functions.erase import app as erase
from functions.query import app as query
from functions.stream import app as stream
from functions.witness import app as witness
from tests.support.callers import gateway_event

router = api_router("test")
asked = list[int]()


@router.get("/work/{name}", responses=documented(404))
def work(request: Request, name: str, times: int = 1) -> dict[str, Any]:
    """Say what was asked for."""
    assert request.path_params == {"name": name}
    asked.append(threading.get_ident())
    if name == "none":
        raise NotFoundError("There is no such work.")
    return {"name": name, "times": times}


@router.get("/loop")
async def loop() -> dict[str, Any]:
    """Say which thread has the event loop."""
    return {"thread": threading.get_ident()}


APP = create_app(router, title="test", anonymous=True)


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    asked.clear()


def behind_lambda(path: str) -> dict[str, Any]:
    handler: Any = lambda_handler(APP)
    answer: dict[str, Any] = handler(gateway_event("GET", path, {}, params={}, headers={}, content=b""), object())
    return answer


def test_on_a_server_work_that_waits_keeps_no_other_request_waiting() -> None:
    with TestClient(APP) as http:
        assert http.get("/api/v1/work/one", params={"times": 3}).json() == {"name": "one", "times": 3}
        assert asked != [http.get("/api/v1/loop").json()["thread"]]


def test_behind_lambda_it_is_done_where_the_request_is_and_takes_no_thread() -> None:
    before = threading.active_count()
    answer = behind_lambda("/api/v1/work/one")
    assert (json.loads(answer["body"])["name"], asked) == ("one", [threading.get_ident()])
    assert threading.active_count() == before


def test_its_errors_are_answered_as_ever() -> None:
    with TestClient(APP) as http:
        assert (behind_lambda("/api/v1/work/none")["statusCode"], http.get("/api/v1/work/none").status_code) == (
            404,
            404,
        )


def test_no_route_of_a_function_takes_a_thread_by_itself() -> None:
    apps = (chain_audit.app, erase.app, query.app, stream.app, witness.app)
    routes = [route for app in apps for route in app.state.routes]
    assert routes
    assert [route.path for route in routes if not iscoroutinefunction(route.endpoint)] == []
