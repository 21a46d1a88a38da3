"""Requests that one process serves at the same time share writes; each gets its own answer."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from eventlog.formats.event import Entry
from eventlog.http.wired import wiring_of
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PushImage
from eventlog.wiring.ingest import IngestWiring
from tests.support.coroutines import run

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"


def event(**fields: Any) -> dict[str, Any]:
    return {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {"n": 1}} | fields


class Pushes:
    """Counts the pushes; the first waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[int] = []
        self.began = threading.Event()
        self.go_on = threading.Event()
        push = Operations.push

        def watched(
            operations: Operations, chain: str, entries: Sequence[Entry], bound: int | None
        ) -> PushImage | None:
            self.events.append(len(entries))
            self.began.set()
            assert self.go_on.wait(60)
            return push(operations, chain, entries, bound)

        monkeypatch.setattr(Operations, "push", watched)


def answers(app: Any, pushes: Pushes, first: dict[str, Any], *others: Any) -> list[httpx2.Response]:
    """The answers to requests that come while the first one's push is under way."""

    async def scenario() -> list[httpx2.Response]:
        ours = wiring_of(app, IngestWiring).ingest._log
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:

            def post(body: Any) -> "asyncio.Task[httpx2.Response]":
                return asyncio.create_task(client.post(BATCH if isinstance(body, list) else EVENTS, json=body))

            tasks = [post(first)]
            await asyncio.to_thread(pushes.began.wait, 20)
            tasks += [post(body) for body in others]
            while sum(map(len, ours._lanes.values())) < len(others):
                await asyncio.sleep(0.001)
            pushes.go_on.set()
            return await asyncio.gather(*tasks)

    return run(scenario())


@pytest.fixture
def app(api: TestClient) -> FastAPI:
    assert isinstance(api.app, FastAPI)
    api.post(EVENTS, json=event())
    return api.app


def test_32_requests_at_once_take_two_pushes(app: FastAPI, api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    pushes = Pushes(monkeypatch)
    sent = [event(payload={"n": n}) for n in range(31)]
    found = answers(app, pushes, sent[0], *sent[1:], sent)
    assert [answer.status_code for answer in found] == [201] * 32
    assert pushes.events == [1, 30 + 31]
    single = [answer.json() for answer in found[:-1]]
    batch = found[-1].json()["receipts"]
    assert sorted(receipt["seq"] for receipt in single + batch) == list(range(1, 63))
    assert [receipt["seq"] for receipt in batch] == list(range(batch[0]["seq"], batch[0]["seq"] + 31))
    for n, receipt in enumerate(single):
        assert api.get(f"{EVENTS}/{receipt['event_id']}").json()["payload"] == {"n": n}
    assert api.post("/api/v1/audits", json={"mode": "full"}).json()["status"] == "intact"


def test_one_conflict_among_many_requests_is_its_own(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    pushes = Pushes(monkeypatch)
    sent = [event(event_id="a"), event(event_id="b"), event(event_id="a"), event(event_id="b", payload={})]
    first, b, again, refused = answers(app, pushes, *sent)
    assert (first.status_code, b.status_code, again.status_code) == (201, 201, 200)
    assert again.json() == first.json()
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/event_id")
