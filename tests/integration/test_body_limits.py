"""The limits of bodies at the edges of the development server and of a function: what is refused, and what fits."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from eventlog.fields import MAX_EVENT, MAX_PAYLOAD, MAX_VALUES
from eventlog.http.app import lambda_handler
from eventlog.settings import Settings
from local.server import build_app
from tests.infrastructure.invoke import Context
from tests.integration.bad_input import BATCH, CE, CES, EVENTS, JSON, NDJSON
from tests.support.bodies import HOSTILE, around, cloudevent, native
from tests.support.callers import by_jwt, gateway_event

Ask = Callable[[str, dict[str, str], bytes], tuple[int, Any]]
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "content-type": JSON}
FORMS: list[tuple[str, dict[str, str], Callable[[bytes], bytes], str]] = [
    (EVENTS, {"content-type": JSON}, native, ""),
    (f"{EVENTS}?async=true", {"content-type": JSON}, native, ""),
    (EVENTS, {"content-type": CE}, cloudevent, ""),
    (EVENTS, BINARY, bytes, "/data"),
    (BATCH, {"content-type": JSON}, around(native, b"[", b"]"), "/0"),
    (BATCH, {"content-type": NDJSON}, around(native, b"\n", b"\n"), "/0"),
    (BATCH, {"content-type": CES}, around(cloudevent, b"[", b"]"), "/0"),
]


@pytest.fixture(params=["server", "function"])
def ask(request: pytest.FixtureRequest, mongo_uri: str, database: str) -> Iterator[Ask]:
    """Posts a body; the status and what the answer says."""
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    client, handler = TestClient(app, base_url="http://localhost"), lambda_handler(app)

    def by_server(path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        answer = client.post(path, headers=headers, content=body)
        return answer.status_code, answer.json()

    def by_function(path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        params = dict([query.split("=")]) if query else {}
        caller = by_jwt(sub="s", scope="events:write audits:write")
        own = {"host": "localhost"}
        event = gateway_event("POST", path, caller, params=params, headers=own | headers, content=body)
        answer: Any = handler(event, Context(1))  # type: ignore[arg-type]
        return answer["statusCode"], orjson.loads(answer["body"])

    yield by_server if request.param == "server" else by_function
    app.state.connection.close()


def test_what_is_small_as_text_and_large_as_objects_is_refused_with_the_limit_and_the_place(ask: Ask) -> None:
    for path, headers, wrap, pointer in FORMS:
        status, answer = ask(path, headers, wrap(HOSTILE["empty objects"]))
        (error,) = answer["errors"]
        assert (status, error["pointer"], "values, which is the limit" in error["detail"]) == (413, pointer, True), path


def test_a_body_is_read_no_further_than_its_route_can_use_it(ask: Ask) -> None:
    for path, kind, size in ((EVENTS, JSON, MAX_EVENT), (EVENTS, CE, MAX_EVENT), ("/api/v1/audits", JSON, 16 << 10)):
        status, answer = ask(path, {"content-type": kind}, b" " * (size + 1))
        assert (status, answer["errors"][0]["pointer"]) == (413, "")
        assert str(size) in answer["errors"][0]["detail"]
        assert ask(path, {"content-type": kind}, b" " * size)[0] == 400


def test_the_payload_with_the_most_values_is_stored(ask: Ask) -> None:
    payload = b'{"":[' + b",".join([b"0"] * (MAX_VALUES - 2)) + b"]}"
    assert len(payload) == MAX_PAYLOAD
    for path, headers, wrap, _ in FORMS:
        if wrap is native and "?" not in path:
            assert ask(path, headers, wrap(payload))[0] == 201
        elif path == BATCH and headers["content-type"] != CES:
            assert ask(path, headers, wrap(payload).replace(b'"t"', b'"u"'))[0] == 201
    more = b'{"":[' + b",".join([b"0"] * (MAX_VALUES - 1)) + b"]}"
    assert ask(EVENTS, {"content-type": JSON}, native(more))[1]["errors"][0]["pointer"] == "/payload"
