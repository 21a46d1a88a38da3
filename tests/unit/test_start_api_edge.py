"""SAM's gateway with our authorizer and API Gateway's own answers in front, without any function."""

import base64
import json
from concurrent.futures import Future
from hashlib import sha256
from typing import Any

import pytest
from flask.testing import FlaskClient
from samcli.lib.providers.provider import Api  # type: ignore[import-untyped]
from samcli.local.apigw.route import Route  # type: ignore[import-untyped]

from eventlog.http.callers import Caller, from_gateway
from eventlog.http.tokens import TokenEntry
from local.start_api import edge
from local.start_api.edge import Edge, Runner
from local.start_api.functions import FunctionError, is_error
from local.start_api.invocations import add_invoke
from local.start_api.pool import ThrottledError
from local.start_api.tokens import CLAIM, JwtAuthorizer

TOKEN = {"Authorization": "Bearer t-1"}
ENTRY = TokenEntry(
    sha256=sha256(b"t-1").hexdigest(), principal="shop", scopes=["events:write", "events:read"], chains=["acme", "b.*"]
)


class Gateway:
    """A gateway before one function, whose answer the test sets and whose events it sees."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Exception | bytes = b'{"statusCode": 200, "body": "done"}'
        route = Route("F", "/v1/{name}", ["GET", "POST"], Route.HTTP, payload_format_version="2.0")
        api = Api([route])
        runner = Runner({"F": self._submit})
        app = Edge(api, runner, JwtAuthorizer([ENTRY]), 3000).app()
        add_invoke(app, runner)
        self.client: FlaskClient = app.test_client()

    def _submit(self, payload: bytes) -> Future[bytes]:
        self.events.append(json.loads(payload))
        future: Future[bytes] = Future()
        match self.answer:
            case ThrottledError():
                raise self.answer
            case TimeoutError():
                pass
            case Exception():
                future.set_exception(self.answer)
            case bytes():
                future.set_result(self.answer)
        return future


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("SAM_CLI_TELEMETRY", "0")
    monkeypatch.setattr(edge, "SECONDS", 0.01)
    return Gateway()


def test_a_token_becomes_the_claims_that_the_function_reads_its_caller_from(gateway: Gateway) -> None:
    assert gateway.client.get("/v1/x", headers=TOKEN).status_code == 200
    (event,) = gateway.events
    assert event["requestContext"]["authorizer"] == {
        "jwt": {
            "claims": {"sub": "shop", "scope": "events:write events:read", CLAIM: "[acme b.*]"},
            "scopes": None,
        }
    }
    assert from_gateway(event, CLAIM) == Caller("shop", frozenset({"events:write", "events:read"}), ("acme", "b.*"))


def test_no_token_leaves_the_authorizer_out(gateway: Gateway) -> None:
    assert gateway.client.get("/v1/x").status_code == 200
    assert "authorizer" not in gateway.events[0]["requestContext"]


@pytest.mark.parametrize("header", ["Bearer t-2", "Basic t-1", "t-1", "", "Bearer"])
def test_an_unknown_token_never_reaches_the_function(gateway: Gateway, header: str) -> None:
    answer = gateway.client.get("/v1/x", headers={"Authorization": header})
    assert (answer.status_code, answer.json) == (401, {"message": "Unauthorized"})
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert gateway.events == []


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (ThrottledError(), 429, "Too Many Requests"),
        (FunctionError("Task timed out"), 500, "Internal Server Error"),
        (TimeoutError(), 503, "Service Unavailable"),
    ],
)
def test_failures_have_api_gateways_answers(gateway: Gateway, failure: Exception, status: int, message: str) -> None:
    gateway.answer = failure
    answer = gateway.client.get("/v1/x", headers=TOKEN)
    assert (answer.status_code, answer.json) == (status, {"message": message})


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_what_is_no_route_is_not_found(gateway: Gateway, method: str) -> None:
    answer = gateway.client.open("/v1/x" if method == "DELETE" else "/", method=method, headers=TOKEN)
    assert (answer.status_code, answer.json) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"{}", "application/json", ("{}", False)),
        (b"\xff", "application/json", (base64.b64encode(b"\xff").decode(), True)),
        (b"\x00\x01", "application/octet-stream", ("AAE=", True)),
        (b"", "application/json", (None, False)),
    ],
)
def test_a_body_is_passed_on_as_api_gateway_does(
    gateway: Gateway, body: bytes, media_type: str, expected: tuple[str | None, bool]
) -> None:
    gateway.client.post("/v1/x", data=body, content_type=media_type, headers=TOKEN)
    event = gateway.events[0]
    assert (event.get("body"), event["isBase64Encoded"]) == expected


def test_each_request_has_an_id_and_lower_case_headers(gateway: Gateway) -> None:
    for _ in range(2):
        gateway.client.get("/v1/x?a=1&a=2", headers=TOKEN | {"X-Thing": "y"})
    first, second = gateway.events
    assert first["requestContext"]["requestId"] != second["requestContext"]["requestId"]
    assert first["headers"]["x-thing"] == "y"
    assert (first["routeKey"], first["rawQueryString"]) == ("GET /v1/{name}", "a=1&a=2")
    assert all(name == name.lower() for name in first["headers"])


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"Task timed out after 2.00 seconds", True),
        (b'{"errorMessage": "x", "errorType": "ValueError", "requestId": "1", "stackTrace": []}', True),
        (b'{"statusCode": 200, "body": "{\\"errorType\\": 1}"}', False),
        (b"{}", False),
        (b"null", False),
    ],
)
def test_the_emulators_words_for_failures_are_known(answer: bytes, failed: bool) -> None:
    assert is_error(answer) is failed


@pytest.mark.parametrize("path", ["/2015-03-31/functions/F/invocations", "/v1/x"])
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:3000", "https://evil.example"),
        ("127.0.0.1:3000", "null"),
        ("evil.example:3000", "http://evil.example:3000"),
    ],
)
def test_no_web_page_invokes_a_function(gateway: Gateway, path: str, host: str, origin: str) -> None:
    headers = {"Host": host, "Origin": origin, "Content-Type": "text/plain"}
    answer = gateway.client.post(path, data="{}", headers=headers)
    assert (answer.status_code, gateway.events) == (403, [])


def test_who_is_no_page_invokes_it(gateway: Gateway) -> None:
    path = "/2015-03-31/functions/F/invocations"
    assert gateway.client.post(path, data="{}", headers={"Host": "127.0.0.1:3000"}).status_code == 200
    assert gateway.events == [{}]


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
@pytest.mark.parametrize("answer", [b"{}", FunctionError("<b>not a page</b>")])
def test_no_answer_to_an_invocation_is_a_page(gateway: Gateway, answer: Exception | bytes, kind: str) -> None:
    gateway.answer = answer
    headers = {"Host": "127.0.0.1:3000", "X-Amz-Invocation-Type": kind}
    for name in ("F", "G"):
        found = gateway.client.post(f"/2015-03-31/functions/{name}/invocations", data="{}", headers=headers)
        assert found.mimetype in {"application/json", "text/plain"}
