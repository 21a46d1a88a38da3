"""Server-Sent Events (WHATWG HTML, section 9.2): frames of a stream, written and read.

    id: 41
    event: head
    data: {"chain":"main","size":42}

A frame is fields, one a line, and an empty line. A line that begins with a colon is a comment. A frame without data is
no event, but its id counts: that is how a reader learns how far it is when nothing was for it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"
MESSAGE = "message"

_LINE_BREAK = re.compile(b"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Frame:
    """What a reader got: ``event`` is ``message`` if the frame names none, ``id`` the last one seen up to here.

    ``data`` is None if the frame is no event; ``retry`` is milliseconds, if it has them.
    """

    event: str
    data: bytes | None
    id: str
    retry: int | None = None


def format_frame(
    data: bytes = b"", *, event: str = "", seq: int | None = None, retry: int | None = None, comment: str = ""
) -> bytes:
    """Write a frame; ``seq`` is its id. Data may have line breaks, which JSON as the log writes it has not: they can't
    end the frame."""
    lines = [b": " + comment.encode()] if comment else []
    lines += [b"id: %d" % seq] if seq is not None else []
    lines += [b"event: " + event.encode()] if event else []
    lines += [b"retry: %d" % retry] if retry is not None else []
    lines += [b"data: " + line for line in _LINE_BREAK.split(data)] if data else []
    return b"\n".join(lines) + b"\n\n"


def parse_frames(lines: Iterable[bytes], last_id: str = "") -> Iterator[Frame]:
    """Read frames from lines, each with or without its line break; one that is not ended is discarded.

    ``last_id`` is the one of the connection before.
    """
    event, retry = b"", None
    data: list[bytes] = []
    for line in lines:
        text = line.rstrip(b"\r\n")
        field, _, value = text.partition(b":")
        value = value.removeprefix(b" ")
        if not text:
            yield Frame(event.decode(errors="replace") or MESSAGE, b"\n".join(data) if data else None, last_id, retry)
            event, retry, data = b"", None, []
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            event = value
        elif field == b"id" and b"\0" not in value:
            last_id = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit() and len(value) < 9:
            retry = int(value)
