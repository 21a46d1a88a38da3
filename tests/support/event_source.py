"""A client of Server-Sent Events for tests, over a socket: the rules of WHATWG HTML, section 9.2.6, once more.

It is not the product's parser, so that the two can't share a mistake.
"""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlencode, urlsplit

SECONDS = 90
"""How long a subscriber is read at most."""
PATH = "/api/v1/events/stream"


@dataclass
class Message:
    """A dispatched event."""

    type: str
    data: str
    id: str

    @property
    def value(self) -> Any:
        return json.loads(self.data)


@dataclass
class Interpreter:
    """Feeds on a stream's text, in pieces of any size; keeps what an EventSource would."""

    messages: list[Message] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_id: str = ""
    retry: int | None = None
    _text: str = ""
    _id: str = ""
    _type: str = ""
    _data: str = ""

    def feed(self, text: str) -> list[Message]:
        """The messages that these characters complete."""
        before = len(self.messages)
        self._text += text
        while (end := self._line_end()) is not None:
            start, after = end
            line, self._text = self._text[:start], self._text[after:]
            self._line(line)
        return self.messages[before:]

    def _line_end(self) -> tuple[int, int] | None:
        places = [place for mark in "\r\n" if (place := self._text.find(mark)) >= 0]
        if not places:
            return None
        first = min(places)
        if self._text[first] == "\r" and first + 1 == len(self._text):
            return None  # a line feed may follow
        return first, first + (2 if self._text[first : first + 2] == "\r\n" else 1)

    def _line(self, line: str) -> None:
        if not line:
            self.last_id = self._id
            if self._data:
                self.messages.append(Message(self._type or "message", self._data.removesuffix("\n"), self.last_id))
            self._type = self._data = ""
            return
        if line.startswith(":"):
            self.comments.append(line[1:])
            return
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            self._data += value + "\n"
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)


class Subscriber:
    """One connection to the stream, read when asked to."""

    def __init__(self, url: str, last_id: str = "", receive_buffer: int = 0, **parameters: Any) -> None:
        place = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect((place.hostname, place.port))
        resume = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        query = urlencode(parameters, doseq=True)
        self.socket.sendall(f"GET {PATH}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{resume}\r\n".encode())
        self.source = Interpreter()
        self.head = b""
        self.ended = False
        self._raw = bytearray()
        self._tail = b""
        self._seen = 0
        self._deadline = time.monotonic() + SECONDS

    def close(self) -> None:
        self.socket.close()

    __del__ = close

    def receive(self) -> list[Message]:
        """Read what is there, or wait for it; the messages it completes. None, for good, at the end."""
        assert time.monotonic() < self._deadline, "the stream does not get there"
        data = self.socket.recv(1 << 18)
        if not data:
            self.ended = True
        self._raw += data
        if not self.head:
            head, separator, rest = bytes(self._raw).partition(b"\r\n\r\n")
            if not separator:
                return []
            self.head, self._raw = head, bytearray(rest)
        return self.source.feed(self._characters(b"".join(self._chunks())))

    def messages(self) -> Iterator[Message]:
        """Messages as they come, until the stream ends."""
        while True:
            while self._seen < len(self.source.messages):
                self._seen += 1
                yield self.source.messages[self._seen - 1]
            if self.ended:
                return
            self.receive()

    def events(self, count: int) -> list[Any]:
        """The next so many events."""
        found: list[Any] = []
        for message in self.messages():
            if message.type == "message":
                found.append(message.value)
                if len(found) == count:
                    break
        return found

    def take(self, count: int) -> list[Message]:
        """The next so many messages."""
        return list(islice(self.messages(), count))

    def until(self, kind: str) -> Message:
        """The next message of a type."""
        return next(message for message in self.messages() if message.type == kind)

    def _chunks(self) -> Iterator[bytes]:
        """Whole chunks of HTTP's chunked coding."""
        while (end := self._raw.find(b"\r\n")) >= 0:
            size = int(self._raw[:end], 16)
            if len(self._raw) < end + size + 4:
                return
            yield bytes(self._raw[end + 2 : end + 2 + size])
            del self._raw[: end + size + 4]
            if size == 0:
                self.ended = True

    def _characters(self, data: bytes) -> str:
        """UTF-8, but for a character whose end has not come yet."""
        data = self._tail + data
        try:
            self._tail = b""
            return data.decode()
        except UnicodeDecodeError as error:
            self._tail = data[error.start :]
            return data[: error.start].decode()
