"""The function behind the queue, polled as Lambda polls it: from SQS into the log; its logs and metrics."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from eventlog.ingest.queue_message import format_message
from eventlog.store.interface import Query
from eventlog.store.mongo.store import MongoStore
from eventlog.wiring.connection import Connection
from eventlog.wiring.queue import QueueWiring
from functions.ingest_queue import app
from tests.support.factories import draft
from tests.support.queues import Json, Queues, fifo_queues, store_down

SECRET = "s3cr3t-payload-value"
CONFLICT = "conflict: the id exists with other content"


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 40_000


def handler(event: Json) -> Json:
    return {**app.handler(json.loads(json.dumps(event)), Context())}


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with fifo_queues(monkeypatch) as queues:
        yield queues


@pytest.fixture
def wired(queues: Queues, mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[QueueWiring]:
    """What the function works with, as if it had just started."""
    with closing(Connection(queues.settings(mongo_uri, database))) as connection:
        monkeypatch.setattr(app, "wired", QueueWiring(connection))
        yield app.wired


def put(queues: Queues, event_id: str, chain: str = "main", **fields: Any) -> None:
    body = format_message(draft(event_id, chain=chain, **fields))
    queues.put(chain, body, once=f"{chain}-{event_id}-{fields.get('payload')}")


def ids(store: MongoStore, chain: str = "main") -> list[str]:
    page = store.page(Query(chain=chain, sort="seq", order="asc", limit=1000))
    return [event.entry.event_id for event in page.events]


def lines(capsys: pytest.CaptureFixture[str]) -> list[Json]:
    out = capsys.readouterr().out
    assert SECRET not in out
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@pytest.mark.usefixtures("wired")
def test_chains_that_were_queued_in_turn_are_appended_each_in_its_order(queues: Queues, store: MongoStore) -> None:
    chains = [f"c{n * n % 3}" for n in range(25)]
    for n, chain in enumerate(chains):
        put(queues, f"e{n}", chain)
    for _ in range(3):
        assert queues.poll(handler) == []
    assert queues.received(queues.url) == []
    for chain in set(chains):
        assert ids(store, chain) == [f"e{n}" for n, other in enumerate(chains) if other == chain]


@pytest.mark.usefixtures("wired")
def test_what_fails_is_delivered_again_in_order_and_poison_goes_aside(
    queues: Queues, store: MongoStore, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    store.append("main", [draft("x")])
    put(queues, "a", payload={"n": 1})
    put(queues, "x", payload={"n": 2})
    put(queues, "b", payload={"n": 1})
    queues.put("main", "poison", once="p")
    put(queues, "c", payload={"n": 1})
    with monkeypatch.context() as patch, store_down(queues.settings("mongodb://127.0.0.1:1/", database)) as down:
        patch.setattr(app, "wired", QueueWiring(down.connection, "down"))
        assert len(queues.poll(handler)) == 4
    assert queues.poll(handler) == []
    assert ids(store) == ["x", "a", "b", "c"]
    assert [(group, reason) for group, _, reason in queues.dead()] == [
        ("main", "malformed: not JSON as a message is written"),
        ("main", CONFLICT),
    ]


@pytest.mark.usefixtures("wired")
def test_a_dead_letter_can_be_sent_back_and_is_appended_then(queues: Queues, store: MongoStore) -> None:
    store.append("main", [draft("x")])
    put(queues, "x", "main", payload={"n": 2})
    queues.poll(handler)
    ((group, body, _),) = queues.dead()
    queues.put(group, body.replace('"event_id":"x"', '"event_id":"y"'), once="sent back")
    assert queues.poll(handler) == []
    assert ids(store) == ["x", "y"]


def test_a_delivery_is_logged_and_counted_and_no_payload_is(
    queues: Queues,
    wired: QueueWiring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: str,
) -> None:
    service = f"ingest_queue-{database}"
    monkeypatch.setattr(app, "wired", QueueWiring(wired.connection, service))
    wired.log.append("main", [draft("x")])
    put(queues, "a", payload={"card": SECRET})
    put(queues, "x", payload={"card": SECRET})
    queues.put("main", json.dumps({SECRET: SECRET}), once="p")
    cloudevent = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", SECRET: SECRET}
    put(queues, "ce-x", payload=cloudevent)
    queues.poll(handler)
    logged = lines(capsys)
    (delivery,) = [line for line in logged if line.get("message") == "delivery"]
    assert {name: delivery[name] for name in ("stored", "appended", "dead", "failed", "service")} == {
        "stored": 1,
        "appended": 1,
        "dead": 3,
        "failed": 0,
        "service": f"eventlog-{service}",
    }
    dead = [(line["level"], line["chain"], line["reason"]) for line in logged if line.get("message") == "dead-lettered"]
    assert dead == [("WARNING", "main", reason) for reason in ("malformed", "malformed", "conflict")]
    (metrics,) = [line for line in logged if "_aws" in line]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EventLog"
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert (metrics["Events"], metrics["DeadLettered"], metrics["service"]) == ([1.0], [3.0], f"eventlog-{service}")


def test_what_is_delivered_again_is_logged_as_an_error(
    queues: Queues,
    wired: QueueWiring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: str,
) -> None:
    monkeypatch.setattr(app, "wired", QueueWiring(wired.connection, f"ingest_queue-{database}"))
    put(queues, "a", payload={"card": SECRET})
    put(queues, "b", payload={"card": SECRET})

    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(wired.log, "append", broken)
    assert len(queues.poll(handler)) == 2
    (failure,) = [line for line in lines(capsys) if line.get("level") == "ERROR"]
    assert (failure["chain"], failure["messages"], failure["error"]) == ("main", 2, "RuntimeError")
    assert any("broken" in place for place in failure["where"])
