"""Protects a server on this machine from web pages, as the browser that shows them can reach the server.

DNS rebinding: a page calls the server under a name of its own that its DNS suddenly resolves to 127.0.0.1. The browser
then takes server and page for one site. So only requests for names and addresses of this machine are answered.

Cross-site requests: a page sends a form, or plain text, to the server's right name. The browser asks nobody first; the
page can't read the answer, but the request takes effect. So nothing is changed for a page of another origin, which the
browser names in ``Origin``.
"""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from eventlog.http.problems import problem

_OWN = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_SAFE = {"GET", "HEAD", "OPTIONS"}


def is_own(host: str) -> bool:
    """Return whether a ``Host`` header has a name of this machine."""
    return _OWN.fullmatch(host) is not None


def is_foreign(method: str, origin: str | None, host: str) -> bool:
    """Return whether a page of another origin asks for a change; clients that are not browsers send no Origin."""
    if method in _SAFE or origin is None:
        return False
    return origin.lower() != f"http://{host.lower()}"


class OwnHosts:
    """ASGI middleware: answers 421 for any other ``Host``, 403 to changes that pages of other origins ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on to the application."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "")
            if not is_own(host):
                refusal = problem(421, "Without tokens this server answers only to localhost, 127.0.0.1 and [::1].")
                await refusal(scope, receive, send)
                return
            if is_foreign(scope["method"], headers.get("origin"), host):
                refusal = problem(403, "Without tokens this server changes nothing for a page of another origin.")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
