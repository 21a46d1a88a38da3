"""Writes JSON answers, and bounds what is in an answer: the one place that says how long an answer may be."""

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Response
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventlog.formats.escaped import MOST, escaped_length
from eventlog.http.problems import MEDIA_TYPE, problem

RESPONSE_BYTES = 6 << 20
"""What Lambda returns at most, as JSON in which the body is a string (a little less than its 6,291,556 bytes)."""
BODY_BYTES = RESPONSE_BYTES - (64 << 10)
"""What a body may have of that: its length as a JSON string. API Gateway bounds the headers that the rest is for.

Every list of what is stored ends where it would be longer, on a server too, so that a page is the same everywhere. No
event comes near it alone: 256 KiB of payload are 1.5 MiB at most.
"""
TEXT_TYPES = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE, "application/x-ndjson"]
"""The media types whose bodies Lambda returns as text; all others are returned in base64."""

_LIST_BYTES = 4 << 10
"""What an answer has beside the items of its list: names of members, a cursor, a header line."""
_TOO_LONG = "Stored data is damaged, larger than anything an append stores, and can't be returned; run an audit."


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status, headers, "application/json")


def fitting(texts: Iterable[bytes]) -> list[bytes]:
    """The items of a list that fit into one answer, each as it is written there; the first one in any case."""
    kept: list[bytes] = []
    left = BODY_BYTES - _LIST_BYTES
    for text in texts:
        left -= escaped_length(text) + 1  # and a comma
        if kept and left < 0:
            break
        kept.append(text)
    return kept


def fits_anyhow(text: bytes) -> bool:
    """Whether a text fits into an answer whatever is in it, which is known without looking."""
    return MOST * len(text) <= BODY_BYTES - _LIST_BYTES


class FittingAnswers:
    """ASGI middleware behind Lambda: an answer that can't be returned becomes a problem document that says so.

    No append stores what makes one. It is for what was put into the database in another way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer once it is whole, as Lambda does anyway."""
        if "aws.event" not in scope:
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await self._app(scope, receive, hold)
        if not _fits(held):
            await problem(500, _TOO_LONG)(scope, receive, send)
            return
        for message in held:
            await send(message)


def _fits(messages: Iterable[Message]) -> bool:
    held = list(messages)
    body = b"".join(message.get("body", b"") for message in held)
    if fits_anyhow(body):
        return True
    headers = [header for message in held for header in message.get("headers", ())]
    kind = next((value.decode() for name, value in headers if name == b"content-type"), "")
    is_text = any(text in kind for text in TEXT_TYPES)
    return (escaped_length(body) if is_text else 4 * len(body) // 3 + 4) <= BODY_BYTES
