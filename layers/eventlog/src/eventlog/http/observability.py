"""A structured log line, EMF metrics and, when switched on, a trace segment for each request; never a payload."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aws_lambda_powertools import Logger, Tracer
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventlog.http.problems import problem
from eventlog.settings import Settings
from eventlog.telemetry import metrics
from eventlog.telemetry.tracebacks import where

HEADER = "x-correlation-id"
CLIENT_LEFT = 499
"""The status in the log where a client left before it had sent its request or received its answer; it is no error."""
NEW_EVENTS = "new_events"
"""Where a route writes, in the request's state, how many events it has added to the log."""


class Observed:
    """ASGI middleware; it also turns an error that nothing caught into a problem document without details.

    ``service`` is the function's name in logs and metrics; ``settings`` is asked with each request.
    """

    def __init__(self, app: ASGIApp, service: str, settings: Callable[[], Settings]) -> None:
        self._app = app
        self._service = service
        self._settings = settings
        self._logger = Logger(service=f"eventlog-{service}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, then log and count it; every answer gets the correlation id as a header."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, answered = time.perf_counter(), 0, False
        correlation = _correlation_id(scope)

        async def observe(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER.encode(), correlation.encode())]
            await send(message)
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            with self._segment():
                await self._app(scope, receive, observe)
        except ClientDisconnect:
            pass  # before it had sent its body; there is nobody to answer
        except Exception as error:  # whatever it is, its text may show a payload: neither client nor log may have it
            self._logger.error(
                "unexpected error",
                extra={"correlation_id": correlation, "error": type(error).__name__, "where": where(error)},
            )
            if status:  # an answer has begun: the server can only cut it off
                raise
            await problem(500, "Something went wrong here; nothing was acknowledged.")(scope, receive, observe)
        # A stream ends without an end of its answer when its client leaves or takes nothing for too long.
        self._report(scope, status if answered else CLIENT_LEFT, correlation, (time.perf_counter() - started) * 1000)

    def _segment(self) -> AbstractContextManager[object]:
        """An X-Ray subsegment when tracing is switched on; the tracer imports X-Ray's SDK only then."""
        if not self._settings().tracing:
            return nullcontext()
        tracer = Tracer(service=f"eventlog-{self._service}", auto_patch=False)
        segment: AbstractContextManager[object] = tracer.provider.in_subsegment(name=f"## {self._service}")
        return segment

    def _report(self, scope: Scope, status: int, correlation: str, millis: float) -> None:
        """Log a request and emit its metrics. The route is its pattern: a path names events and chains."""
        route = getattr(scope.get("route"), "path", "unmatched")
        fields = {"method": scope["method"], "route": route, "status": status, "duration_ms": round(millis, 1)}
        self._logger.info("request", extra={"correlation_id": correlation, **fields})
        service = f"eventlog-{self._service}"
        values = {
            "Requests": 1,
            "Errors": int(status >= 500),
            "Conflicts": int(status == 409),
            "Duration": millis,
        }
        metrics.emit(service, values, route=f"{scope['method']} {route}")
        # A route sets this when it has appended; a replayed event is not new, and so not counted.
        if events := scope.get("state", {}).get(NEW_EVENTS):
            metrics.emit(service, {"Events": events})


def _correlation_id(scope: Scope) -> str:
    """API Gateway's id of the request, else the client's own if it can be printed in a log, else one made here."""
    event: dict[str, Any] = scope.get("aws.event") or {}
    found = (event.get("requestContext") or {}).get("requestId")
    given = next((value for name, value in scope["headers"] if name == HEADER.encode()), b"").decode("latin-1")
    usable = given.isascii() and given.isprintable() and 0 < len(given) <= 128
    return str(found or (given if usable else "") or time.time_ns())
