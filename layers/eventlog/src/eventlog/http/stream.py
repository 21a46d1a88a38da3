"""From a request to a live stream: without end where answers are streamed, in parts where they are held whole."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

import orjson
from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from eventlog.fields import ChainName, Name
from eventlog.formats.sse import MEDIA_TYPE, format_frame
from eventlog.http.callers import Caller
from eventlog.http.event_query import Seq
from eventlog.streams.readers import EndedError, StreamReader, Subscription
from eventlog.wiring.resources import Resources

CONTENT = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "Server-Sent Events, without end"}}}}
COMMENT_SECONDS = 15.0
SLOW_SECONDS = 1.0
"""A reader that is no longer among the newest events and whose connection took longer for a chunk is cut off."""
STALLED_SECONDS = 20.0
"""A connection that takes nothing for so long is closed."""
PART_BYTES = 4 << 20
"""Behind Lambda, whose answers are held whole and at most 6 MB as a JSON string: a part ends once it is so long."""

_START_SECONDS = 10.0
_RETRY, _RETRY_AT_ONCE = 1000, 50
_HEADERS = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        pattern=r"^(-1|0|[1-9][0-9]{0,17})$",
        description="Goes on after this seq (-1: from the first event), whatever from_seq says",
    ),
]


class StreamQuery(BaseModel):
    """Which events to follow; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    chain: ChainName = "main"
    event_type: list[Name] = Field(default=[], max_length=20, description="Any of these")
    source_id: list[Name] = Field(default=[], max_length=20, description="Any of these")
    from_seq: Seq | None = Field(default=None, description="Inclusive; default: what is appended from now on")

    def to_subscription(self, last_event_id: str | None, caller: Caller) -> Subscription:
        """What the reader wants, which has got all up to this id."""
        return Subscription(
            chain=self.chain,
            hidden=not caller.may(self.chain),
            from_seq=self.from_seq if last_event_id is None else int(last_event_id) + 1,
            event_types=frozenset(self.event_type),
            source_ids=frozenset(self.source_id),
        )


async def respond(
    held: Resources, request: Request, parameters: StreamQuery, last_event_id: str | None, caller: Caller
) -> Response:
    """A stream. What is wrong before its first byte is a problem document; later, the last frame says why it ends."""
    seconds = held.settings.stream_seconds
    deadline = time.monotonic() + seconds
    with ExitStack() as opened:
        reader = opened.enter_context(held.streams.reader(parameters.to_subscription(last_event_id, caller)))
        await reader.start(min(_START_SECONDS, seconds))
        if "aws.event" in request.scope:
            return Response(await _part(reader, deadline), headers=_HEADERS)
        return _Streamed(_frames(reader), opened.pop_all())


class _Streamed(StreamingResponse):
    """Sends what the reader gets, and lets go of the reader in the end."""

    def __init__(self, frames: AsyncIterator[bytes], opened: ExitStack) -> None:
        super().__init__(frames, headers=_HEADERS)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Any) -> None:
            async with asyncio.timeout(STALLED_SECONDS):
                await send(message)

        with self._opened:
            await super().__call__(scope, receive, send_in_time)

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except TimeoutError:
            return  # nobody reads: the server closes a connection whose answer has no end


async def _frames(reader: StreamReader) -> AsyncIterator[bytes]:
    yield format_frame(retry=_RETRY)
    try:
        while True:
            chunk = await reader.more(COMMENT_SECONDS)
            sent = time.monotonic()
            yield chunk or format_frame(comment="nothing new", seq=reader.next - 1)
            if reader.fell_behind and time.monotonic() - sent > SLOW_SECONDS:
                raise EndedError("slow")
    except EndedError as error:
        yield _end(reader, error)


async def _part(reader: StreamReader, deadline: float) -> bytes:
    """What there is, or comes until the deadline; then how to go on."""
    body, size = bytearray(), 0
    try:
        while size < PART_BYTES:
            chunk = await reader.more(0 if reader.news else deadline - time.monotonic())
            if not chunk:
                break
            body += chunk
            size += len(json.dumps(chunk.decode()))
    except EndedError as error:
        return bytes(body) + _end(reader, error)
    retry = _RETRY_AT_ONCE if size >= PART_BYTES or reader.behind else _RETRY
    return bytes(body) + format_frame(seq=reader.next - 1, retry=retry)


def _end(reader: StreamReader, error: EndedError) -> bytes:
    """The last frame: why it ends (stopping, slow, damaged), and with the id where to go on."""
    return format_frame(orjson.dumps({"reason": error.reason}), event="end", seq=reader.next - 1, retry=_RETRY)
