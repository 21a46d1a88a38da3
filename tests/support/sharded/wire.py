"""MongoDB's wire protocol, as far as a router needs it: OP_MSG, and the OP_QUERY that a driver's first hello is."""

import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from local.machine import HOST, bind

Document = dict[str, Any]

_HEADER = struct.Struct("<iiii")  # length, request id, the id it answers, operation
_END_SECONDS = 10
_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_RAW = CodecOptions(document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS)
"""Only a command's own fields are decoded: what is in them is passed on as it came, byte for byte."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its fields in their order, and the documents that came beside them, still encoded."""

    fields: Document
    documents: bytes = b""

    @property
    def name(self) -> str:
        return next(iter(self.fields))

    @property
    def database(self) -> str:
        return str(self.fields["$db"])

    def change(self, name: str = "", **fields: Any) -> "Command":
        """The same command under another name, or with other fields."""
        renamed = {(name or key) if key == self.name else key: value for key, value in self.fields.items()}
        return Command(renamed | fields, self.documents)


class Handler(Protocol):
    """Answers the commands of one connection, one after the other."""

    def answer(self, command: Command) -> Document: ...

    def close(self) -> None: ...


class Peer:
    """A connection to a server, made when it is needed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self._socket: socket.socket | None = None

    def run(self, command: Command, seconds: float | None = None) -> Document:
        """Send a command and return its answer, whatever that is.

        Raises:
            TimeoutError: there is none in time. The server still has the command.
            OSError: the server can't be reached, or has closed the connection.
        """
        if self._socket is None:
            self._socket = socket.create_connection(self.address, timeout=seconds)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(seconds)
        try:
            content = struct.pack("<IB", 0, 0) + bson.encode(command.fields, codec_options=_RAW) + command.documents
            _send(self._socket, _MESSAGE, 0, content)
            _, _, answer = _receive(self._socket)
        except TimeoutError:
            raise  # what was sent stays on its way
        except OSError:
            self.close()
            raise
        return _decode(answer[5:])

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Listener:
    """Accepts connections on 127.0.0.1 and has each served by a handler of its own, in a thread."""

    def __init__(self, make_handler: Callable[[], Handler]) -> None:
        self._make_handler = make_handler
        self._socket = bind(0)
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def uri(self) -> str:
        return f"mongodb://{HOST}:{self.port}/"

    def __enter__(self) -> Self:
        self._socket.listen(128)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._socket, *self._connections):
            with suppress(OSError):  # the other side may have gone
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_END_SECONDS)
        self._socket.close()

    def _start(self, serve: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=serve, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections.add(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        handler = self._make_handler()
        try:
            while True:
                operation, number, content = _receive(connection)
                if operation == _QUERY:
                    # flags, the collection's name, how many to skip and to return; then the command
                    start = content.index(b"\0", 4) + 9
                    reply = handler.answer(Command({**_decode(content[start:]), "$db": "admin"}))
                    _send(connection, _REPLY, number, struct.pack("<iqii", 8, 0, 0, 1) + _encode(reply))
                else:
                    length = 5 + struct.unpack_from("<i", content, 5)[0]
                    reply = handler.answer(Command(_decode(content[5:length]), content[length:]))
                    _send(connection, _MESSAGE, number, struct.pack("<IB", 0, 0) + _encode(reply))
        except OSError:
            pass  # the client has left
        finally:
            handler.close()
            connection.close()
            self._connections.discard(connection)


def _decode(encoded: bytes) -> Document:
    return dict(bson.decode(encoded, codec_options=_RAW).items())


def _encode(document: Document) -> bytes:
    return bson.encode(document, codec_options=_RAW)


def _send(connection: socket.socket, operation: int, answers: int, content: bytes) -> None:
    header = _HEADER.pack(_HEADER.size + len(content), random.getrandbits(31), answers, operation)
    connection.sendall(header + content)


def _receive(connection: socket.socket) -> tuple[int, int, bytes]:
    """The operation, the message's number and its content."""
    length, number, _, operation = _HEADER.unpack(_read(connection, _HEADER.size))
    return operation, number, _read(connection, length - _HEADER.size)


def _read(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 20))
        if not part:
            raise ConnectionResetError("the other side has closed the connection")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
