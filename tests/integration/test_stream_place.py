"""A stream whose reader has seen more than the chain has, as after a restore; and one that can't begin just now.

Whoever follows is told in every case, on a server and behind Lambda, and can go on at a place that the chain has.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx2
import pytest
from pymongo import MongoClient
from starlette.testclient import TestClient

from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.store.errors import CorruptionError, LimitError, StoreUnavailableError
from eventlog.store.mongo.store import MongoStore
from eventlog.streams import watcher
from eventlog.streams.readers import StreamReader
from eventlog.streams.streams import Streams
from eventlog.wiring.query import QueryWiring
from functions.stream.app import routers
from local.limits import Limits
from local.server import build_app
from tests.infrastructure.invoke import Context
from tests.integration.test_stream_lambda import SAMPLE
from tests.support import plain_http
from tests.support.event_source import PATH, Interpreter, Message, Subscriber
from tests.support.factories import draft
from tests.support.serving import served

SHORT = 0.2
"""How long a chain may be shorter, here."""
FRAMES_ONLY = {"Accept": "text/event-stream"}
Answer = tuple[int, dict[str, str], str]
Ask = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "SHORTER_SECONDS", SHORT)


@contextmanager
def function(mongo_uri: str, database: str) -> Iterator[Ask]:
    """The stream function, through its handler."""
    app = create_app(
        *routers, title="stream", settings=Settings(mongo_uri=mongo_uri, mongo_database=database, stream_seconds=3.0)
    )
    handler = lambda_handler(app)

    def ask(query: str = "", **headers: str) -> Answer:
        sent = {name: value for name, value in SAMPLE["headers"].items() if name not in {"accept", "last-event-id"}}
        sent |= {name.lower().replace("_", "-"): value for name, value in headers.items()}
        answer = handler(SAMPLE | {"rawQueryString": query, "headers": sent}, Context(1))  # type: ignore[arg-type]
        return answer["statusCode"], answer["headers"], answer["body"]

    yield ask
    app.state.connection.close()


def read(text: str) -> Interpreter:
    source = Interpreter()
    source.feed(text)
    return source


def append(store: MongoStore, count: int) -> None:
    store.append("main", [draft() for _ in range(count)])


def without_message(messages: list[Message]) -> list[tuple[str, Any, str]]:
    return [(one.type, one.value, one.id) for one in messages if one.type != "message"]


TOLD = [("head", {"chain": "main", "size": 5}, "1000"), ("end", {"reason": "shorter", "size": 5}, "4")]


def test_a_place_that_the_chain_does_not_have_is_told_and_the_stream_goes_on_at_the_head(
    url: str, store: MongoStore, mongo_uri: str, database: str
) -> None:
    append(store, 5)
    subscriber = Subscriber(url, last_id="1000")
    subscriber.until("end")
    assert without_message(subscriber.source.messages) == TOLD
    assert subscriber.source.retry == 1000
    with function(mongo_uri, database) as ask:
        status, _, body = ask(last_event_id="1000")
        assert (status, without_message(read(body).messages)) == (200, TOLD)
        append(store, 2)
        ids = [one.id for one in read(ask(last_event_id="4")[2]).messages if one.type == "message"]
    assert ids == ["5", "6"]
    assert [event["seq"] for event in Subscriber(url, last_id=subscriber.source.last_id).events(2)] == [5, 6]


def test_events_that_come_while_the_place_is_waited_for_are_no_reason_to_be_silent(url: str, store: MongoStore) -> None:
    append(store, 5)
    subscriber = Subscriber(url, last_id="1000")
    subscriber.until("head")
    append(store, 10)
    end = subscriber.until("end")
    assert (end.value, end.id) == ({"reason": "shorter", "size": 15}, "14")


def test_who_asked_for_events_to_come_waits_for_them_over_many_connections(
    url: str, store: MongoStore, mongo_uri: str, database: str
) -> None:
    """``from_seq`` claims nothing, and an id no more than that is none of an event that was seen."""
    append(store, 2)
    with function(mongo_uri, database) as ask:
        first = read(ask("from_seq=5")[2])
        second = read(ask("from_seq=5", last_event_id=first.last_id)[2])
        assert [without_message(one.messages) for one in (first, second)] == [
            [("head", {"chain": "main", "size": 2}, "4")]
        ] * 2
    subscriber = Subscriber(url, last_id=second.last_id, from_seq=5)
    subscriber.until("head")
    append(store, 5)
    assert [event["seq"] for event in subscriber.events(2)] == [5, 6]


def cut(client: MongoClient[dict[str, Any]], database: str, state: dict[str, Any], size: int) -> None:
    """Put the chain back to what it was at a size, as a restored database would."""
    client[database].sequences.replace_one({"_id": "main"}, state)
    client[database].events.delete_many({"seq": {"$gte": size}})


def test_a_chain_that_falls_back_while_it_is_followed(
    url: str, store: MongoStore, client: MongoClient[dict[str, Any]], database: str
) -> None:
    append(store, 3)
    store.settle("main")
    state = client[database].sequences.find_one({"_id": "main"})
    assert state is not None
    append(store, 4)
    store.settle("main")
    all_seen, filtered = Subscriber(url, from_seq=0), Subscriber(url, event_type="other")
    all_seen.events(7)
    filtered.until("head")
    cut(client, database, state, 3)
    for subscriber in (all_seen, filtered):
        end = subscriber.until("end")
        assert (end.value, end.id) == ({"reason": "shorter", "size": 3}, "2")
    again = Subscriber(url, last_id=all_seen.source.last_id, from_seq=0)
    append(store, 1)
    assert [event["seq"] for event in again.events(1)] == [3]


def test_other_events_in_the_places_of_those_that_were_shown_do_not_come_as_their_successors(
    url: str, store: MongoStore, client: MongoClient[dict[str, Any]], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain is put back and grows beyond where it was before anybody looks."""
    monkeypatch.setattr(watcher, "SHORTER_SECONDS", 60.0)
    append(store, 1)
    store.settle("main")
    state = client[database].sequences.find_one({"_id": "main"})
    assert state is not None
    append(store, 2)
    store.settle("main")
    subscriber = Subscriber(url, from_seq=0)
    subscriber.events(3)
    cut(client, database, state, 1)
    append(store, 4)
    end = subscriber.until("end")
    assert (end.value, end.id) == ({"reason": "damaged"}, "2")
    assert [one.id for one in subscriber.source.messages if one.type == "message"] == ["0", "1", "2"]


