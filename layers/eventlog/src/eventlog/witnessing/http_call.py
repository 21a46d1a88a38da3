"""One request to a witness, with a limit on its whole time, not only on each wait; no redirect is followed."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from eventlog.formats.witness_protocol import MAX_ANSWER

SECONDS = 5.0
"""What one request may take."""
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class NoReplyError(Exception):
    """There is no answer, or none that can be read: the witness is away, too slow, or says too much."""


@dataclass(frozen=True, slots=True)
class WitnessReply:
    """An answer; ``media_type`` is in lower case and without parameters."""

    status: int
    media_type: str
    body: bytes


class WitnessCall(Protocol):
    """Sends a request to an address: POST with a body, else GET."""

    def __call__(self, url: str, body: bytes | None) -> WitnessReply:
        """Return the answer.

        Raises:
            NoReplyError: there is none.
        """
        ...


def refusal(url: str | None) -> str | None:
    """Say why a witness at this address can't be asked; None if it can."""
    if url is None:
        return "the policy has no address for it"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its address can't be read"
    if not host or parts.username is not None or parts.query or parts.fragment or not url.isascii():
        return "its address is not a plain URL"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        return "its address is not https"
    return None


def call(url: str, body: bytes | None) -> WitnessReply:
    """Send a request as ``WitnessCall`` does; the URL is one that ``refusal`` does not refuse."""
    parts = urlsplit(url)
    try:
        with closing(_connection(parts)) as connection, _ended_after(SECONDS, connection):
            headers = {"User-Agent": "eventlog", "Connection": "close"} | (
                {} if body is None else {"Content-Type": "text/plain; charset=utf-8"}
            )
            connection.request("GET" if body is None else "POST", parts.path, body, headers)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoReplyError(type(error).__name__) from error
    if len(data) > MAX_ANSWER:
        raise NoReplyError(f"its answer is longer than {MAX_ANSWER} bytes")
    if answer.length:
        raise NoReplyError("its answer was cut off")
    media_type = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    return WitnessReply(answer.status, media_type, data)


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    assert parts.hostname is not None
    # The port is always said: without one http.client looks for it in the host, and finds it in an IPv6 address.
    if parts.scheme == "https":
        return _SecureConnection(parts.hostname, parts.port or 443, timeout=SECONDS, context=_context())
    return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=SECONDS)


class _SecureConnection(http.client.HTTPSConnection):
    """HTTPS whose socket can be closed during the handshake, too: the base class hides it until that is over."""

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        secure = _context().wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = secure
        secure.do_handshake()


@cache
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def _ended_after(seconds: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    """Cut the connection after so long. The socket's own limit is for each wait: a byte now and then outlasts it."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        with suppress(OSError, AttributeError):  # it has ended already, or is not connected yet
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if over.is_set():  # what was cut off may look whole
        raise TimeoutError
