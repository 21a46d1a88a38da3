"""The live stream over HTTP: what comes, where it begins and goes on, what is refused, and how it ends."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from pymongo import MongoClient

from eventlog.http import stream
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from eventlog.wiring.query import QueryWiring
from local.machine import wait_until
from local.server import build_app
from tests.support import plain_http
from tests.support.anchoring import put_anchor
from tests.support.event_source import PATH, Message, Subscriber
from tests.support.factories import draft
from tests.support.serving import served


def append(store: MongoStore, count: int = 1, chain: str = "main", **fields: Any) -> None:
    store.append(chain, [draft(chain=chain, **fields) for _ in range(count)])


def seqs(events: list[Any]) -> list[int]:
    return [event["seq"] for event in events]


def test_an_event_is_shown_as_a_query_shows_it_with_its_seq_as_the_id(url: str, store: MongoStore) -> None:
    append(store, payload={"n": 1e16, "ü": "é"})
    subscriber = Subscriber(url, from_seq=0)
    message = subscriber.until("message")
    shown = plain_http.get(f"{url}/api/v1/events").text
    assert message.id == "0"
    assert f'{{"events":[{message.data}],' in shown


def test_the_answer_is_an_event_stream_that_nobody_keeps(url: str) -> None:
    subscriber = Subscriber(url)
    subscriber.until("head")
    lines = subscriber.head.decode().lower().split("\r\n")
    assert lines[0] == "http/1.1 200 ok"
    assert {"content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"} < set(lines)
    assert subscriber.source.retry == 1000


def test_without_a_place_to_begin_it_begins_at_the_head(url: str, store: MongoStore) -> None:
    append(store, 3)
    subscriber = Subscriber(url)
    assert subscriber.until("head") == Message("head", '{"chain":"main","size":3}', "2")
    append(store, 2)
    assert seqs(subscriber.events(2)) == [3, 4]
    assert subscriber.until("head").value == {"chain": "main", "size": 5}


def test_a_chain_that_is_not_there_yet_is_followed_from_its_first_event(url: str, store: MongoStore) -> None:
    subscriber = Subscriber(url, chain="new")
    assert subscriber.until("head") == Message("head", '{"chain":"new","size":0}', "-1")
    append(store, chain="new")
    assert seqs(subscriber.events(1)) == [0]
    append(store, chain="new")
    assert seqs(Subscriber(url, last_id="-1", chain="new").events(2)) == [0, 1]


@pytest.mark.parametrize("settled", [False, True])
def test_it_goes_on_after_the_last_event_id_whatever_from_seq_says(url: str, store: MongoStore, settled: bool) -> None:
    append(store, 9)
    if settled:
        store.settle("main")
    subscriber = Subscriber(url, last_id="4", from_seq=0)
    assert seqs(subscriber.events(4)) == [5, 6, 7, 8]


def test_a_place_beyond_the_head_is_waited_for(url: str, store: MongoStore) -> None:
    append(store, 2)
    subscriber = Subscriber(url, from_seq=5)
    assert subscriber.until("head").value["size"] == 2
    append(store, 5)
    assert seqs(subscriber.events(2)) == [5, 6]


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"event_type": "a"}, [0, 2]),
        ({"event_type": ["a", "b"], "source_id": "x"}, [0, 1]),
        ({"source_id": ["y"]}, [2, 3]),
        ({"event_type": "a", "from_seq": 1}, [2]),
    ],
)
def test_only_what_matches_comes(url: str, store: MongoStore, parameters: dict[str, Any], wanted: list[int]) -> None:
    for kind, source in (("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")):
        append(store, event_type=kind, source_id=source)
    subscriber = Subscriber(url, **({"from_seq": 0} | parameters))
    assert seqs(subscriber.events(len(wanted))) == wanted
    append(store, event_type="c", source_id="z")
    append(store, event_type="a", source_id="x" if "x" in str(parameters) else "y")
    assert seqs(subscriber.events(1)) == [5]


def test_a_checkpoint_comes_after_an_audit(url: str, store: MongoStore) -> None:
    append(store, 3)
    first = put_anchor(store)
    subscriber = Subscriber(url, from_seq=0)
    assert subscriber.until("checkpoint").value["note"] == first.note.decode()
    append(store, 2)
    second = put_anchor(store)
    shown = subscriber.until("checkpoint")
    assert shown.value == {"chain": "main", "number": 2, "size": 5, "note": second.note.decode()}
    assert shown.id == "4"


def test_checkpoints_come_after_the_events_they_cover_to_who_catches_up_too(url: str, store: MongoStore) -> None:
    append(store, 1200)
    put_anchor(store)
    subscriber = Subscriber(url, from_seq=0)
    subscriber.until("checkpoint")
    kinds = [message.type for message in subscriber.source.messages[:1202]]
    assert kinds == ["head", *["message"] * 1200, "checkpoint"]


def test_who_filters_is_told_how_far_the_chain_was_read(
    url: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "COMMENT_SECONDS", 0.1)
    append(store, 700)
    subscriber = Subscriber(url, from_seq=0, event_type="other")
    subscriber.until("head")
    while subscriber.source.last_id != "699":
        subscriber.receive()
    assert subscriber.source.comments
    assert [message.type for message in subscriber.source.messages] == ["head"]


@pytest.mark.parametrize(
    "text",
    ["x", "1.0", "01", "+1", "-2", "1e3", "9" * 19, "1 2", "1,2", "0x1", "\u0661".encode().decode("latin-1")],
)
def test_a_last_event_id_that_is_none_is_refused(url: str, text: str) -> None:
    answer = plain_http.get(f"{url}{PATH}", headers={b"Last-Event-ID": text.encode("latin-1")})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/header/Last-Event-ID"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from_seq=-1", "/query/from_seq"),
        ("from_seq=x", "/query/from_seq"),
        ("chain=UPPER", "/query/chain"),
        ("event_types=t", "/query/event_types"),
        ("limit=1", "/query/limit"),
        ("event_type=", "/query/event_type/0"),
        ("&".join(f"source_id=s{n}" for n in range(21)), "/query/source_id"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_sent(url: str, query: str, pointer: str) -> None:
    answer = plain_http.get(f"{url}{PATH}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_nobody_can_append_an_event_whose_place_the_stream_takes(url: str, store: MongoStore) -> None:
    event = {"event_type": "t", "timestamp": "2026-01-01T00:00:00Z", "source_id": "s", "payload": {}}
    answer = plain_http.post(f"{url}/api/v1/events", json=event | {"event_id": "stream"})
    assert answer.status_code == 422
    assert "stream" in answer.json()["errors"][0]["detail"]
    store.append("main", [draft("stream")])  # as one could before
    assert plain_http.get(f"{url}/api/v1/events").json()["events"][0]["event_id"] == "stream"
    assert plain_http.get(f"{url}/api/v1/events/stream/proof", params={"size": 1}).status_code == 200


@pytest.mark.parametrize(
    "text", ["\n\nid: 99\ndata: {}\n\n", "\r", "\r\n\r\n", "\u2028\u2029\x85", "\0", "a\nb: c", "😀"]
)
def test_no_payload_breaks_a_frame(url: str, store: MongoStore, text: str) -> None:
    append(store, payload={"text": text, text: 1})
    append(store)
    subscriber = Subscriber(url, from_seq=0)
    events = subscriber.events(2)
    assert (seqs(events), events[0]["payload"]) == ([0, 1], {"text": text, text: 1})


def test_not_even_a_stored_payload_that_was_tampered_with_breaks_a_frame(
    url: str, store: MongoStore, client: MongoClient[dict[str, Any]], database: str
) -> None:
    append(store, 2)
    store.settle("main")
    client[database].events.update_one({"chain": "main", "seq": 0}, {"$set": {"payload": '{"n":\n\n\r\r1}'}})
    messages = Subscriber(url, from_seq=0).take(3)
    assert [(message.type, message.id) for message in messages] == [("head", "-1"), ("message", "0"), ("message", "1")]
    client[database].events.update_one(
        {"chain": "main", "seq": 0}, {"$set": {"payload": '{"n":\n\nid: 7\r\rdata: {}\n\n1}'}}
    )
    answer = plain_http.get(f"{url}{PATH}", params={"from_seq": 0})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "data: {}" not in answer.text


def test_it_ends_where_an_event_is_missing(
    url: str, store: MongoStore, client: MongoClient[dict[str, Any]], database: str
) -> None:
    append(store, 1200)
    store.settle("main")
    client[database].events.delete_one({"chain": "main", "seq": 700})
    answer = plain_http.get(f"{url}{PATH}", params={"from_seq": 700})
    assert answer.status_code == 500
    subscriber = Subscriber(url, from_seq=0)
    end = subscriber.until("end")
    assert json.loads(end.data) == {"reason": "damaged"}
    shown = [message.id for message in subscriber.source.messages if message.type == "message"]
    assert shown == [str(seq) for seq in range(len(shown))]
    assert len(shown) <= 700
    assert end.id == shown[-1]


def test_a_server_that_stops_ends_its_streams_at_once_and_says_where_to_go_on(app: FastAPI, store: MongoStore) -> None:
    append(store, 2)
    with served(app) as url:
        subscriber = Subscriber(url, from_seq=0)
        subscriber.events(2)
    end = subscriber.until("end")
    assert (end.value, end.id) == ({"reason": "stopping"}, "1")
    assert subscriber.ended


def test_a_database_that_is_away_is_told_before_anything_is_sent() -> None:
    settings = Settings(mongo_uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100", mongo_database="x")
    app = build_app(settings)
    with served(app) as url:
        answer = plain_http.get(f"{url}{PATH}", timeout=30)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    app.state.connection.close()


def test_watchers_end_with_their_last_reader(app: FastAPI, url: str) -> None:
    streams = wiring_of(app, QueryWiring).streams
    subscribers = [Subscriber(url, chain=f"c{n % 3}") for n in range(9)]
    for subscriber in subscribers:
        subscriber.until("head")
    watchers = list(streams._watchers.values())
    assert len(watchers) == 3
    for subscriber in subscribers:
        subscriber.close()
    wait_until("the watchers to end", lambda: not streams._watchers and not any(w.is_alive() for w in watchers))
    assert streams._readers == 0
