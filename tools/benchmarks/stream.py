"""The live stream: the time from an event's acknowledgement to its frame, compared with a bare change stream."""

import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

import httpx2

from eventlog.formats.times import format_time
from eventlog.store.mongo.operations import Operations
from local.machine import HOST
from tools.benchmarks import data
from tools.benchmarks.http_servers import ours, served
from tools.benchmarks.measure import BenchmarkReport, Run, Table, percentile

RATE = 100
P50_MS, P99_MS = 50, 250
"""Limits for the time from acknowledgement to frame."""

_DATABASE = "stream"
_ID = re.compile(rb"id: (\d+)\ndata: ")
_NOTE = (
    "{rate} single events a second over HTTP for {seconds} s, each read by all subscribers of one server process over"
    " connections of their own; milliseconds from the writer's acknowledgement to the frame at each subscriber (0 if"
    " the frame was first), and from sending the request. The bare change stream: as many `insert_one` (`w: majority`)"
    " a second of a small document, and the change at one `watch`. Asked: p50 <= {p50} ms and p99 <= {p99} ms."
)
_COLUMNS = ("subscribers", "ack to frame, p50 / p99 ms", "sent to frame, p50 / p99 ms", "times a bare change stream's")


@dataclass
class Subscribers:
    """Subscribers as plain sockets in one thread; ``seen`` has each frame's seq and when it came."""

    port: int
    count: int
    seen: list[tuple[int, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Subscribers":
        self._ready = threading.Barrier(2)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, frames: int) -> None:
        """Wait until so many frames have come."""
        deadline = time.monotonic() + 20
        while len(self.seen) < frames:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(self.seen)} of {frames} frames came")
            time.sleep(0.01)

    def _read(self) -> None:
        # A stream is subscribed once its first frame, the head, has come: only then may the writer start.
        with ExitStack() as opened:
            selector = opened.enter_context(selectors.DefaultSelector())
            for _ in range(self.count):
                connection = opened.enter_context(socket.create_connection((HOST, self.port), 20))
                connection.sendall(b"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while b"event: head" not in connection.recv(1 << 16):
                    pass
                selector.register(connection, selectors.EVENT_READ)
            self._ready.wait()
            while not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    found = _ID.findall(key.fileobj.recv(1 << 18))
                    now = time.monotonic()
                    self.seen += [(int(seq), now) for seq in found]


def run(run: Run) -> BenchmarkReport:
    """Measure with one subscriber and with many."""
    seconds = 3 if run.quick else 6
    bare = _bare(run, seconds)
    rows = [_row(run, count, seconds, bare) for count in ((1, 20) if run.quick else (1, 20, 100))]
    note = _NOTE.format(rate=RATE, seconds=seconds, p50=P50_MS, p99=P99_MS)
    return BenchmarkReport([Table("The live stream", note, _COLUMNS, rows)])


def _row(run: Run, count: int, seconds: int, bare: Sequence[float]) -> list[str]:
    # A frame may come before the writer reads its own answer: that counts as 0 ms after the acknowledgement.
    database = f"{_DATABASE}_{count}"
    with run.client() as client:
        client.drop_database(database)
        Operations(client, database).ensure_indexes()
    events = _events(RATE * seconds)
    sent: dict[int, float] = {}
    told: dict[int, float] = {}
    with (
        served(ours, run.uri, database) as server,
        httpx2.Client(base_url=f"http://{HOST}:{server.port}", transport=httpx2.HTTPTransport()) as log,
        Subscribers(server.port, count) as subscribers,
    ):

        def post() -> None:
            started = time.monotonic()
            seq = log.post("/api/v1/events", json=next(events)).json()["seq"]
            sent[seq], told[seq] = started, time.monotonic()

        _paced(RATE * seconds, post)
        subscribers.wait_for(RATE * seconds * count)
        seen = list(subscribers.seen)
    from_ack = [max(0.0, (at - told[seq]) * 1000) for seq, at in seen]
    from_sent = [(at - sent[seq]) * 1000 for seq, at in seen]
    met = percentile(from_ack, 50) <= P50_MS and percentile(from_ack, 99) <= P99_MS
    shown = f"{percentile(from_ack, 50):.1f} / {percentile(from_ack, 99):.1f}"
    return [
        str(count),
        shown if met else f"**{shown}, missed**",
        f"{percentile(from_sent, 50):.1f} / {percentile(from_sent, 99):.1f}",
        f"{percentile(from_sent, 50) / percentile(bare, 50):.1f}",
    ]


def _bare(run: Run, seconds: int) -> list[float]:
    """Measure the milliseconds from an insert to its change."""
    # One collection, one watcher, one writer: changes come in the order of the inserts, so times can be paired by
    # place.
    sent: list[float] = []
    seen: list[float] = []
    count = RATE * seconds
    with run.client() as client:
        client.drop_database(_DATABASE)
        plain = Operations(client, _DATABASE).events
        ready = threading.Barrier(2)

        def watch() -> None:
            with plain.watch() as changes:
                ready.wait()
                for _ in range(count):
                    changes.next()
                    seen.append(time.monotonic())

        watcher = threading.Thread(target=watch)
        watcher.start()
        ready.wait()

        def insert() -> None:
            sent.append(time.monotonic())
            plain.insert_one({"n": len(sent)})

        _paced(count, insert)
        watcher.join()
    return [(at - started) * 1000 for started, at in zip(sent, seen, strict=True)]


def _paced(count: int, step: Callable[[], None]) -> None:
    """Run steps at the fixed rate, however long each takes."""
    started = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, started + number / RATE - time.monotonic()))
        step()


def _events(count: int) -> Iterator[dict[str, object]]:
    rng = Random(count)
    for _ in range(count):
        entry = data.entry(rng, "main", data.payloads(rng, 1)[0])
        yield {
            "event_type": entry.event_type,
            "timestamp": format_time(entry.timestamp),
            "source_id": entry.source_id,
            "payload": {"text": entry.payload},
        }
