"""Errors that may pass, told to who takes nothing but frames of an event stream.

A browser's EventSource reads no status: any but 200 closes it for good (WHATWG HTML, section 9.2.3), though the log may
be back a second later. A script can't set its headers, and it accepts ``text/event-stream`` and nothing else.
"""

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventlog.formats.sse import MEDIA_TYPE, format_frame

HEADERS = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Of every answer that is an event stream."""
REASONS = {429: "limit", 500: "error", 502: "unavailable", 503: "unavailable", 504: "unavailable"}
"""Statuses of what may be over when the client asks again, and what they are called in the ``end`` frame."""

_AGAIN_SECONDS = 10


class InFrames:
    """ASGI middleware: such an error becomes a stream that ends at once, and says why and when to try again.

    It stands outside of what counts requests and errors. The frame has no id, so the client's place is as it was.
    Whoever also accepts another type, such as problem documents, gets the error as it is; and so does everybody where
    asking again can't help (401, 403, 404, 422).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer in frames if that is what it takes."""
        if scope["type"] != "http" or Headers(scope=scope).get("accept", "").strip().lower() != MEDIA_TYPE:
            await self._app(scope, receive, send)
            return
        # A problem document comes whole or in pieces: the frame is sent in the place of its end.
        failed: Message | None = None
        body = bytearray()

        async def tell(message: Message) -> None:
            nonlocal failed
            if message["type"] == "http.response.start" and message["status"] in REASONS:
                failed = message
            elif failed is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _tell(failed, bytes(body), send)

        await self._app(scope, receive, tell)


async def _tell(failed: Message, body: bytes, send: Send) -> None:
    """Send a problem document as an ``end`` frame."""
    kept = Headers(raw=failed["headers"])
    retry = kept.get("retry-after", "")
    seconds = int(retry) if retry.isdecimal() else _AGAIN_SECONDS
    detail = orjson.loads(body)["detail"] if body else ""
    data = {"reason": REASONS[failed["status"]], "status": failed["status"], "detail": detail}
    frame = format_frame(orjson.dumps(data), event="end", retry=1000 * seconds)
    # To HEAD there is no body, and how long that of a GET would be is not known any more.
    changed = HEADERS | ({"Content-Length": str(len(frame))} if body else {})
    replaced = {name.lower() for name in changed} | {"retry-after", "content-length"}
    headers = [(name, value) for name, value in kept.raw if name.decode("latin-1").lower() not in replaced]
    headers += [(name.lower().encode(), value.encode()) for name, value in changed.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": frame})
