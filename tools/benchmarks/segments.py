"""A full audit of one long chain that is shared by segments: by one process, and by two (``audit/spreading.py``).

    python -m tools.benchmarks.segments [SEGMENTS]

The processes are those of ``local/sharing.py``, and do what invocations of the audit function do in the cloud: each
item re-hashes a stretch of segments and signs their results, or counts the chain's events through an index. Starting
the processes counts, which a short chain is not worth. Then the round concludes, in one process, on what was signed.
"""

import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pymongo import MongoClient

from eventlog.anchors.signing import create_key_file
from eventlog.http.audits import conclude_shared, plan_shared
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from local.mongod.embedded import EmbeddedMongo
from local.sharing import LET_GO_SECONDS, do_all, environment
from tools.benchmarks import seed
from tools.benchmarks.measure import processor_seconds

CHAIN, DATABASE = "main", "segments"
SEGMENT = 65_536
MIB = 1024


@contextmanager
def watched_memory(peaks: dict[int, int]) -> Iterator[None]:
    """Note the peak resident MiB of this process's children while the block runs. For Linux."""
    over = Event()

    def watch() -> None:
        while not over.wait(0.1):
            children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
            for pid in map(int, children.split()):
                with suppress(OSError):
                    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                    if "local.sharing" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8"):
                        found = re.search(r"VmHWM:\s+(\d+) kB", status)
                        peaks[pid] = int(found[1]) // MIB if found else 0

    thread = Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True)
class Sharing:
    """What sharing a round took: seconds, and processor seconds of the processes and of mongod together."""

    seconds: float
    processor: float


def shared(wired: AuditWiring, mongod: int, count: int) -> Sharing:
    """Share a full round among so many processes, and conclude it."""
    plan = plan_shared(wired)
    items = plan["items"]
    peaks: dict[int, int] = {}
    with watched_memory(peaks):
        started, before = time.monotonic(), _processor(mongod)
        answers = list(do_all(items, environment(wired.settings), count))
        took = Sharing(time.monotonic() - started, _processor(mongod) - before)
    assert all(answer is not None and "skipped" not in answer for answer in answers), answers
    time.sleep(LET_GO_SECONDS)
    started = time.monotonic()
    found = conclude_shared(wired, plan["round"])["audits"]
    assert {report["status"] for report in found} == {"intact"}, found
    concluded = time.monotonic() - started
    print(f"  {count} processes: {took.seconds:.1f} s, {took.processor:.1f} s of processor; ", end="")
    print(f"concluded in {concluded:.1f} s; ", end="")
    print(f"{len(items)} items; peak MiB of each: {sorted(peaks.values())}", flush=True)
    return took


def _processor(mongod: int) -> float:
    """Return the processor seconds so far of mongod and of the children that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return processor_seconds(mongod) + ended.ru_utime + ended.ru_stime


def main() -> None:
    """Seed a chain and share its audit, by one process and by two in turn."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is shipped has its bytecode
    segments = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    with tempfile.TemporaryDirectory() as name, EmbeddedMongo(Path(name, "db")) as mongo:
        create_key_file(Path(name, "key"))
        with MongoClient[dict[str, Any]](mongo.uri) as client:  # which waits for indexes to be made
            seed.seed(client, DATABASE, CHAIN, segments * SEGMENT + 100)
            pid = int(client.admin.command("serverStatus")["pid"])
        settings = Settings(mongo_uri=mongo.uri, mongo_database=DATABASE, EVENTLOG_ORIGIN=seed.ORIGIN)
        settings.anchors, settings.signing_keys = str(Path(name, "anchors")), str(Path(name, "key"))
        wired = AuditWiring(Connection(settings))
        print(f"{segments * SEGMENT + 100:,} events", flush=True)
        took = {count: [shared(wired, pid, count) for _ in range(2)] for count in (1, 2)}
    one, two = (min(took[count], key=lambda each: each.seconds) for count in (1, 2))
    # mongod works beside one process, too, so two cores are partly used by it already.
    most = one.seconds / (one.processor / 2)
    print(f"ratio of two processes to one: {one.seconds / two.seconds:.2f}; two cores can do {most:.2f} at most")


if __name__ == "__main__":
    main()
