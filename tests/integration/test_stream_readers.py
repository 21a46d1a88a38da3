"""Many readers of a live stream: each sees each event once, a slow one holds up nobody, and all cost one cursor."""

import multiprocessing
import random
import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from pymongo import MongoClient

from eventlog.http import stream
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.streams import streams
from eventlog.wiring.query import QueryWiring
from local.machine import wait_until
from local.server import build_app
from tests.support import plain_http
from tests.support.event_source import PATH, Subscriber
from tests.support.factories import draft

EVENTS, READERS, WRITERS = 5000, 200, 4
SECONDS = 60
TYPES = ("a", "b", "c", "d")
_FRAME = re.compile(rb"id: (\d+)\ndata: \{[^\n]*\}\n\n")


@pytest.fixture
def app(mongo_uri: str, database: str) -> Iterator[FastAPI]:
    """The development server's, with as many streams for its one caller as it can have."""
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database, streams_per_caller=0))
    yield app
    app.state.connection.close()


class Reader:
    """A cheap subscriber: it only picks the ids of events out of the bytes, and resumes after the last whole one."""

    def __init__(self, port: int, kind: str | None) -> None:
        self.port = port
        self.kind = kind
        self.seen: list[int] = []
        self.connections = 0
        self.rest = b""
        self.socket: socket.socket | None = None

    def connect(self) -> socket.socket:
        self.rest = b""
        self.connections += 1
        resume = f"Last-Event-ID: {self.seen[-1]}\r\n" if self.seen else ""
        query = "from_seq=0" + (f"&event_type={self.kind}" if self.kind else "")
        self.socket = socket.create_connection(("127.0.0.1", self.port), 20)
        self.socket.sendall(f"GET {PATH}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{resume}\r\n".encode())
        self.socket.setblocking(False)
        return self.socket

    def receive(self) -> None:
        """Chunks are whole frames or end between two, so taking the framing of HTTP out is not needed to find them."""
        assert self.socket is not None
        self.rest += self.socket.recv(1 << 18)
        end = 0
        for found in _FRAME.finditer(self.rest):
            self.seen.append(int(found[1]))
            end = found.end()
        self.rest = self.rest[end:]


