"""An app as its function is reached: API Gateway makes an event of each request, and an answer of what comes back."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from eventlog.http.app import lambda_handler
from tests.infrastructure.invoke import Context
from tests.support.callers import gateway_event


class BehindGateway:
    """ASGI app: passes every request through an app's Lambda handler, as the event of a caller (payload version 2.0).

    The handler has a thread and an event loop of its own, as a function has a process.
    """

    def __init__(self, app: FastAPI, caller: Mapping[str, Any]) -> None:
        self._app = app
        self._caller = caller
        self._function = ThreadPoolExecutor(1, "function")
        self._handler: Any = self._function.submit(self._start).result()

    def _start(self) -> Any:
        handler = lambda_handler(self._app)
        asyncio.set_event_loop(asyncio.new_event_loop())  # the process's one belongs to whoever asks
        return handler

    def close(self) -> None:
        """End the function's thread."""
        self._function.submit(lambda: asyncio.get_event_loop().close()).result()
        self._function.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        event = await self._event(scope, receive)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._function, self._handler, event, Context(1))
        headers = [(name.encode(), str(value).encode()) for name, value in answer["headers"].items()]
        body = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
        await send({"type": "http.response.start", "status": answer["statusCode"], "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _event(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """The event: values of one name joined by commas, and the query string beside them as it was sent."""
        content = bytearray()
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            content += message.get("body", b"")
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode(), value.decode("latin-1")
            headers[key] = f"{headers[key]},{text}" if key in headers else text
        raw = scope["query_string"].decode(errors="replace")
        joined: dict[str, str] = {}
        for name, value in parse_qsl(raw, keep_blank_values=True):
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        event = gateway_event(
            scope["method"], scope["path"], self._caller, params={}, headers=headers, content=bytes(content)
        )
        return event | {"rawQueryString": raw} | ({"queryStringParameters": joined} if joined else {})
