"""A client that leaves is no error: one line at level INFO with the status 499, and nothing in the count of errors."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi import Response
from fastapi.responses import StreamingResponse

from eventlog.http.app import create_app
from eventlog.http.problems import api_router
from eventlog.http.requests import BatchBody
from eventlog.settings import Settings
from functions.chain_audit.app import routers as audit_routers
from functions.ingest.app import routers as ingest_routers
from tests.support.each import each

BODIES = {"/api/v1/events", "/api/v1/events/batch", "/api/v1/audits"}
other = api_router("test")


@other.post("/whole")
def whole(body: BatchBody) -> Response:
    return Response(body)


@other.get("/endless")
def endless() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0)

    return StreamingResponse(parts())


@other.get("/broken")
def broken() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        raise RuntimeError("s3cr3t")

    return StreamingResponse(parts())


def exchange(
    capsys: pytest.CaptureFixture[str], method: str, path: str, *messages: dict[str, Any]
) -> tuple[list[Any], list[dict[str, Any]]]:
    """What is sent to a client that does this, and the lines that are logged."""
    app = create_app(
        *ingest_routers,
        *audit_routers,
        other,
        title=f"leaves-{uuid4().hex}",
        settings=Settings(mongo_uri=None),
        anonymous=True,
    )
    incoming, sent = list(messages), list[Any]()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        while not incoming or (incoming[0]["type"] == "http.disconnect" and method == "GET" and len(sent) < 4):
            await asyncio.sleep(0)
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    capsys.readouterr()
    asyncio.run(app(scope, receive, send))
    return sent, [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def told(lines: list[dict[str, Any]]) -> tuple[list[tuple[str, int]], list[list[float]]]:
    """Level and status of the lines about requests, and the errors that were counted."""
    requests = [(line["level"], line.get("status", 0)) for line in lines if "level" in line]
    return requests, [line["Errors"] for line in lines if "_aws" in line]


PART = {"type": "http.request", "body": b'{"payload": "s3cr3t', "more_body": True}
LEAVES = {"type": "http.disconnect"}
LEFT = ([("INFO", 499)], [[0.0]])


@each("messages", [[LEAVES], [PART, LEAVES], [PART, PART, LEAVES]])
@each("path", [*sorted(BODIES), "/api/v1/whole"])
def test_one_that_leaves_while_it_sends_is_told_without_an_error(
    capsys: pytest.CaptureFixture[str], path: str, messages: list[dict[str, Any]]
) -> None:
    sent, lines = exchange(capsys, "POST", path, *messages)
    assert told(lines) == LEFT
    assert sent == []
    assert "s3cr3t" not in json.dumps(lines)


def test_there_is_no_route_with_a_body_that_is_not_in_the_table() -> None:
    routes = [route for router in (*ingest_routers, *audit_routers) for route in router.routes]
    assert {getattr(route, "path", "") for route in routes if "POST" in getattr(route, "methods", ())} == BODIES


def test_one_that_leaves_while_it_reads_is_told_without_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    sent, lines = exchange(capsys, "GET", "/api/v1/endless", LEAVES)
    assert sent[0]["status"] == 200
    assert told(lines) == LEFT


def test_one_that_leaves_after_its_answer_has_received_it(capsys: pytest.CaptureFixture[str]) -> None:
    whole = {"type": "http.request", "body": b"{", "more_body": False}
    sent, lines = exchange(capsys, "POST", "/api/v1/whole", whole, LEAVES)
    assert sent[1]["body"] == b"{"
    assert told(lines) == ([("INFO", 200)], [[0.0]])


def test_an_answer_that_breaks_off_by_itself_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        exchange(capsys, "GET", "/api/v1/broken")
    assert '"level":"ERROR"' in capsys.readouterr().out
