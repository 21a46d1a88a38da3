"""The HTTP API: SAM's local gateway, with the parts in front of it that SAM leaves out.

SAM checks no JWT, so bearer tokens take their place. SAM's events are like API Gateway's except for the id, the time
and bodies that are not text; those are corrected here. Failures get the answers of API Gateway's HTTP API.
"""

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from flask import Flask, Request, request
from samcli.lib.providers.provider import Api  # type: ignore[import-untyped]
from samcli.local.apigw.local_apigw_service import LocalApigwService  # type: ignore[import-untyped]
from werkzeug.serving import WSGIRequestHandler, make_server

from local.hosts import is_foreign, is_own
from local.machine import HOST, LocalError
from local.start_api.functions import MAX_PAYLOAD, FunctionError
from local.start_api.pool import Submit, ThrottledError
from local.start_api.tokens import JwtAuthorizer, UnknownTokenError

BACKLOG = 128
SECONDS = 30  # how long API Gateway waits for a function
TEXT = ("text/", "application/json", "application/xml", "application/javascript")

GatewayAnswer = tuple[dict[str, str], int, dict[str, str]]


class EventTooLargeError(Exception):
    """An event is larger than Lambda accepts (413)."""


class Runner:
    """What SAM's gateway calls to run a function: SAM has a container there, here it is a pool."""

    def __init__(self, pools: Mapping[str, Submit]) -> None:
        self._pools = pools

    def is_debugging(self) -> bool:
        """Return False, so that SAM answers several requests at the same time."""
        return False

    def knows(self, name: str) -> bool:
        """Return whether there is such a function."""
        return name in self._pools

    def submit(self, name: str, payload: bytes) -> Future[bytes]:
        """Start an invocation; return its answer as a future, which may raise FunctionError.

        Raises:
            ThrottledError: too many requests are running and waiting.
            EventTooLargeError: the event is larger than Lambda accepts.
        """
        if len(payload) > MAX_PAYLOAD:
            raise EventTooLargeError
        return self._pools[name](payload)

    def invoke(self, name: str, event: str, stdout: Any, **_: Any) -> None:
        """Run a function and write its answer to ``stdout``, as SAM's gateway expects it.

        Raises:
            ThrottledError: too many requests are running and waiting.
            EventTooLargeError: the event is larger than Lambda accepts.
            FunctionError: the function failed.
            TimeoutError: API Gateway would not wait any longer; the function goes on.
        """
        stdout.write_str(self.submit(name, event.encode()).result(SECONDS).decode())


class Edge(LocalApigwService):  # type: ignore[misc]
    """SAM's local API Gateway with an authorizer in front."""

    def __init__(self, api: Api, runner: Runner, authorizer: JwtAuthorizer, port: int) -> None:
        super().__init__(api, runner, port=port, host=HOST)
        self.api.binary_media_types_set = {"*/*"}  # makes SAM encode all bodies in base64; body_of decodes text again
        self._authorizer = authorizer

    def app(self) -> Flask:
        """Return the WSGI application."""
        self.create()
        app: Flask = self._app
        for error, status in STATUS.items():
            app.register_error_handler(error, answer_with(status))
        app.before_request(refuse_pages)
        return app

    def _generate_lambda_event(self, flask_request: Request, *args: Any) -> dict[str, Any]:
        """Make the event of a request; SAM's handler calls this first, so an unknown token ends the request here."""
        authorizer = self._authorizer.authorize(flask_request.headers.get("Authorization"))
        event: dict[str, Any] = super()._generate_lambda_event(flask_request, *args)
        event |= body_of(event.pop("body"), flask_request.mimetype)
        # As API Gateway's HTTP API has it: header names in lower case, values of one name joined, an id and the time.
        now = time.time()
        event["headers"] = {name.lower(): ",".join(flask_request.headers.getlist(name)) for name in event["headers"]}
        event["requestContext"] |= {
            "requestId": str(uuid4()),
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        }
        if authorizer is not None:
            event["requestContext"]["authorizer"] = authorizer
        return event


def refuse_pages() -> GatewayAnswer | None:
    """Refuse requests of web pages: an invocation needs no token, and its event says who the caller is."""
    if is_own(request.host) and not is_foreign(request.method, request.headers.get("Origin"), request.host):
        return None
    return answer_with(HTTPStatus.FORBIDDEN)(PermissionError())


def body_of(encoded: str | None, media_type: str) -> dict[str, Any]:
    """Return the event's members for a body as API Gateway has them: text as it is, anything else in base64."""
    if not encoded:
        return {"isBase64Encoded": False}
    if media_type.startswith(TEXT) or not media_type:
        with suppress(UnicodeDecodeError):
            return {"body": base64.b64decode(encoded).decode(), "isBase64Encoded": False}
    return {"body": encoded, "isBase64Encoded": True}


def answer_with(status: HTTPStatus) -> Callable[[Exception], GatewayAnswer]:
    """Return an error handler that answers as API Gateway does."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if status is HTTPStatus.UNAUTHORIZED else {}
    return lambda _: ({"message": status.phrase}, int(status), headers)


STATUS: dict[type[Exception] | int, HTTPStatus] = {
    404: HTTPStatus.NOT_FOUND,
    405: HTTPStatus.NOT_FOUND,
    UnknownTokenError: HTTPStatus.UNAUTHORIZED,
    EventTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ThrottledError: HTTPStatus.TOO_MANY_REQUESTS,
    FunctionError: HTTPStatus.INTERNAL_SERVER_ERROR,
    LocalError: HTTPStatus.INTERNAL_SERVER_ERROR,
    TimeoutError: HTTPStatus.SERVICE_UNAVAILABLE,
}


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True


@contextmanager
def serve(app: Flask, bound: socket.socket) -> Iterator[None]:
    """Serve on a port that is bound already, with a thread for each connection."""
    bound.listen(BACKLOG)
    server = make_server(HOST, bound.getsockname()[1], app, threaded=True, request_handler=_Handler, fd=bound.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="edge")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
