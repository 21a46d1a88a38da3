"""``GET /api/v1/events/stream``: a chain's events as they come, as Server-Sent Events.

A server sends one answer without end. Behind Lambda, which holds an answer until it is whole, each answer is a part and
tells the client to ask for the next.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

import orjson
from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from eventlog.errors import InvalidError
from eventlog.fields import MAX_PAYLOAD, ChainName
from eventlog.formats.cosigned_note import MAX_LINE, MAX_LINES
from eventlog.formats.escaped import MOST, escaped_length
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.search_keys import NO_FIELDS, SearchFields
from eventlog.formats.sse import MEDIA_TYPE, format_frame
from eventlog.formats.strict_json import Problem
from eventlog.http import access, answers
from eventlog.http.callers import Caller
from eventlog.http.edge import HEADERS_ALONE
from eventlog.http.event_query import Names, Seq
from eventlog.http.frames import HEADERS
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.search_query import AskedKeys, rule_of
from eventlog.streams.readers import CHUNK_BYTES, EndedError, StreamReader
from eventlog.streams.subscription import Subscription

CONTENT = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "Server-Sent Events, without end"}}}}
COMMENT_SECONDS = 15.0
SLOW_SECONDS = 1.0
"""A reader that fell behind is cut off if its connection took longer than this for a chunk."""
STALLED_SECONDS = 20.0
"""A connection that takes nothing for this long is closed."""
CHUNK_AT_MOST = MOST * (2 * CHUNK_BYTES + MAX_PAYLOAD + (32 << 10) + MAX_LINES * MAX_LINE)
"""Bytes of a chunk as a JSON string: it ends with the event that makes it full, and has a few frames beside events.

The last part is for the cosignatures of one checkpoint.
"""

_START_SECONDS = 10.0
_RETRY, _RETRY_AT_ONCE = 1000, 50

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        pattern=r"^(|-1|0|[1-9][0-9]{0,17})$",
        description="Goes on after this seq (-1: from the first event), whatever from_seq says; empty: as if absent",
    ),
]


class StreamQuery(BaseModel):
    """Which events to follow."""

    chain: ChainName = "main"
    event_type: Names = []
    source_id: Names = []
    key: AskedKeys = []
    from_seq: Seq | None = Field(default=None, description="Inclusive; default: what is appended from now on")

    def to_subscription(self, last_event_id: str | None, caller: Caller, rule: SearchFields) -> Subscription:
        """What is to be read, for a client that has all events up to this id.

        To a caller who may not see it, a chain looks as if it did not exist.
        """
        return Subscription(
            chain=self.chain,
            hidden=not caller.may(self.chain),
            from_seq=self.from_seq,
            seen=int(last_event_id) + 1 if last_event_id else None,
            event_types=NameFilter.of(self.event_type),
            source_ids=NameFilter.of(self.source_id),
            keys=frozenset(self.key),
            rule=rule,
        )


router = api_router("query")


@router.get("/events/stream", response_class=Response, responses={200: CONTENT, **documented(422, 429, 500, 503)})
async def get_stream(
    caller: access.Reader,
    wired: WiredQuery,
    request: Request,
    parameters: Annotated[StreamQuery, Query()],
    last_event_id: LastEventId = None,
) -> Response:
    """Events as they come, as Server-Sent Events; goes on after Last-Event-ID."""
    if len(request.headers.getlist("last-event-id")) > 1:  # API Gateway joins them, which is no seq either
        raise InvalidError([Problem("/header/Last-Event-ID", "was sent twice; send it once")])
    seconds = wired.settings.stream_seconds
    deadline = time.monotonic() + seconds
    with ExitStack() as opened:
        # What is declared may have to be read first, which must not hold up this loop; without keys nothing is read.
        rule = await run_in_threadpool(rule_of, wired, parameters.key) if parameters.key else NO_FIELDS
        wanted = parameters.to_subscription(last_event_id, caller, rule)
        reader = opened.enter_context(wired.streams.reader(wanted, caller.principal))
        await reader.start(min(_START_SECONDS, seconds))
        # Until here an error is a problem document, or what frames.py makes of it; from here on, the last frame says
        # why the stream ends.
        if "aws.event" in request.scope:
            headers_alone = HEADERS_ALONE in request.scope
            return Response(b"" if headers_alone else await _part(reader, deadline), headers=HEADERS)
        return _Streamed(_frames(reader), opened.pop_all())  # which closes the reader once it is sent


class _Streamed(StreamingResponse):
    """Sends the frames of a reader, and closes the reader in the end."""

    def __init__(self, frames: AsyncIterator[bytes], opened: ExitStack) -> None:
        super().__init__(frames, headers=HEADERS)
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
            return  # the client takes nothing: the server closes a connection whose answer was not ended


async def _frames(reader: StreamReader) -> AsyncIterator[bytes]:
    """Frames without end: events as they come, a comment when none came for a while, so that no proxy hangs up."""
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
    """What there is, or what comes first before the deadline; then how to go on.

    The last frame has no event: its id is the place to go on at, its ``retry`` how soon (milliseconds).
    """
    body, size = bytearray(), 0
    try:
        # Wait for the first news only; after that, take what is there, as long as any chunk would fit. The size is that
        # of the answer as a JSON string, which is how Lambda returns it.
        while not (full := size > answers.BODY_BYTES - CHUNK_AT_MOST):
            chunk = await reader.more(0 if reader.news else deadline - time.monotonic())
            if not chunk:
                break
            body += chunk
            size += escaped_length(chunk)
    except EndedError as error:
        return bytes(body) + _end(reader, error)
    if reader.ahead:  # there is no time to see whether the chain grows again
        return bytes(body) + _end(reader, reader.fall_back())
    retry = _RETRY_AT_ONCE if full or reader.behind else _RETRY
    return bytes(body) + format_frame(seq=reader.next - 1, retry=retry)


def _end(reader: StreamReader, error: EndedError) -> bytes:
    """The last frame: why the stream ends (stopping, slow, damaged, shorter); its id is the place to go on at."""
    data = {"reason": error.reason} | ({} if error.size is None else {"size": error.size})
    return format_frame(orjson.dumps(data), event="end", seq=reader.next - 1, retry=_RETRY)
