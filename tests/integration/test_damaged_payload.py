"""A stored payload that is no JSON object is refused by every route that shows events, pending or settled.

So is one that is stored apart from its event and is not the very one that was appended, or is gone.
"""

from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient
from starlette.testclient import TestClient

from eventlog.formats.governance import ERASURE
from eventlog.stored.bodies import APART_FROM
from eventlog.stored.erased import fields_to_empty
from tests.support.erased import TIME, erasure, order_payload
from tests.support.factories import draft

EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "event_id": "e", "payload": {"n": 1}}
FORGED = ['{"n":1},"principal":"somebody","more":{}', "", "[1]", '{"n":1', "{}{}", "null"]
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ROUTES = [
    ("/api/v1/events", JSON),
    ("/api/v1/events", NDJSON),
    ("/api/v1/events", CSV),
    ("/api/v1/events?sort=seq", JSON),
    ("/api/v1/events/e", JSON),
    ("/api/v1/events/stream?from_seq=0", "text/event-stream"),
]


def forge(database: Any, payload: str, *, settled: bool) -> None:
    """Damage the one event, where it is stored."""
    if settled:
        assert database.events.update_one({"_id": "main/e"}, {"$set": {"payload": payload}}).modified_count == 1
        return
    (event,) = database.events.find()
    names = ("event_id", "event_type", "source_id", "timestamp", "received_at", "principal")
    entry = {name: event[name] for name in (*names, "payload", "salt", "payload_hash", "content_hash")}
    database.events.delete_one({"_id": "main/e"})
    image = {
        "settled": {"size": Int64(0), "hash": event["prev_hash"], "frontier": []},
        "pending": [entry | {"payload": payload}],
    }
    database.sequences.update_one({"_id": "main"}, {"$set": image})


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "pending"])
@pytest.mark.parametrize("payload", FORGED)
def test_a_payload_that_is_no_object_never_reaches_an_answer(
    api: TestClient, client: MongoClient[dict[str, Any]], database: str, payload: str, settled: bool
) -> None:
    assert api.post("/api/v1/events", json=EVENT).status_code == 201
    api.app.state.connection.log.settle("main")  # type: ignore[attr-defined]
    forge(client[database], payload, settled=settled)
    refused_everywhere(api)
    assert api.post("/api/v1/audits", json={"mode": "full"}).json()["status"] == "tampered"


def refused_everywhere(api: TestClient) -> None:
    """Every route says that what is stored is damaged, and shows nothing of it."""
    for route, accept in ROUTES:
        answer = api.get(route, headers={"Accept": accept})
        if accept == "text/event-stream":  # a browser's EventSource reads no status: it is told in a frame
            assert "event: end\n" in answer.text
            assert '"status":500,"detail":"Stored data is damaged' in answer.text
        else:
            assert answer.status_code == 500, (route, accept, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "damaged" in answer.json()["detail"]
        assert "somebody" not in answer.text


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "pending"])
@pytest.mark.parametrize("damage", ["removed", "altered", "another's"])
def test_a_payload_stored_apart_that_is_not_the_event_s_never_reaches_an_answer(
    api: TestClient, client: MongoClient[dict[str, Any]], database: str, damage: str, settled: bool
) -> None:
    assert api.post("/api/v1/events", json=EVENT | {"event_id": "first"}).status_code == 201
    large = EVENT | {"payload": {"text": "x" * APART_FROM}}
    assert api.post("/api/v1/events", json=large).status_code == 201
    log = api.app.state.connection.log  # type: ignore[attr-defined]
    if settled:
        log.settle("main")
    bodies = client[database]["bodies"]
    for route, accept in ROUTES[:-1]:  # a stream of what is in order has no end
        assert "x" * APART_FROM in api.get(route, headers={"Accept": accept}).text
    if damage == "removed":
        assert bodies.delete_many({}).deleted_count == 1
    else:
        payload = '{"by":"somebody"}' if damage == "altered" else '{"n":1}'
        assert bodies.update_one({}, {"$set": {"payload": payload}}).modified_count == 1
    refused_everywhere(api)
    assert api.post("/api/v1/events", json=large).status_code == 500  # whether it is the same can't be told
    report = api.post("/api/v1/audits", json={"mode": "full"}).json()
    kind = "payload_missing" if damage == "removed" else "payload_mismatch"
    assert [(finding["kind"], finding["seq"]) for finding in report["findings"]] == [(kind, 1)]
    assert api.get("/api/v1/events?limit=1&order=asc").status_code == 200


@pytest.mark.parametrize("n", [1, "x" * APART_FROM], ids=["inside", "apart"])
def test_an_event_that_is_empty_and_that_nobody_ordered_to_erase_is_damaged(
    api: TestClient, client: MongoClient[dict[str, Any]], database: str, n: Any
) -> None:
    """Emptied as an erasure empties; the orders that the chain has name other events, or none."""
    assert api.post("/api/v1/events", json=EVENT | {"payload": {"n": n}}).status_code == 201
    log = api.app.state.connection.log  # type: ignore[attr-defined]
    event = log.get("main", "e")
    orders = [erasure((0, bytes(32))), erasure((7, event.hash), number=2)]
    payloads = [*map(order_payload, orders), {"note": "erase 0"}, {"note": 0}]
    log.append("main", [draft(event_type=ERASURE, timestamp=TIME + n, payload=p) for n, p in enumerate(payloads)])
    log.settle("main")
    client[database].events.update_one({"_id": "main/e"}, {"$set": fields_to_empty(event)})
    client[database].bodies.delete_many({})
    refused_everywhere(api)
    assert api.get("/api/v1/events/e/receipt").status_code == 200  # it rests on hashes alone
    assert api.post("/api/v1/events", json=EVENT | {"payload": {"n": n}}).status_code == 410
    assert api.get("/api/v1/events?limit=1&sort=seq&order=asc&from_seq=1").status_code == 200
    report = api.post("/api/v1/audits", json={"mode": "full"}).json()
    assert ("payload_missing", 0) in [(found["kind"], found["seq"]) for found in report["findings"]]


def test_an_event_that_is_empty_before_it_is_settled_is_damaged(
    api: TestClient, client: MongoClient[dict[str, Any]], database: str
) -> None:
    assert api.post("/api/v1/events", json=EVENT).status_code == 201
    api.app.state.connection.log.settle("main")  # type: ignore[attr-defined]
    client[database].events.update_one({"_id": "main/e"}, {"$set": {"salt": b""}})
    forge(client[database], "", settled=False)
    refused_everywhere(api)
