"""An open server answers to the names of this machine alone.

Else any web page could reach it through the browser: under a name of the page's own that its DNS suddenly resolves to
127.0.0.1 (DNS rebinding), so that the browser takes log and page for one site. An address is nobody's name.
"""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from eventlog.http.problems import problem

_OWN = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)


class OwnHosts:
    """ASGI middleware: 421 for every other ``Host``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _OWN.fullmatch(Headers(scope=scope).get("host", "")):
            refusal = problem(421, "Without tokens this server answers only to localhost, 127.0.0.1 and [::1].")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
