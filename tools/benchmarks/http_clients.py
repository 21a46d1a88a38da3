"""Clients as separate processes with plain sockets, so that measuring takes little of the machine."""

import multiprocessing
import re
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random

from local.machine import HOST
from tools.benchmarks.writers import Load

_LEAD_SECONDS = 0.1
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a client is to do: send these requests, in random order, on each of its keep-alive connections."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float


class Clients:
    """``count`` processes, started once and used for many runs."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, number), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
        """Send requests over so many connections, shared by the processes; return the rate and the latencies."""
        count = min(connections, len(self._pipes))
        pipes = self._pipes[:count]
        for pipe in pipes:
            pipe.send(Assignment(port, requests, connections // count, seconds))
        for pipe in pipes:
            _expect(pipe)
        at = time.monotonic() + _LEAD_SECONDS
        for pipe in pipes:
            pipe.send(at)
        found = [_expect(pipe) for pipe in pipes]
        millis = [value for values, _ in found for value in values]
        return Load(len(millis) / (max(ended for _, ended in found) - at), millis)

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


def _expect(pipe: Connection) -> tuple[list[float], float]:
    answer: tuple[list[float], float] | str = pipe.recv()
    if isinstance(answer, str):
        raise RuntimeError(f"a client failed: {answer}")
    return answer


def _serve(pipe: Connection, number: int) -> None:
    # Orders until the pipe is closed. A client connects, says that it is ready, and starts at the moment that all are
    # told, so that all work at the same time. An error is sent as its text; the next order may go well.
    rng = Random(number)
    while True:
        try:
            order: Assignment = pipe.recv()
        except EOFError:
            return
        try:
            with ExitStack() as opened:
                sockets = [
                    opened.enter_context(socket.create_connection((HOST, order.port), 20))
                    for _ in range(order.connections)
                ]
                pipe.send(([], 0.0))
                pipe.send(_work(sockets, order, rng, pipe.recv()))
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}")


def _work(sockets: Sequence[socket.socket], order: Assignment, rng: Random, at: float) -> tuple[list[float], float]:
    # Every connection has one open request. After the end none is sent, but those that are open are still waited for:
    # the slowest answers count too.
    time.sleep(max(0.0, at - time.monotonic()))
    millis: list[float] = []
    sent: dict[socket.socket, float] = {}
    with selectors.DefaultSelector() as selector:
        for connection in sockets:
            selector.register(connection, selectors.EVENT_READ, connection)
            sent[connection] = time.monotonic()
            connection.sendall(rng.choice(order.requests))
        while sent:
            for key, _ in selector.select(20):
                connection = key.data
                _receive(connection)
                now = time.monotonic()
                millis.append((now - sent.pop(connection)) * 1000)
                if now < at + order.seconds:
                    sent[connection] = now
                    connection.sendall(rng.choice(order.requests))
    return millis, time.monotonic()


def _receive(connection: socket.socket) -> None:
    """Read one answer to its end; its body is not looked at."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")) or length is None:
        raise RuntimeError(f"answered {data[:500]!r}")
    missing = int(length[1]) - len(body)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data
