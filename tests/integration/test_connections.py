"""The development server's limits on connections, by raw sockets: what is slow is ended, what is read goes on."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from local.limits import MAX_HEADERS, Limits
from local.machine import wait_until
from tests.support.anchoring import put_anchor
from tests.support.each import each
from tests.support.event_source import Subscriber
from tests.support.factories import draft
from tests.support.serving import served

SHORT = Limits(header_seconds=0.5, body_seconds=0.5, send_seconds=0.5, connections=3)
HEAD = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
Connect = Callable[..., socket.socket]


@pytest.fixture
def short_url(app: FastAPI) -> Iterator[str]:
    with served(app, limits=SHORT) as url:
        yield url


@pytest.fixture
def connect(short_url: str) -> Iterator[Connect]:
    """Opens a connection; none of them waits longer than a minute for anything."""
    place = urlsplit(short_url)
    with ExitStack() as opened:

        def connected(receive_buffer: int = 0) -> socket.socket:
            made = opened.enter_context(socket.socket())
            if receive_buffer:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            made.settimeout(60)
            made.connect((place.hostname, place.port))
            return made

        yield connected


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection; that it does is the point."""
    received = bytearray()
    try:
        while data := connection.recv(1 << 20):
            received += data
    except ConnectionResetError:
        pass
    return bytes(received)


@each("sent", [b"", b"G", HEALTH[:-2], HEALTH[:20], HEAD, HEAD + b"\r\n", HEAD + b"\r\n" + b'{"payload": "s3cr3t'])
def test_headers_and_bodies_that_do_not_come_end_the_connection(connect: Connect, sent: bytes) -> None:
    slow = connect()
    slow.sendall(sent)
    assert all_of(slow) in {b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}


def test_headers_of_a_second_request_that_do_not_come_end_the_connection_too(connect: Connect) -> None:
    slow = connect()
    slow.sendall(HEALTH + HEALTH[:20])
    assert all_of(slow).startswith(b"HTTP/1.1 200 OK\r\n")


def flood(connection: socket.socket, line: bytes) -> None:
    """Send the same again and again, up to 64 times what the server keeps."""
    connection.sendall(HEALTH[:-2])
    for _ in range(64 * MAX_HEADERS // len(line)):
        connection.sendall(line)


def test_headers_without_end_end_the_connection(app: FastAPI) -> None:
    with served(app) as url:
        place = urlsplit(url)
        for line in ((b"a: " + b"b" * 1000 + b"\r\n") * 64, b"c" * 64_000):
            with (
                socket.create_connection((place.hostname, place.port), timeout=60) as connection,
                pytest.raises(ConnectionError),  # nobody listens any more
            ):
                flood(connection, line)
        with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
            connection.sendall(HEALTH)
            assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_a_body_cut_off_at_its_deadline_is_no_error_in_the_log(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    slow = connect()
    slow.sendall(HEAD + b"\r\n" + b'{"payload": "s3cr3t')
    all_of(slow)
    assert_left(caplog, "/api/v1/events")


def test_an_export_that_nobody_reads_ends(connect: Connect, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    """More than the system's buffers take by themselves."""
    log = app.state.connection.log
    for _ in range(4):
        log.append("main", [draft(payload={"text": "s3cr3t" * 40_000}) for _ in range(16)])
    put_anchor(log)
    unread = connect(receive_buffer=4096)
    unread.sendall(b"GET /api/v1/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert_left(caplog, "/api/v1/export")
    assert len(all_of(unread)) < 64 * 240_000


def test_more_connections_than_there_may_be_are_refused_with_a_time_to_come_back(app: FastAPI) -> None:
    with served(app, limits=Limits(connections=2)) as url, ExitStack() as opened:
        place = urlsplit(url)

        def asked() -> bytes:
            connection = opened.enter_context(socket.create_connection((place.hostname, place.port), timeout=60))
            connection.sendall(HEALTH.replace(b"Host", b"Connection: close\r\nHost"))
            return all_of(connection)

        idle = [opened.enter_context(socket.create_connection((place.hostname, place.port))) for _ in range(2)]
        head, _, body = asked().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in head.lower()
        assert json.loads(body)["status"] == 503
        idle[0].close()
        wait_until("the server to notice", lambda: asked().startswith(b"HTTP/1.1 200 "))


def assert_left(log: pytest.LogCaptureFixture, route: str) -> None:
    """That a client that left is told of, sooner or later, and as nothing worse."""

    def told() -> bool:
        return any((vars(line).get("status"), vars(line).get("route")) == (499, route) for line in list(log.records))

    wait_until("the line in the log", told)
    assert {line.levelname for line in log.records if line.name.startswith("eventlog")} == {"INFO"}
    assert "s3cr3t" not in str([vars(line) for line in log.records])


def test_a_stream_that_is_read_goes_on_whatever_the_deadlines(short_url: str, app: FastAPI, connect: Connect) -> None:
    log = app.state.connection.log
    log.append("main", [draft()])
    subscriber = Subscriber(short_url, from_seq=0)
    assert [event["seq"] for event in subscriber.events(1)] == [0]
    for seq in range(1, 4):
        all_of(connect())  # a connection that sends nothing is ended: so long the stream has been open
        log.append("main", [draft()])
        assert [event["seq"] for event in subscriber.events(1)] == [seq]
    subscriber.close()
