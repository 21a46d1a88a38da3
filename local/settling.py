"""Settles what was appended last, as no later writer may come to do it."""

import threading

from eventlog.store.errors import StoreError
from eventlog.store.mongo.store import MongoStore

EVERY_SECONDS = 0.1


class SettleSchedule(threading.Thread):
    """Settles every chain that was not appended to since the last look, so that nobody's append is held up.

    In the cloud the audit does that each minute. Queries never wait for it, but who looks into ``events`` with tools of
    MongoDB finds a quiet chain there in full.
    """

    def __init__(self, store: MongoStore, every: float = EVERY_SECONDS) -> None:
        super().__init__(name="settle-schedule", daemon=True)
        self._store = store
        self._every = every
        self._sizes: dict[str, int] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._every):
            try:
                self.tick()
            except StoreError:
                continue  # no database just now; the next look tries again

    def tick(self) -> None:
        """One look."""
        sizes = self._store.unsettled()
        for chain in [name for name, size in sizes.items() if self._sizes.get(name) == size]:
            self._store.settle(chain)
        self._sizes = sizes

    def stop(self) -> None:
        """Ends it after the look under way."""
        self._stopping.set()
        if self.is_alive():
            self.join()
