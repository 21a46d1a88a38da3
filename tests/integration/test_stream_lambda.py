"""The live stream where answers are held whole: behind Lambda it answers as soon as it has something."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mangum import Mangum

from eventlog.http import stream
from eventlog.http.app import create_app, lambda_handler
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from eventlog.stored.anchor_copies import AnchorCopy
from eventlog.streams.readers import StreamReader
from functions.stream.app import routers
from tests.infrastructure.invoke import Context
from tests.support.anchoring import put_anchor
from tests.support.event_source import Interpreter
from tests.support.factories import draft

SAMPLE = json.loads((Path(__file__).parents[2] / "events" / "get-stream.json").read_text())
SECONDS = 3.0
"""How long an answer waits where there is nothing; the chain's first look, on a busy machine, must fit in."""
LONG = 25.0
"""What answers at once takes less than this on any machine."""


class Function:
    """The query function; calls go through its Lambda handler."""

    def __init__(self, handler: Mangum, store: MongoStore) -> None:
        self.handler = handler
        self.store = store
        self.answer: dict[str, Any] = {}

    def get(self, query: str, last_id: str = "") -> Interpreter:
        """What an EventSource makes of one answer."""
        headers = SAMPLE["headers"] | {"last-event-id": last_id}
        if not last_id:
            del headers["last-event-id"]
        self.answer = self.handler(SAMPLE | {"rawQueryString": query, "headers": headers}, Context(1))  # type: ignore[arg-type]
        assert (self.answer["statusCode"], self.answer["isBase64Encoded"]) == (200, False), self.answer
        source = Interpreter()
        source.feed(self.answer["body"])
        return source

    def append(self, count: int = 1, **fields: Any) -> None:
        self.store.append("main", [draft(**fields) for _ in range(count)])


@pytest.fixture
def seconds() -> float:
    """How long the function waits for something."""
    return SECONDS


@contextmanager
def function_waiting(mongo_uri: str, database: str, seconds: float) -> Iterator[Function]:
    """A function of its own."""
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_STREAM_SECONDS=seconds)
    app = create_app(*routers, title="query", settings=settings)
    yield Function(lambda_handler(app), app.state.connection.log)
    app.state.connection.close()


@pytest.fixture
def function(mongo_uri: str, database: str, seconds: float) -> Iterator[Function]:
    with function_waiting(mongo_uri, database, seconds) as function:
        yield function


def ids(source: Interpreter) -> list[int]:
    return [int(message.id) for message in source.messages if message.type == "message"]


@pytest.mark.parametrize("seconds", [LONG])
def test_it_answers_at_once_if_there_is_something(function: Function) -> None:
    function.append(3)
    started = time.monotonic()
    source = function.get("from_seq=1")
    assert time.monotonic() - started < LONG
    assert (ids(source), source.last_id, source.retry) == ([1, 2], "2", 1000)
    assert function.answer["headers"]["content-type"] == "text/event-stream"


@pytest.mark.parametrize("seconds", [LONG])
def test_it_answers_as_soon_as_there_is_something(function: Function) -> None:
    function.append(2)
    function.get("from_seq=0")  # the connection is made
    timer = threading.Timer(0.2, function.append)
    started = time.monotonic()
    timer.start()
    source = function.get("", last_id="1")
    timer.join()
    assert 0.2 <= time.monotonic() - started < LONG
    assert ids(source) == [2]


def test_it_answers_in_time_if_there_is_nothing_and_says_how_to_go_on(function: Function) -> None:
    function.append(2)
    started = time.monotonic()
    source = function.get("")
    assert SECONDS <= time.monotonic() - started < LONG
    assert [(message.type, message.id) for message in source.messages] == [("head", "1")]
    assert (source.last_id, source.retry) == ("1", 1000)


def test_nothing_is_lost_between_two_answers_of_a_chain_that_is_empty(function: Function) -> None:
    first = function.get("")
    function.append(2)
    assert (first.last_id, ids(function.get("", last_id=first.last_id))) == ("-1", [0, 1])


def test_what_matches_nothing_is_not_read_again(function: Function) -> None:
    function.append(700)
    source = function.get("from_seq=0&event_type=other")
    assert (ids(source), source.last_id) == ([], "699")


@pytest.mark.parametrize("seconds", [5.0])  # all of which the first answer waits: the old checkpoint is no news
def test_a_new_checkpoint_is_something_and_the_one_before_is_not(
    function: Function, mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.append(2)
    put_anchor(function.store)
    source = function.get("", last_id="1")
    assert [message.type for message in source.messages] == ["head", "checkpoint"]
    function.append(1)
    waits, made = StreamReader._woken, list[AnchorCopy]()

    async def make_one_and_wait(reader: StreamReader, seconds: float) -> bool:
        if reader._told_checkpoint and not made:  # it has told of the one before, and found nothing else
            made.append(put_anchor(function.store))
        return await waits(reader, seconds)

    monkeypatch.setattr(StreamReader, "_woken", make_one_and_wait)
    with function_waiting(mongo_uri, database, LONG) as patient:
        started = time.monotonic()
        found = [message.type for message in patient.get("", last_id="2").messages]
        assert time.monotonic() - started < LONG
    assert found[:2] == ["head", "checkpoint"]


def test_a_long_way_is_gone_in_answers_of_less_than_6_mb(function: Function) -> None:
    text = 'ü"\u2028\\' * 4000
    for _ in range(16):
        function.append(20, payload={"text": text})
    last_id, seen, retries = "-1", list[int](), list[int | None]()
    while len(seen) < 320:
        source = function.get("", last_id=last_id)
        assert len(json.dumps(function.answer)) < 6_000_000
        seen += ids(source)
        last_id = source.last_id
        retries.append(source.retry)
    assert seen == list(range(320))
    assert len(retries) > 3
    assert set(retries[:-1]) == {50}


def test_many_answers_give_each_event_once(function: Function) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.01):
            function.append(3)

    writer = threading.Thread(target=write)
    writer.start()
    last_id, seen = "-1", list[int]()
    while len(seen) < 300:
        source = function.get("", last_id=last_id)
        seen += ids(source)
        last_id = source.last_id
    stop.set()
    writer.join()
    assert seen == list(range(len(seen)))


def test_a_bad_parameter_is_a_problem(function: Function) -> None:
    answer = function.handler(SAMPLE | {"rawQueryString": "from_seq=x"}, Context(1))  # type: ignore[arg-type]
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (422, "application/problem+json")


def test_the_time_that_it_waits_is_within_what_the_function_has() -> None:
    assert Settings.model_fields["stream_seconds"].default + stream.SLOW_SECONDS < 25