def test_an_empty_last_event_id_is_as_none(url: str, store: MongoStore, mongo_uri: str, database: str) -> None:
    append(store, 3)
    expected = [("head", {"chain": "main", "size": 3}, "2")]
    with plain_http.stream("GET", f"{url}{PATH}", headers={"Last-Event-ID": ""}, timeout=30) as answer:
        assert answer.status_code == 200
        source = Interpreter()
        for text in answer.iter_text():
            source.feed(text)
            if source.messages:
                break
    assert without_message(source.messages) == expected
    with function(mongo_uri, database) as ask:
        assert without_message(read(ask(last_event_id="")[2]).messages) == expected
        for malformed in ("x", "-2", "1,2", " ", "01"):
            status, _, body = ask(last_event_id=malformed)
            assert (status, json.loads(body)["errors"][0]["pointer"]) == (422, "/header/Last-Event-ID")
    twice = plain_http.get(f"{url}{PATH}", headers=[("Last-Event-ID", "1"), ("Last-Event-ID", "2")])
    assert (twice.status_code, twice.json()["errors"][0]["pointer"]) == (422, "/header/Last-Event-ID")


REFUSALS = {
    "away": (StoreUnavailableError("the chain could not be read in time"), 503, "unavailable", 1000),
    "too many": (LimitError("anonymous has 20 live streams open.", 20), 429, "limit", 20_000),
    "damaged": (CorruptionError("event 7 is not there"), 500, "error", 10_000),
    "a mistake of ours": (ZeroDivisionError("secret"), 500, "error", 10_000),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_who_takes_frames_only_is_told_in_a_frame_what_may_pass(
    url: str, mongo_uri: str, database: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, expected, reason, retry = REFUSALS[case]

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Streams, "reader", refuse)
    with function(mongo_uri, database) as through_gateway:

        def on_server(**headers: str) -> Answer:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = plain_http.get(f"{url}{PATH}", headers=sent)
            return answer.status_code, dict(answer.headers), answer.text

        for ask in (on_server, through_gateway):
            for accept in ("text/event-stream", "Text/Event-Stream"):
                status, headers, body = ask(accept=accept, last_event_id="7")
                source = read(body)
                (end,) = source.messages
                assert (status, headers["content-type"], source.retry) == (200, "text/event-stream", retry)
                assert (end.type, end.value["reason"], end.value["status"]) == ("end", reason, expected)
                assert end.value["detail"]
                assert "secret" not in body
                assert (source.last_id, "id:" in body) == ("", False), "its place is as it was"
            for accept in ("*/*", "text/event-stream, application/problem+json", "application/json"):
                status, headers, body = ask(accept=accept)
                assert (status, headers["content-type"]) == (expected, "application/problem+json")


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [("limit=1", {}, 422), ("", {"Last-Event-ID": "x"}, 422), ("", {"Host": "log.example"}, 421)],
)
def test_what_asking_again_can_not_help_ends_an_event_source(
    url: str, query: str, headers: dict[str, str], expected: int
) -> None:
    answer = plain_http.get(f"{url}{PATH}?{query}", headers=FRAMES_ONLY | headers)
    assert (answer.status_code, answer.headers["content-type"]) == (expected, "application/problem+json")


AWAY = Settings(mongo_uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100", mongo_database="x", stream_seconds=0.5)


def test_a_database_that_is_away_is_counted_as_the_error_that_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(*routers, title="stream-away", settings=AWAY, anonymous=True)
    with closing(app.state.connection):
        answer = TestClient(app).get(PATH, headers=FRAMES_ONLY)
    (end,) = read(answer.text).messages
    assert (answer.status_code, end.value["reason"]) == (200, "unavailable")
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [one["status"] for one in logged if "status" in one] == [503]
    assert [one["Errors"] for one in logged if "Errors" in one] == [[1.0]]


def test_a_crowded_server_is_no_end_of_an_event_source() -> None:
    app = build_app(AWAY)
    with closing(app.state.connection), served(app, limits=Limits(connections=1)) as url, httpx2.Client() as other:
        other.get(f"{url}{PATH}?limit=1")  # whose connection is kept
        answer = plain_http.get(f"{url}{PATH}", headers=FRAMES_ONLY, timeout=30)
    (end,) = read(answer.text).messages
    assert (answer.status_code, end.value["status"]) == (200, 503)
    assert end.value["detail"] == "This server has 1 connections, which is all it takes."


def test_streams_are_left_when_they_could_not_begin(app: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailableError("not now")

    monkeypatch.setattr(StreamReader, "start", fail)
    assert plain_http.get(f"{url}{PATH}", headers=FRAMES_ONLY).status_code == 200
    assert wiring_of(app, QueryWiring).streams._readers == 0
