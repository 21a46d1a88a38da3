"""One at a time: work that another process is doing already is not started."""

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
    """Hold a lease while the block runs; yield whether this process may do the work. A thread renews the lease.

    If the process dies, the next one has to wait until the lease expires. If it stands still so long that it loses the
    lease, it goes on all the same: two at once do the work twice, and nothing wrong.

    Raises:
        CredentialsRefusedError: the database refuses the password.
    """
    holder, done = uuid4().hex, threading.Event()
    try:
        taken = leases.take(name, holder)
    except CredentialsRefusedError:
        raise
    except StoreError as error:
        # Somebody may have made the database refuse leases: an audit must not depend on them.
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
        with suppress(StoreError):  # then it expires
            leases.release(name, holder)
