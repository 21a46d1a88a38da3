"""What a client is told of an event whose push a router has left open, and what becomes of it."""

import pytest
from starlette.testclient import TestClient

from eventlog.store.mongo import append
from tests.support.clocks import Clock
from tests.support.open_answers import Router

EVENT = {"event_type": "user.login", "timestamp": "2026-01-01T00:00:00Z", "source_id": "app", "payload": {"n": 1}}


def test_it_is_told_to_come_back_and_the_event_is_in_once_at_most(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append, "time", Clock())
    router = Router(monkeypatch)
    assert api.post("/api/v1/events", json=EVENT).status_code == 201
    for number, code in enumerate((50, 91, 11600, 11601)):
        router.arm(code, "late")
        answer = api.post("/api/v1/events", json=EVENT)
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        router.held()
        router.arm(code, "late")
        chosen = {**EVENT, "event_id": f"chosen-{code}"}
        first = api.post("/api/v1/events", json=chosen)
        assert first.status_code == 201
        router.held()
        again = api.post("/api/v1/events", json=chosen)
        assert (again.status_code, again.json()) == (200, first.json())
        events = api.get("/api/v1/events", params={"limit": 1000}).json()["events"]
        assert len({event["event_id"] for event in events}) == len(events) == 1 + 2 * (number + 1)
    assert api.post("/api/v1/audits", json={"chain": "main", "mode": "full"}).json()["status"] == "intact"
