"""The two servers that ``tools.benchmarks.http`` compares, each in a process of its own that ends with its parent."""

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
from bson import DatetimeMS, Int64
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from eventlog.ingest.native import NewEvent
from eventlog.settings import Settings
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import connect
from eventlog.stored.codec import document_id
from local.machine import bind
from local.server import Server, build_app

CHAIN = "main"
MakeApp = Callable[[str, str], FastAPI]


class ServedApp(NamedTuple):
    """A server: its port, and the id of its process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Return the CPU seconds that the process has taken so far."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def ours(uri: str, database: str) -> FastAPI:
    """Make the development server's app."""
    # All subscribers of a benchmark are one caller, who may have any number of streams here.
    return build_app(Settings(mongo_uri=uri, mongo_database=database, streams_per_caller=0))


def bare(uri: str, database: str) -> FastAPI:
    """Make the app of FastAPI's tutorial: it validates the same model and inserts a document with the same fields."""
    # Nothing is hashed and nothing is in order. But documents are as large as ours, or the insert would be cheaper.
    app = FastAPI(title="bare")
    events = Operations(connect(uri), database).events
    rng = Random()

    def document(event: NewEvent) -> dict[str, Any]:
        # The fields of a stored event, with random bytes where ours has hashes.
        event_id = event.event_id or str(uuid7())
        return {
            "_id": document_id(CHAIN, event_id),
            "v": 1,
            "chain": CHAIN,
            "event_id": event_id,
            "seq": Int64(rng.getrandbits(62)),
            "event_type": event.event_type,
            "source_id": event.source_id,
            "timestamp": DatetimeMS(event.timestamp),
            "received_at": DatetimeMS(time.time_ns() // 1_000_000),
            "principal": "anonymous",
            "payload": json.dumps(event.payload),
            "salt": os.urandom(16),
            "payload_hash": os.urandom(32),
            "content_hash": os.urandom(32),
            "prev_hash": os.urandom(32),
            "hash": os.urandom(32),
            "nodes": [os.urandom(32)],
        }

    @app.post("/api/v1/events", status_code=201)
    def append_event(event: NewEvent) -> dict[str, str]:
        found = document(event)
        events.insert_one(found)
        return {"event_id": found["event_id"]}

    @app.post("/api/v1/events/batch", status_code=201)
    def append_batch(batch: list[NewEvent]) -> dict[str, list[str]]:
        found = [document(event) for event in batch]
        events.insert_many(found, ordered=False)
        return {"event_ids": [item["event_id"] for item in found]}

    return app


@contextmanager
def served(make: MakeApp, uri: str, database: str) -> Iterator[ServedApp]:
    """Run an app as ``make run`` does while the context lasts."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, make, uri, database), daemon=True)
    process.start()
    its.close()
    try:
        yield ServedApp(mine.recv(), process.pid or 0)
    finally:
        mine.close()
        process.join(10)
        process.kill()
        process.join()


def _serve(pipe: Connection, make: MakeApp, uri: str, database: str) -> None:
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"  # as the development server sets it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with bind(0) as bound:
        server = Server(make(uri, database), bound, lambda: pipe.send(bound.getsockname()[1]))

        def stop_with_parent() -> None:
            try:
                pipe.recv()
            except EOFError:
                server.should_exit = True

        threading.Thread(target=stop_with_parent, daemon=True).start()
        server.serve_forever()


def request(path: str, body: Any) -> bytes:
    """Make the bytes of a request, which are sent again and again."""
    sent = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}"
    return f"{head}\r\n\r\n".encode() + sent
