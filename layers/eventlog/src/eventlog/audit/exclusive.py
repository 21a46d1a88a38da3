"""One at a time: work that another process does already is not begun."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.audits import LEASE_MILLIS, LeaseStore

_RENEW_SECONDS = LEASE_MILLIS / 3000

logger = logging.getLogger(__name__)


@contextmanager
def exclusive(leases: LeaseStore, name: str, every: float = _RENEW_SECONDS) -> Iterator[bool]:
    """Hold a lease while the block runs, renewed by a thread; whether it was to be had.

    Who dies with it holds up the next for as long as a lease lasts. One that was lost, because the process stood still,
    stops nobody: two at once do twice the work and nothing wrong.

    Where the database refuses to keep a lease, as one can be made to do, the work is done without.

    Raises:
        CredentialsRefusedError: MongoDB refused the user or the password.
    """
    holder, done = uuid4().hex, threading.Event()
    try:
        taken = leases.take(name, holder)
    except CredentialsRefusedError:
        raise
    except StoreError as error:
        logger.warning("no lease can be had on %s, so that others may do the same at once: %s", name, error)
        yield True
        return
    if not taken:
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