def read_all(port: int, seed: int, counts: dict[str | None, int], results: Any) -> None:
    """In a process of its own: half of the readers, which connect again now and then, until all have got all."""
    rng = random.Random(seed)
    kinds: list[str | None] = [None, None, *TYPES]
    readers = [Reader(port, kinds[n % len(kinds)]) for n in range(READERS // 2)]
    open_readers = set(readers)
    deadline = time.monotonic() + SECONDS
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader.connect(), selectors.EVENT_READ, reader)
        results.put("connected")
        while open_readers and time.monotonic() < deadline:
            for key, _ in selector.select(1):
                reader = key.data
                reader.receive()
                done = len(reader.seen) >= counts[reader.kind]
                if done or rng.random() < 0.08:
                    selector.unregister(key.fileobj)
                    reader.socket.close()
                    if done:
                        open_readers.discard(reader)
                    else:
                        selector.register(reader.connect(), selectors.EVENT_READ, reader)
    results.put([(reader.kind, reader.seen, reader.connections) for reader in readers])


def test_each_of_200_readers_sees_each_event_once_in_order_over_many_connections(url: str, store: MongoStore) -> None:
    kinds = [random.Random(n).choices(TYPES, k=EVENTS // WRITERS) for n in range(WRITERS)]
    counts: dict[str | None, int] = {kind: sum(some.count(kind) for some in kinds) for kind in TYPES}
    counts[None] = EVENTS

    def write(number: int) -> None:
        rng = random.Random(number)
        left = [draft(event_type=kind) for kind in kinds[number]]
        while left:
            size = rng.choice((1, 1, 1, 5, 20, 100))
            store.append("main", left[:size])
            left = left[size:]

    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    port = int(url.rpartition(":")[2])
    processes = [context.Process(target=read_all, args=(port, seed, counts, results)) for seed in range(2)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for process in processes:
        process.start()
    assert [results.get(timeout=SECONDS) for _ in processes] == ["connected"] * len(processes)
    for writer in writers:
        writer.start()
    found = [reader for _ in processes for reader in results.get(timeout=SECONDS + 30)]
    for writer in writers:
        writer.join()
    for process in processes:
        process.join()
    stored = types(store)
    assert sorted(stored) == list(range(EVENTS))
    for kind, seen, _ in found:
        assert seen == [seq for seq in range(EVENTS) if kind in {None, stored[seq]}]
    assert len(found) == READERS
    assert sum(connections for _, _, connections in found) > 2 * READERS


def types(store: MongoStore) -> dict[int, str]:
    """The type of each event, as the database has it."""
    store.settle("main")
    found = operations_of(store).events.find({"chain": "main"}, {"seq": 1, "event_type": 1})
    return {int(event["seq"]): event["event_type"] for event in found}


def test_a_slow_reader_is_cut_off_and_delays_nobody(
    url: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SLOW_SECONDS", 0.3)
    slow = Subscriber(url, from_seq=0, receive_buffer=4096)
    quick = Subscriber(url, from_seq=0)
    longest = 0.0
    slow.until("head")
    for number in range(60):
        started = time.monotonic()
        store.append("main", [draft(payload={"text": "x" * 200_000})])
        assert [event["seq"] for event in quick.events(1)] == [number]
        longest = max(longest, time.monotonic() - started)
    assert longest < SECONDS, "the slow one is never read to its end: who waits for it, waits for ever"
    end = slow.until("end")
    assert end.value == {"reason": "slow"}
    seen = [int(message.id) for message in slow.source.messages if message.type == "message"]
    assert seen == list(range(len(seen)))
    assert int(end.id) == seen[-1] < 59
    again = Subscriber(url, last_id=slow.source.last_id)
    assert [event["seq"] for event in again.events(59 - seen[-1])] == list(range(len(seen), 60))


def test_a_reader_that_reads_nothing_is_let_go(
    app: FastAPI, url: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STALLED_SECONDS", 0.3)
    stalled = Subscriber(url, from_seq=0, receive_buffer=4096)
    stalled.until("head")
    for _ in range(60):
        store.append("main", [draft(payload={"text": "x" * 200_000})])
    wait_until("the reader to be let go", lambda: wiring_of(app, QueryWiring).streams._readers == 0)
    stalled.close()


@pytest.mark.new_database  # where no test before left cursors
def test_500_readers_cost_one_cursor(url: str, store: MongoStore, client: MongoClient[dict[str, Any]]) -> None:
    readers = [Subscriber(url) for _ in range(500)]
    for reader in readers:
        reader.until("head")
    assert len(change_streams(client, store)) == 1
    store.append("main", [draft()])
    assert {reader.take(1)[0].id for reader in readers} == {"0"}
    assert len(change_streams(client, store)) == 1
    for reader in readers:
        reader.close()


def change_streams(client: MongoClient[dict[str, Any]], store: MongoStore) -> set[int]:
    """The cursors of change streams on this database's sequences, seen over some time."""
    found: set[int] = set()
    deadline = time.monotonic() + 1.5
    own = {"ns": operations_of(store).sequences.full_name, "cursor": {"$exists": True}}
    operations = {"$currentOp": {"allUsers": True, "idleCursors": True, "localOps": True}}
    while time.monotonic() < deadline or not found:
        # Others' operations may have anything in them, also what can't be decoded.
        for operation in client.admin.aggregate([operations, {"$match": own}, {"$project": {"cursor.cursorId": 1}}]):
            found.add(operation["cursor"]["cursorId"])
    return found


def test_more_readers_than_a_server_takes_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_READERS", 2)
    held = [Subscriber(url) for _ in range(2)]
    for subscriber in held:
        subscriber.until("head")
    answer = plain_http.get(f"{url}{PATH}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    held.pop().close()
    wait_until("a place", lambda: is_streamed(url))


def is_streamed(url: str) -> bool:
    with plain_http.stream("GET", f"{url}{PATH}") as answer:
        return answer.status_code == 200


def test_a_reader_waits_for_no_other_that_catches_up(url: str, store: MongoStore) -> None:
    for _ in range(10):
        store.append("main", [draft() for _ in range(400)])
    live = Subscriber(url)
    live.until("head")
    others = [Subscriber(url, from_seq=0, receive_buffer=4096) for _ in range(20)]
    started = time.monotonic()
    store.append("main", [draft()])
    assert live.events(1)[0]["seq"] == 4000
    assert time.monotonic() - started < SECONDS, "the others are not read before"
    for other in others:
        assert [event["seq"] for event in other.events(4001)] == list(range(4001))
