"""What a connection may take of the development server: how long for what, and how many there may be.

Behind API Gateway these limits are its own. uvicorn has none for headers, bodies and answers that nobody reads, so what
its connections do is looked at in each of its ticks (0.1 s). One that streams and is read has no deadline.
"""

import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from eventlog.http.problems import problem

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_LARGE = _TIMEOUT.replace(b"408 Request Timeout", b"431 Request Header Fields Too Large")
MAX_HEADERS = 1 << 20
"""Bytes that may come before a request begins: its headers, and what was read together with them of its body."""


class Limits(BaseModel):
    """How long a connection may take, in seconds, and how many connections are answered at once."""

    header_seconds: float = Field(default=10.0, gt=0)
    body_seconds: float = Field(default=60.0, gt=0)
    send_seconds: float = Field(default=60.0, gt=0)
    connections: int = Field(default=1500, ge=1)


class _Transport(Protocol):
    """What is used of asyncio's."""

    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class _Stage(NamedTuple):
    """What a connection waits for, in which request. ``left``: bytes that are not taken yet; each one changes it."""

    name: str
    request: Any
    left: int = 0


class Deadlines:
    """Ends the connections that take too long for one stage: headers, body, or taking what was sent.

    A connection is uvicorn's: with ``transport`` and ``cycle``, the request at work, or None before the first.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = {"headers": limits.header_seconds, "body": limits.body_seconds, "send": limits.send_seconds}
        self._clock = clock
        self._since: dict[Any, tuple[_Stage, float]] = {}

    def sweep(self, connections: Collection[Any]) -> None:
        """Look at each connection once."""
        # A request is kept until the next look, so that none after it can be taken for the same one.
        now, before = self._clock(), self._since
        self._since = {}
        for connection in list(connections):
            stage = _stage(connection)
            if stage is None:
                continue
            known, since = before.get(connection, (None, now))
            since = since if stage == known else now
            self._since[connection] = stage, since
            if now - since > self._seconds[stage.name]:
                _end(connection, stage)


def _stage(connection: Any) -> _Stage | None:
    """Return what a connection waits for; None while the app works, or sends and is read."""
    transport: _Transport = connection.transport
    cycle = connection.cycle
    if left := transport.get_write_buffer_size():
        return _Stage("send", cycle, left)
    if cycle is None or cycle.response_complete or transport.is_closing():
        return _Stage("headers", cycle)
    return _Stage("body", cycle) if cycle.more_body else None


def _end(connection: Any, stage: _Stage) -> None:
    """End a connection; its request, if the app has it, sees a client that left."""
    transport: _Transport = connection.transport
    cycle = connection.cycle
    # What waits for a reader would wait on after close(). The words of 408 must not follow the beginning of an answer.
    if stage.name == "send" or transport.is_closing():
        transport.abort()
        return
    if cycle is None or cycle.response_complete or not cycle.response_started:
        transport.write(_TIMEOUT)
    transport.close()


class BoundedHeaders(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # whichever of uvicorn's there is
    """A connection whose headers end, or it does: httptools, the faster of uvicorn's two parsers, keeps any number."""

    _unread = 0

    def data_received(self, data: bytes) -> None:
        """Count what comes before a request begins, and hand it on."""
        self._unread += len(data)
        if self._unread > MAX_HEADERS and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_TOO_LARGE)
            self.transport.close()
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._unread = 0


class Crowded:
    """ASGI middleware: answers 503 while there are more connections than ``limits`` allow; ``count`` says how many."""

    def __init__(self, app: ASGIApp, limits: Limits, count: Callable[[], int]) -> None:
        self.app = app
        self._limits = limits
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request and end its connection, or pass it on."""
        if scope["type"] == "http" and self._count() > self._limits.connections:
            headers = {"Retry-After": "1", "Connection": "close"}
            detail = f"This server has {self._limits.connections} connections, which is all it takes."
            await problem(503, detail, (), headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)
