r"""One reading of a path: what can be read in two ways is nobody's route.

``/chains/acme.a%2Froot`` is the chain ``acme.a/root`` to who splits first, the root of ``acme.a`` to who decodes first.
API Gateway may authorise the one and the app answer the other. So a path is decoded once, and refused (404) if that
changes its segments or leaves something to decode or to resolve: ``%2F``, ``%5C``, ``%25``, ``//``, ``.``, ``..``,
``?``, ``#``, control characters, bytes that are not UTF-8.

What is known of API Gateway's HTTP APIs (payload format 2.0): they hand over the path decoded once, in ``rawPath`` and
``requestContext.http.path`` alike, so that there an encoded slash looks like any other; Mangum would decode it again.
Captures of live events say so (hotsock/voker#8 on GitHub, aws-powertools/powertools-lambda-python#1098); the
documentation says nothing. ``routeKey`` names the route that was authorised, and that is the one that answers, or none.

Under a custom domain the path begins with what the domain maps to the API (EVENTLOG_BASE_PATH); ``routeKey`` does not.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from eventlog.http.problems import problem

_UNCLEAR = re.compile(r"[\x00-\x1f\x7f-\x9f%\\?#\ufffd\ud800-\udfff]|//|/\.\.?(/|$)")
_REST = re.compile(r"\{[^{}]*(:path|\+)\}")
_ONE = re.compile(r"\{[^{}+]+\}")


class OnePath:
    """ASGI middleware: answers 404 to a path with two readings; every other is routed by its one reading.

    ``routes`` are those of the app, in the order in which they are tried. ``base_path`` is asked with each request: it
    may stand before a path, and stands in every address that is answered.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], base_path: Callable[[], str]) -> None:
        self._app = app
        self._routes = routes
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with its path decoded once."""
        # A server has the bytes as they were sent; behind API Gateway there is decoded text, and the route it was for.
        # What is put into the scope is what every route, log line and answer reads from here on.
        if scope["type"] == "http":
            event = scope.get("aws.event")
            if event is None:
                path = _decoded(scope.get("raw_path") or scope["path"].encode())
            else:
                path = _handed_over(event, scope["path"])
            if path is None or _UNCLEAR.search(path):
                await _refusal()(scope, receive, send)
                return
            # A proxy may have taken the base path off. Without its slash the page's own links would lead elsewhere.
            base = self._base_path()
            if path == base and base and scope["method"] == "GET":
                query = scope["query_string"].decode("latin-1")
                await RedirectResponse(f"{base}/{query and '?'}{query}", 308)(scope, receive, send)
                return
            own = path[len(base) :] if path.startswith(f"{base}/") else path
            scope["root_path"], scope["path"] = base, base + own
            if event is not None and not self._is_authorised(scope, own, event.get("routeKey", "")):
                await _refusal()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_authorised(self, scope: Scope, path: str, route_key: str) -> bool:
        """Whether the route that will answer is the one that API Gateway found for the path; a key may be no route."""
        template = route_key.partition(" ")[2]
        if not template or template == path:
            return True
        route = next((route for route in self._routes if route.matches(scope)[0] is Match.FULL), None)
        return route is None or _shape(getattr(route, "path", "")) == _shape(template)


def _decoded(raw: bytes) -> str | None:
    """The text of a path as it was sent; None if it is not UTF-8, or has other segments once it is decoded."""
    path = unquote_to_bytes(raw)
    if path.count(b"/") != raw.count(b"/"):
        return None
    try:
        return path.decode()
    except UnicodeDecodeError:
        return None


def _handed_over(event: Mapping[str, Any], otherwise: str) -> str | None:
    """The path that API Gateway decoded; None if the event has two that differ."""
    path = str(((event.get("requestContext") or {}).get("http") or {}).get("path", otherwise))
    return path if event.get("rawPath", path) == path else None


def _shape(template: str) -> str:
    """A route's path without the names of its parameters, as FastAPI and API Gateway write it."""
    return _ONE.sub("{}", _REST.sub("{+}", template))


def _refusal() -> Any:
    return problem(
        404,
        "There is nothing here: the path can be read in more than one way. It may have no encoded slash, backslash, "
        "percent sign, question mark, hash or control character, no empty segment, and no segment . or ..",
    )
