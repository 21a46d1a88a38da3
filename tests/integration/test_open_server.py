"""The development server's app: open without tokens, but only under this machine's own names; closed with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from admin.token import add_token
from eventlog.settings import Settings
from local.server import build_app

HEALTH = "/api/v1/health"


@pytest.fixture
def settings(mongo_uri: str, database: str) -> Settings:
    return Settings(mongo_uri=mongo_uri, mongo_database=database)


@pytest.fixture
def open_server(settings: Settings) -> Iterator[TestClient]:
    app = build_app(settings)
    yield TestClient(app)
    app.state.connection.close()


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "127.1.2.3:1", "[::1]", "[::1]:8000"],
)
def test_an_open_server_answers_to_this_machines_names(open_server: TestClient, host: str) -> None:
    assert open_server.get(HEALTH, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:8000",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "rebound.example.localhost",
        "127.0.0.1:8000@rebound.example",
        "10.0.0.1:8000",
        "0.0.0.0:8000",
        "[::2]",
        "::1",
        "localhost:",
        "localhost:8000:1",
        "",
    ],
)
@pytest.mark.parametrize("path", [HEALTH, "/api/v1/export", "/openapi.json", "/nowhere"])
def test_it_answers_to_no_other(open_server: TestClient, host: str, path: str) -> None:
    answer = open_server.get(path, headers={"host": host})
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://localhost:3000",
        "https://localhost:8000",
        "http://localhost:8000.evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/audits", "/api/v1/events"])
def test_no_page_of_another_origin_changes_anything(open_server: TestClient, origin: str, path: str) -> None:
    """It can send text without asking first: ``fetch(..., {method: "POST", mode: "no-cors"})``."""
    headers = {"host": "localhost:8000", "origin": origin, "content-type": "text/plain"}
    answer = open_server.post(path, content="", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


def test_its_own_pages_and_who_is_no_page_may_change_something(open_server: TestClient) -> None:
    event = {"event_type": "a", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
    for origin in ({}, {"origin": "http://LOCALHOST:8000"}):
        assert open_server.post("/api/v1/events", json=event, headers={"host": "localhost:8000", **origin}).is_success
    assert open_server.get(HEALTH, headers={"host": "localhost", "origin": "https://evil.example"}).status_code == 200


def test_what_comes_through_api_gateway_is_never_anonymous(open_server: TestClient) -> None:
    """Even on an app that was made open, and from an event that says nothing at all."""

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await open_server.app(scope | {"aws.event": {}}, receive, send)

    assert TestClient(behind).get(HEALTH, headers={"host": "localhost"}).status_code == 401


def test_a_server_with_tokens_answers_to_every_name_but_demands_one(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = add_token(path, "someone", ["events:read"], None)
    app = build_app(settings.model_copy(update={"tokens": str(path)}))
    client = TestClient(app)
    for host in ("log.example.com", "127.0.0.1:8000"):
        assert client.get(HEALTH, headers={"host": host}).status_code == 401
        signed = {"host": host, "authorization": f"Bearer {token}"}
        assert client.get(HEALTH, headers=signed).status_code == 200
    assert client.get("/openapi.json").status_code == 200
    app.state.connection.close()
