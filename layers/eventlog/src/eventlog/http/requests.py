"""What routes read from a request beside its parameters: the raw body and media types."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from eventlog.errors import TooLargeError, UnsupportedError
from eventlog.fields import MAX_BODY
from eventlog.formats.strict_json import Problem


async def raw_body(request: Request) -> bytes:
    """The body's bytes; reading stops at the limit.

    Raises:
        TooLargeError: The body has more than ``MAX_BODY`` bytes.
        UnsupportedError: It is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedError([Problem("/header/content-encoding", f"{encoding} is not accepted; send it plain")])
    # Chunks are counted as they come: a content-length may be missing, or lie.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError([Problem("", f"the body is larger than {MAX_BODY} bytes")])
    return bytes(body)


def media_type(headers: Mapping[str, str], *allowed: str) -> str:
    """The request's media type, which must be one of those allowed, in UTF-8.

    Raises:
        UnsupportedError: It is another, or none, or has another charset.
    """
    name, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    if name not in allowed:
        sent = f"is {name}" if name else "is missing"
        raise UnsupportedError([Problem("/header/content-type", f"{sent}; allowed: {', '.join(allowed)}")])
    # Other parameters (boundary, profile, version) change nothing in how the bytes are read.
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset" and value.strip(' "') not in {"utf-8", "utf8", "us-ascii"}:
            raise UnsupportedError([Problem("/header/content-type", f"charset {value}; only utf-8 is accepted")])
    return name


def preferred(headers: Mapping[str, str], *others: str) -> str | None:
    """The first of these media types that ``Accept`` names before JSON; None for JSON.

    The order alone counts, not the weights (``q=``) of RFC 9110, section 12.5.1.
    """
    for part in headers.get("accept", "").split(","):
        name = part.split(";")[0].strip().lower()
        if name in others:
            return name
        if name in {"application/json", "*/*"}:
            return None
    return None


Body = Annotated[bytes, Depends(raw_body)]
