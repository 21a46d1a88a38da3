"""The API on a real port, as it is or behind something that changes its answers."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from eventlog.http.wired import wiring_of
from eventlog.wiring.query import QueryWiring
from local.limits import Limits
from local.machine import HOST, bind, wait_until
from local.server import Server

Change = Callable[[str, bytes], bytes]
"""What to answer instead, given a request's path (with its query) and the honest body."""


@contextmanager
def served(app: Any, port: int = 0, limits: Limits | None = None, *, quiet: bool = False) -> Iterator[str]:
    """The URL of an ASGI app, on a free port unless one is named.

    ``quiet``: without logs and metrics, for tests that read what a command prints: threads of the server print when
    they get to it, into the middle of a line or after the command.
    """
    with _silence() if quiet else nullcontext():
        yield from _serve(app, port, limits)


@contextmanager
def _silence() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("POWERTOOLS_METRICS_DISABLED", "true")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _serve(app: Any, port: int, limits: Limits | None) -> Iterator[str]:
    bound = bind(port)
    server = Server(app, bound, when_stopping=lambda: _end_streams(app), limits=limits)
    thread = threading.Thread(target=server.serve_forever, name="api")
    thread.start()
    try:
        wait_until("the API to start", lambda: server.started or not thread.is_alive())
        yield f"http://{HOST}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _end_streams(app: Any) -> None:
    """As the development server does, whatever stands before its app."""
    while not hasattr(app, "state"):
        if not hasattr(app, "app"):
            return
        app = app.app
    if hasattr(app.state, "wirings"):
        wiring_of(app, QueryWiring).end_streams()


class Lying:
    """ASGI middleware: the app's answers, each changed by ``change``, which is honest until a test sets it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.change: Change = lambda _, body: body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: dict[str, Any] = {}
        body = bytearray()

        async def collect(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self.app(scope, receive, collect)
        path = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        changed = self.change(path, bytes(body))
        kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send(start | {"headers": [*kept, (b"content-length", str(len(changed)).encode())]})
        await send({"type": "http.response.body", "body": changed})
