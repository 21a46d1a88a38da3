"""A witness over HTTP (C2SP tlog-witness): submission and monitoring prefix are both ``/witness``.

    POST /witness/add-checkpoint                       a request of ``formats.witness_protocol``
    GET  /witness/<hash of the origin line>/checkpoint what was cosigned last of this log, with the cosignatures
    GET  /witness/                                     JSON: the witness's keys, and the logs it knows

The standard library's server: a thread for each connection, so many at most, and each for a limited time. TLS is a
proxy's task.
"""

import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from eventlog import console
from eventlog.formats.witness_protocol import MAX_REQUEST
from eventlog.witness.directory import DirectoryState
from eventlog.witness.keys import WitnessKey
from eventlog.witness.state import StateLostError
from eventlog.witness.witness import Witness, WitnessAnswer
from eventlog_client.output import printable

_PREFIX = "/witness/"
_CHECKPOINT = re.compile(rf"{_PREFIX}([0-9a-f]{{64}})/checkpoint")
_LENGTH = re.compile(r"[0-9]{1,9}")
_SECONDS = 10
CONNECTION_SECONDS = 60.0
"""How long a connection lasts at most, however busy: whoever sends a byte now and then must not keep one for ever."""
CONNECTIONS = 100
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_MOST_READ = 1 << 20
"""Bytes of a request that is too long are read up to here: whoever is cut off while sending may miss the answer."""


class WitnessServer(ThreadingHTTPServer):
    """A witness with its memory in a directory; listens from the moment it is made. ``address`` is host and port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        directory: Path,
        keys: Sequence[WitnessKey],
        address: tuple[str, int],
        connections: int = CONNECTIONS,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._most, self._seconds = connections, seconds
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self.state = DirectoryState(directory)
        self.witness = Witness(self.state, keys, tell)
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """The submission prefix."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}{_PREFIX.rstrip('/')}"

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  the base class's names
        """Take a connection, or answer 503 and close it if there are as many as may be."""
        with self._lock:
            if len(self._open) < self._most:
                self._open[request] = time.monotonic()
                return True
        with suppress(OSError):  # a few bytes to a new connection wait for nobody
            request.sendall(_BUSY)
        return False

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, whose place is free then."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off connections whose time is over; called twice a second, and after each new one."""
        over = time.monotonic() - self._seconds
        with self._lock:
            late = [connection for connection, since in self._open.items() if since < over]
        for connection in late:
            with suppress(OSError):  # its thread finds that there is nothing more to read, and closes it
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  the base class's names
        """Tell of a request that failed, in one line; a client that has gone is no news."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            tell(f"a request failed: {type(error).__name__}")


def tell(line: str) -> None:
    """Write a line for the operator."""
    console.write(sys.stderr, f"eventlog: witness: {printable(line)}\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "eventlog-witness"
    sys_version = ""
    timeout = _SECONDS
    wbufsize = -1  # header and body in one segment: the second would wait for the first one's acknowledgement (Nagle)
    server: WitnessServer

    def do_GET(self) -> None:
        try:
            self._answer(self._get())
        except (OSError, StateLostError) as error:
            tell(f"the state can't be read: {error}")
            self._answer(WitnessAnswer(503, b"the witness can't read its state\n"))

    def do_POST(self) -> None:
        # What can't be read to its end ends the connection: the rest would pass for the next request.
        lengths, coded = self.headers.get_all("Content-Length") or [], self.headers.get("Transfer-Encoding")
        if len(lengths) != 1 or coded is not None or not _LENGTH.fullmatch(lengths[0]):
            self._answer(WitnessAnswer(411, b"a request needs one Content-Length\n"), close=True)
        else:
            length = int(lengths[0])
            body = self.rfile.read(min(length, _MOST_READ))
            if length > MAX_REQUEST:
                why = f"a request has at most {MAX_REQUEST} bytes\n"
                self._answer(WitnessAnswer(413, why.encode()), close=length > _MOST_READ)
            elif self.path == f"{_PREFIX}add-checkpoint":
                self._answer(self.server.witness.add_checkpoint(body))
            else:
                self._answer(WitnessAnswer(404, b"there is nothing here\n"))

    def _get(self) -> WitnessAnswer:
        if self.path == _PREFIX:
            return WitnessAnswer(
                200, orjson.dumps(self.server.witness.about(), option=orjson.OPT_APPEND_NEWLINE), "application/json"
            )
        asked = _CHECKPOINT.fullmatch(self.path)
        note = None if asked is None else self.server.witness.checkpoint(asked[1])
        return WitnessAnswer(404, b"there is nothing here\n") if note is None else WitnessAnswer(200, note)

    def _answer(self, answer: WitnessAnswer, *, close: bool = False) -> None:
        self.close_connection = self.close_connection or close
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's names
        """Log no requests: a proxy does, if wanted."""
