"""What a web page may not do with a server on this machine, though the browser that shows it can reach the server.

A page can call it under a name of its own that its DNS suddenly resolves to 127.0.0.1 (DNS rebinding), so that the
browser takes server and page for one site: only the names of this machine are answered to. An address is nobody's name.
And a page can send it a form, or text, under its right name and without asking first; it can't read the answer, but
what it asked for is done. So nothing is changed for a page of another origin, which the browser names.
"""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from eventlog.http.problems import problem

_OWN = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_SAFE = {"GET", "HEAD", "OPTIONS"}


def is_own(host: str) -> bool:
    """Whether a ``Host`` header has a name of this machine."""
    return _OWN.fullmatch(host) is not None


def is_foreign(method: str, origin: str | None, host: str) -> bool:
    """Whether a page of another origin asks for a change; who is no browser says no origin."""
    if method in _SAFE or origin is None:
        return False
    return origin.lower() != f"http://{host.lower()}"


class OwnHosts:
    """ASGI middleware: 421 for every other ``Host``, 403 for changes that pages of other origins ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
