"""A stored payload that is no JSON object is refused by every route that shows events, pending or settled."""

from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient
from starlette.testclient import TestClient

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
        assert database.events.update_one({}, {"$set": {"payload": payload}}).modified_count == 1
        return
    (event,) = database.events.find()
    names = ("event_id", "event_type", "source_id", "timestamp", "received_at", "principal")
    entry = {name: event[name] for name in (*names, "payload", "salt", "payload_hash", "content_hash")}
    database.events.delete_one({})
    image = {
        "settled": {"size": Int64(0), "hash": event["prev_hash"], "frontier": []},
        "pending": [entry | {"payload": payload}],
    }
    database.sequences.update_one({}, {"$set": image})


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "pending"])
@pytest.mark.parametrize("payload", FORGED)
def test_a_payload_that_is_no_object_never_reaches_an_answer(
    api: TestClient, client: MongoClient[dict[str, Any]], database: str, payload: str, settled: bool
) -> None:
    assert api.post("/api/v1/events", json=EVENT).status_code == 201
    api.app.state.connection.log.settle("main")  # type: ignore[attr-defined]
    forge(client[database], payload, settled=settled)
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
    assert api.post("/api/v1/audits", json={"mode": "full"}).json()["status"] == "tampered"
