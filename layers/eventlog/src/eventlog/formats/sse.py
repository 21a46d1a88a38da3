"""Server-Sent Events (WHATWG HTML, section 9.2): frames of a stream, written and read.

    id: 41
    event: head
    data: {"chain":"main","size":42}

A frame is fields, one on each line, and an empty line. A line that begins with a colon is a comment. A frame without
data is not an event, but its id counts: it tells a reader how far the stream has come when no event matched its filter.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"
MESSAGE = "message"

_LINE_BREAK = re.compile(b"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as read: ``event`` is ``message`` if the frame names none, ``id`` the last one seen up to here.

    ``data`` is None if the frame is not an event; ``retry`` is milliseconds, if it has them.
    """

    event: str
    data: bytes | None
    id: str
    retry: int | None = None


def format_frame(
    data: bytes = b"", *, event: str = "", seq: int | None = None, retry: int | None = None, comment: str = ""
) -> bytes:
    """Write a frame; ``seq`` is its id.

    Line breaks in the data can't end the frame: each line gets its own ``data:``. JSON as the log writes it has none.
    """
    lines = [b": " + comment.encode()] if comment else []
    lines += [b"id: %d" % seq] if seq is not None else []
    lines += [b"event: " + event.encode()] if event else []
    lines += [b"retry: %d" % retry] if retry is not None else []
    lines += [b"data: " + line for line in _LINE_BREAK.split(data)] if data else []
    return b"\n".join(lines) + b"\n\n"


def parse_frames(lines: Iterable[bytes], last_id: str = "") -> Iterator[Frame]:
    """Yield frames from lines, each with or without its line break; one that is cut off is dropped.

    ``last_id`` is the last id of the previous connection.
    """
    # WHATWG HTML, section 9.2.6, "interpreting an event stream". An empty line ends a frame; comments have an empty
    # field name and fall through, as do unknown fields. An id with a NUL and a retry that is not a number are ignored.
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
