"""``DatabaseReads`` on MongoDB."""

from collections.abc import Iterator

from eventlog.store.interface.database import DatabaseShape
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.odd_rows import OddRows
from eventlog.store.mongo.shape import compare
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.sweep import Sweep


class DatabaseStore:
    """Looks at a database as a whole."""

    def __init__(self, log: MongoStore) -> None:
        self._operations = operations_of(log)

    def shape(self, *, set_up: bool) -> DatabaseShape:
        """See ``DatabaseReads.shape``."""
        return compare(self._operations.events.database, set_up=set_up)

    def leftover_payloads(self, seconds: float) -> int:
        """See ``DatabaseReads.leftover_payloads``."""
        with mapped():
            return Sweep(self._operations).count(seconds).payloads

    def odd_rows(self, *, whole: bool) -> Iterator[str]:
        """See ``DatabaseReads.odd_rows``."""
        with mapped():
            yield from OddRows(self._operations).read(whole=whole)
