"""What routes read from a request beside its parameters: the raw body and its media type."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import Depends, Request

from eventlog.errors import EncodedError, TooLargeError, UnsupportedError
from eventlog.fields import MAX_BODY, MAX_EVENT
from eventlog.formats.strict_json import Problem

_MAX_OTHER = 16 << 10
"""Bytes of a body that has no event: a few short members."""


def raw_body(at_most: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency: the body's bytes; reading stops at the limit.

    It raises:
        TooLargeError: The body has more than ``at_most`` bytes.
        EncodedError: It is compressed.
    """

    async def read(request: Request) -> bytes:
        encodings = request.headers.get("content-encoding", "")
        if any(encoding.strip().lower() not in {"", "identity"} for encoding in encodings.split(",")):
            raise EncodedError([Problem("/header/content-encoding", f"{encodings} is not accepted; send it plain")])
        # Counted as it comes: Content-Length is the client's word, and a body in chunks has none. A compressed body was
        # refused, as a few bytes of it could become any number.
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > at_most:
                raise TooLargeError([Problem("", f"the body is larger than {at_most} bytes, which is the limit here")])
        return bytes(body)

    return read


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


EventBody = Annotated[bytes, Depends(raw_body(MAX_EVENT))]
BatchBody = Annotated[bytes, Depends(raw_body(MAX_BODY))]
SmallBody = Annotated[bytes, Depends(raw_body(_MAX_OTHER))]
