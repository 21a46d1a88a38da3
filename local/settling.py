"""Settles the last append of each chain if no later append comes and does it."""

import threading
from contextlib import suppress

from eventlog.store.errors import CorruptionError, StoreError
from eventlog.store.mongo.store import MongoStore

EVERY_SECONDS = 0.1


class SettleSchedule(threading.Thread):
    """Settles every chain that had no append since the last round, so that no append has to wait for it.

    In the cloud the audit does this each minute. Queries need none of it. But in a quiet chain all events should be in
    the ``events`` collection, for a developer who looks at it with MongoDB's own tools.
    """

    def __init__(self, store: MongoStore, every: float = EVERY_SECONDS) -> None:
        super().__init__(name="settle-schedule", daemon=True)
        self._store = store
        self._every = every
        self._sizes: dict[str, int] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run a round every few milliseconds until ``stop`` is called."""
        while not self._stopping.wait(self._every):
            try:
                self.tick()
            except StoreError:
                continue  # no database at this moment; the next round tries again

    def tick(self) -> None:
        """Settle the chains whose size is the same as in the last round."""
        sizes = self._store.unsettled()
        for chain in [name for name, size in sizes.items() if self._sizes.get(name) == size]:
            with suppress(CorruptionError):  # a damaged chain must not keep the others from being settled
                self._store.settle(chain)
        self._sizes = sizes

    def stop(self) -> None:
        """End the schedule after the round under way."""
        self._stopping.set()
        if self.is_alive():
            self.join()
