"""One at a time: work that another process does already is not begun."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from eventlog.store.errors import StoreError
from eventlog.store.leases import LEASE_MILLIS, Leases

_RENEW_SECONDS = LEASE_MILLIS / 3000


@contextmanager
def exclusive(leases: Leases, name: str, every: float = _RENEW_SECONDS) -> Iterator[bool]:
    """Hold a lease while the block runs, renewed by a thread; whether it was to be had.

    Who dies with it holds up the next for as long as a lease lasts. One that was lost, because the process stood still,
    stops nobody: two at once do twice the work and nothing wrong.

    Raises:
        StoreError
    """
    holder, done = uuid4().hex, threading.Event()
    if not leases.take(name, holder):
        yield False
        return

    def renew() -> None:
        while not done.wait(every):
            with suppress(StoreError):  # the work itself will say so
                leases.renew(name, holder)

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield True
    finally:
        done.set()
        renewing.join()
        with suppress(StoreError):  # then it ends by itself
            leases.release(name, holder)
