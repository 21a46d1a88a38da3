"""What the log shows it takes back: an event that is sent again as any route and format shows it is a replay."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.formats.event import Event as Stored
from eventlog.ingest.queue_message import format_message, parse_message
from eventlog.store.interface import Query
from eventlog.store.mongo.store import MongoStore
from eventlog.streams.recent import item_of
from eventlog_client import EventLog
from eventlog_client.event_files import read_events
from tests.support.anchoring import put_anchor
from tests.support.factories import draft

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"
NUMBERS = [
    *("1e16", "10000000000000000", "-1e16", "9007199254740992", "-9007199254740992", "9007199254740994.0"),
    *("1e20", "123456789012345678901.0", "999999999999999900000", "1e21", "-1E+300", "1.7976931348623157e308"),
    *("0", "-0", "-0.0", "0.1", "1.0", "1e-7", "0.000001", "5e-324", "1e-400", "9007199254740991"),
]
MEMBERS = ("event_id", "event_type", "source_id", "timestamp", "payload")
TEXT = json.dumps('"\\\u0000\u007fü\u2028😀')
SENT = "2026-11-23T11:00:00.500Z"
FIELDS = f'"event_type":"t","source_id":"s","timestamp":"{SENT}"'
Event = dict[str, Any]


def sent(number: str, place: int) -> str:
    """An event with a number, as a client writes it."""
    fields = f'"event_id":"e{place}","event_type":"t","source_id":"s","timestamp":"2026-11-23T12:00:00.5+01:00"'
    return f'{{{fields},"payload":{{"n":{number},"in":[{number},{{"a":{number}}}],{TEXT}:{TEXT}}}}}'


def of_lines(text: str) -> list[Event]:
    return [json.loads(line) for line in text.split("\n")[:-1]]


def of_csv(text: str) -> list[Event]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [row | {"payload": json.loads(row["payload"])} for row in rows]


def of_bundle(text: str) -> list[Event]:
    return [line["event"] for line in of_lines(text) if "event" in line]


def settled(api: TestClient) -> list[Stored]:
    """What a stream's frames are made of."""
    log: MongoStore = api.app.state.connection.log  # type: ignore[attr-defined]
    return log.page(Query(chain="main", sort="seq", order="asc")).events


def page(accept: str) -> Callable[[TestClient], str]:
    return lambda api: api.get(f"{EVENTS}?sort=seq", headers={"accept": accept}).text


SHOWN: dict[str, Callable[[TestClient], list[Event]]] = {
    "look-up": lambda api: [api.get(f"{EVENTS}/e{place}").json() for place in range(len(NUMBERS))],
    "page": lambda api: json.loads(page("application/json")(api))["events"],
    "ndjson": lambda api: of_lines(page("application/x-ndjson")(api)),
    "csv": lambda api: of_csv(page("text/csv")(api)),
    "tail": lambda api: [json.loads(item_of(one).frame.split(b"data: ")[1]) for one in settled(api)],
    "export": lambda api: of_bundle(api.get("/api/v1/export").text),
}


def test_an_event_with_any_number_is_a_replay_as_every_route_and_format_shows_it(api: TestClient) -> None:
    for place, number in enumerate(NUMBERS):
        assert api.post(EVENTS, content=sent(number, place), headers={"content-type": "application/json"}).is_success
    put_anchor(api.app.state.connection.log)  # type: ignore[attr-defined]
    for way, shown in SHOWN.items():
        found = [{name: event[name] for name in MEMBERS} for event in shown(api)]
        assert len(found) == len(NUMBERS)
        for event in found:
            answer = api.post(EVENTS, json=event)
            assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, "true"), (way, answer.text)
        lines = "\n".join(map(json.dumps, found))
        for kind, body in (("application/x-ndjson", lines), ("application/json", json.dumps(found))):
            answer = api.post(BATCH, content=body, headers={"content-type": kind})
            assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, "true"), (way, answer.text)
    assert api.get("/api/v1/chains/main").json()["size"] == len(NUMBERS)


@pytest.mark.parametrize("number", ["1e16", "-0", "1e21"])
def test_a_cloudevent_is_a_replay_as_it_is_shown(api: TestClient, number: str) -> None:
    event = f'{{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{{"n":{number}}}}}'
    kind = {"content-type": "application/cloudevents+json"}
    assert api.post(EVENTS, content=event, headers=kind).status_code == 201
    shown = json.dumps(api.get(EVENTS).json()["events"][0]["payload"])
    assert api.post(EVENTS, content=shown, headers=kind).status_code == 200
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
    answer = api.post(EVENTS, content=json.dumps(json.loads(shown)["data"]), headers=binary)
    assert answer.status_code == 200, answer.text
    batch = {"content-type": "application/cloudevents-batch+json"}
    assert api.post(BATCH, content=f"[{shown}]", headers=batch).status_code == 200


def test_a_client_sends_again_what_it_got(url: str) -> None:
    with EventLog(url) as log:
        log.append_batch([json.loads(sent(number, place)) for place, number in enumerate(NUMBERS)])
        found = list(log.events(sort="seq"))
        again = [
            log.append("t", "s", json.loads(one.entry.payload), event_id=one.entry.event_id, timestamp=SENT)
            for one in found
        ]
        assert [one.hash for one in again] == [one.hash for one in found]
        lines = [f'{{"event_id":"{e.entry.event_id}",{FIELDS},"payload":{e.entry.payload}}}'.encode() for e in found]
        events = [line.event for line in read_events("file", lines)]
        assert [one.hash for one in log.append_batch(events)] == [one.hash for one in found]


def test_a_message_of_the_queue_is_read_as_it_was_written() -> None:
    for number in NUMBERS:
        made = draft("e", payload=json.loads(f'{{"n":{number}}}', parse_int=float))
        assert parse_message(format_message(made)).entry == made.entry
