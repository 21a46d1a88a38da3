"""A function has one request at a time: it appends in the thread it was called in, and starts none to wait in."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from eventlog.formats.event import Entry
from eventlog.http.app import create_app, lambda_handler
from eventlog.settings import Settings
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PushImage
from functions.ingest.app import routers
from tests.infrastructure.invoke import Context
from tests.support.callers import BY_IAM, gateway_event

EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {"n": 1}}
LARGE = EVENT | {"payload": {"text": "x" * (17 << 10)}}
CHOSEN = EVENT | {"event_id": "chosen"}


class Function:
    """The ingest function's handler; ``threads`` are those that its pushes were sent from."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        app = create_app(*routers, title="ingest", settings=settings)
        self.close = app.state.connection.close
        self.threads: list[threading.Thread] = []
        self._handler: Any = lambda_handler(app)
        push = Operations.push

        def watched(operations: Operations, chain: str, entries: Sequence[Entry], *conditions: Any) -> PushImage | None:
            self.threads.append(threading.current_thread())
            return push(operations, chain, entries, *conditions)

        monkeypatch.setattr(Operations, "push", watched)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        content = json.dumps(body).encode()
        event = gateway_event("POST", path, BY_IAM, params={}, headers=headers, content=content)
        answer = self._handler(event, Context(1))
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def function(mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
    with closing(Function(settings, monkeypatch)) as made:
        yield made


@pytest.mark.parametrize("body", [EVENT, LARGE, CHOSEN, [EVENT, LARGE]], ids=["small", "large", "chosen id", "batch"])
def test_it_appends_in_the_thread_that_it_was_called_in(function: Function, body: object) -> None:
    path = "/api/v1/events/batch" if isinstance(body, list) else "/api/v1/events"
    status, _ = function.post(path, body)
    assert status == 201
    assert set(function.threads) == {threading.current_thread()}


def test_a_replay_and_a_conflict_are_answered_as_on_a_server(function: Function) -> None:
    first = function.post("/api/v1/events", CHOSEN)
    again = function.post("/api/v1/events", CHOSEN)
    status, problem = function.post("/api/v1/events", CHOSEN | {"payload": {}})
    assert (first[0], again) == (201, (200, first[1]))
    assert (status, problem["errors"][0]["pointer"]) == (409, "/event_id")
