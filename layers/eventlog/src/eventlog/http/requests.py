"""What routes read from a request beyond parameters: the raw body and its media type."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from eventlog.errors import TooLargeError, UnsupportedError
from eventlog.fields import MAX_BODY
from eventlog.formats.strict_json import Problem
from eventlog.wiring.resources import Resources


async def raw_body(request: Request) -> bytes:
    """The body's bytes, read no further than the limit.

    Raises:
        TooLargeError, UnsupportedError
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedError([Problem("/header/content-encoding", f"{encoding} is not accepted; send it plain")])
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError([Problem("", f"the body is larger than {MAX_BODY} bytes")])
    return bytes(body)


def media_type(headers: Mapping[str, str], *allowed: str) -> str:
    """The request's media type, one of those allowed, in UTF-8.

    Raises:
        UnsupportedError
    """
    name, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    if name not in allowed:
        sent = f"is {name}" if name else "is missing"
        raise UnsupportedError([Problem("/header/content-type", f"{sent}; allowed: {', '.join(allowed)}")])
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset" and value.strip(' "') not in {"utf-8", "utf8", "us-ascii"}:
            raise UnsupportedError([Problem("/header/content-type", f"charset {value}; only utf-8 is accepted")])
    return name


def preferred(headers: Mapping[str, str], *others: str) -> str | None:
    """The first of these media types if the client names it before JSON; None for JSON."""
    for part in headers.get("accept", "").split(","):
        name = part.split(";")[0].strip().lower()
        if name in others:
            return name
        if name in {"application/json", "*/*"}:
            return None
    return None


Body = Annotated[bytes, Depends(raw_body)]


async def resources(request: Request) -> Resources:
    """The app's resources, as a dependency (a coroutine: others are sent to a thread)."""
    found: Resources = request.app.state.resources
    return found


Held = Annotated[Resources, Depends(resources)]
