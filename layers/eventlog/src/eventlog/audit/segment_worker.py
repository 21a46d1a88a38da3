"""A worker process of an audit: ``python -m eventlog.audit.segment_worker FD`` verifies the segments it gets."""

import os
import sys
import threading
from dataclasses import asdict
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from eventlog.store.errors import StoreError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import connect, open_log
from eventlog.stored import codec
from eventlog.verify.fast_path import Segment, verify_segment


def encode(segment: Segment | None) -> bytes:
    """A worker's answer."""
    return codec.encode({} if segment is None else asdict(segment) | {"skew": list(segment.skew)})


def decode(answer: bytes) -> Segment | None:
    fields = codec.decode(answer)
    return Segment(**fields | {"skew": tuple(fields["skew"])}) if fields else None


def main() -> None:
    """Tasks in and answers out by one pipe, whose end, however it comes, is this process's end."""
    pipe = Connection(int(sys.argv[1]))
    try:
        where = codec.decode(pipe.recv_bytes())
    except EOFError:
        return
    tasks: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, tasks), daemon=True).start()
    with connect(where["uri"]) as client:
        audits = AuditStore(open_log(client, where["database"], ""))
        try:
            _work(pipe, tasks, audits, where)
        except (StoreError, OSError):
            sys.exit(1)


def _receive(pipe: Connection, tasks: SimpleQueue[dict[str, Any]]) -> None:
    try:
        while True:
            tasks.put(codec.decode(pipe.recv_bytes()))
    except (EOFError, OSError):
        os._exit(0)


def _work(pipe: Connection, tasks: SimpleQueue[dict[str, Any]], audits: AuditStore, where: dict[str, Any]) -> None:
    chain, after = where["chain"], where["after"]
    next(audits.scan(chain, 0, 0, after=after), None)  # the connection is there before any task is taken
    pipe.send_bytes(b"ready")
    while True:
        task = tasks.get()
        start, stop = task["start"], task["stop"]
        pipe.send_bytes(encode(verify_segment(chain, start, stop, audits.scan(chain, start, stop, after=after))))


if __name__ == "__main__":
    main()
