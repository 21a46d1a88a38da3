"""What holds for every request and every answer, whatever the route."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventlog.http.negotiation import Accepts

DEFAULTS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every answer that does not say otherwise. What the log answers is for whoever asked, and true for now."""


class JoinedHeaders:
    """ASGI middleware: joins request headers of one name with commas (RFC 9110, section 5.3), as API Gateway does.

    So a server reads what a function would read, and two values where one is meant are neither the first nor the last
    but a value that nobody takes. Attributes of CloudEvents stay as they are: two of one name are refused by name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            scope["headers"] = _joined(scope["headers"])
        await self._app(scope, receive, send)


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    if len({name for name, _ in headers}) == len(headers):  # as nearly always
        return headers
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return [
        (name, value)
        for name, values in found.items()
        for value in (values if name.startswith(b"ce-") else [b",".join(values)])
    ]


class AnswerHeaders:
    """ASGI middleware: completes the headers of every answer, and sends no body to HEAD.

    A route that keeps to ``DEFAULTS`` need not know of them. ``Vary: Accept`` is on each answer of a route that chooses
    by ``Accept``, on errors too: what another request to the same address gets may differ (RFC 9110, section 12.5.5).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in DEFAULTS.items()]
                if _varies(scope):
                    added.append((b"vary", b"Accept"))
                message["headers"] = [*message["headers"], *(item for item in added if item[0] not in given)]
            elif scope["method"] == "HEAD":
                message = {"type": message["type"], "body": b"", "more_body": message.get("more_body", False)}
            await send(message)

        await self._app(scope, receive, complete)


def _varies(scope: Scope) -> bool:
    """Whether the route that was found chooses by ``Accept``; to another method than its own none has answered."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    dependant = getattr(scope.get("route"), "dependant", None)
    return dependant is not None and any(isinstance(one.call, Accepts) for one in dependant.dependencies)


HEADERS_ALONE = "eventlog.headers_alone"
"""In the scope of a request whose answer is not read beyond its headers: no route has to wait for what is in it."""


class _EnoughError(Exception):
    """The headers are sent: the rest of the answer is not wanted."""


class HeadAsGet:
    """ASGI middleware: answers HEAD as GET, without the body (RFC 9110, section 9.3.2).

    The app is ended once it has sent its headers, so that no stream goes on that nobody reads.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the app with GET, and pass its headers on; every other method as it is."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def headers_alone(message: Message) -> None:
            scope["method"] = "HEAD"  # as the server and the log have to know it
            if "aws.event" in scope:  # API Gateway would get a body that is shorter than it is said to be
                kept = [item for item in message["headers"] if item[0].lower() != b"content-length"]
                message = {**message, "headers": kept}
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            raise _EnoughError

        scope["method"], scope[HEADERS_ALONE] = "GET", True
        try:
            await self._app(scope, receive, headers_alone)
        except _EnoughError:
            pass
        finally:
            scope["method"] = "HEAD"
