"""Worker processes that verify segments of a chain ahead of an audit, so that it uses every core.

Nothing depends on them: what they don't answer, or don't find perfect, the audit verifies itself. This room says when
there are any; ``worker_pool.py`` runs them.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from eventlog.stored.fields import ClusterTime
from eventlog.verify.fast_path import Segment

_MAX_WORKERS = 4
_one_audit = threading.Lock()


class WorkerPool(Protocol):
    """What an audit asks its workers."""

    def segment(self, start: int) -> Segment | None:
        """Return the segment from ``start`` on if a worker found it perfect, None if not or if no worker has it."""
        ...


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Workers:
    """How many workers to start for an audit and what they connect to; ``least`` is how many events are worth it."""

    uri: str = field(repr=False)
    database: str
    count: int = field(default_factory=lambda: min(cores(), _MAX_WORKERS))
    least: int = 100_000

    @contextmanager
    def start(
        self, chain: str, after: ClusterTime | None, *, start: int, end: int, step: int
    ) -> Iterator[WorkerPool | None]:
        """Start workers for start..end-1; None on one core, for few events, or if this process has workers already."""
        if self.count < 2 or end - start < self.least or not _one_audit.acquire(blocking=False):
            yield None  # the audit works alone: there is too little to share, or the cores are taken
            return
        # multiprocessing: 3 ms of each start, and next to no scheduled audit has so many events before it.
        from eventlog.audit.segment_worker import Work  # noqa: PLC0415
        from eventlog.audit.worker_pool import RunningWorkers  # noqa: PLC0415

        pool = RunningWorkers(end, step)
        try:
            work = Work(self.uri, self.database, chain, after).encode()
            for _ in range(self.count):
                pool.add(work)
            yield pool
        finally:
            pool.close()
            _one_audit.release()
