"""A worker process of an audit: ``python -m eventlog.wiring.segment_worker FD``, with a connection of its own."""

import os
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue

from eventlog.audit.segment_worker import Work, serve
from eventlog.store.errors import StoreError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import connect, open_log


def main() -> None:
    """Take tasks and give answers over one pipe; when the pipe ends, for whatever reason, the process ends."""
    pipe = Connection(int(sys.argv[1]))
    try:
        work = Work.decode(pipe.recv_bytes())
    except EOFError:
        return
    # Another thread reads the pipe, so that its end is noticed even while this one verifies a segment.
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, tasks), daemon=True).start()
    with connect(work.uri) as client:
        audits = AuditStore(open_log(client, work.database, ""))
        try:
            serve(pipe, tasks, audits, work)
        except (StoreError, OSError):
            sys.exit(1)


def _receive(pipe: Connection, tasks: SimpleQueue[bytes]) -> None:
    try:
        while True:
            tasks.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    main()
