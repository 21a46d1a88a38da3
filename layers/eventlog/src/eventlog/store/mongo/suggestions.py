"""What values a field of a chain's events has that begin so: from an index, one entry of it for each value."""

from eventlog.store.interface.searches import NameField
from eventlog.store.mongo.driver_errors import answered
from eventlog.store.mongo.names import beginning
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.search_index import indexed_version, values
from eventlog.store.mongo.store import MongoStore, operations_of


class Suggestions:
    """``SearchReads`` on MongoDB."""

    def __init__(self, log: MongoStore) -> None:
        self._operations: Operations = operations_of(log)

    def names(self, chain: str, field: NameField, prefix: str, limit: int) -> tuple[list[str], bool]:
        """See ``SearchReads.names``."""
        with answered(self._operations.client), self._operations.session() as session:
            image = self._operations.read_sequence(chain, session)
            if image is None:
                return [], False
            found = {getattr(entry, field) for entry in image.pending}
            found = {name for name in found if name.startswith(prefix)}
            if image.settled.size:
                found.update(beginning(self._operations, chain, field, prefix, limit=limit + 1, session=session))
            return sorted(found)[:limit], len(found) > limit

    def values(self, chain: str, name: str, prefix: str, limit: int) -> tuple[list[str], bool]:
        """See ``SearchReads.values``."""
        with answered(self._operations.client), self._operations.session() as session:
            image = self._operations.read_sequence(chain, session)
            return ([], False) if image is None else values(self._operations, image, f"{name}:{prefix}", limit, session)

    def indexed_version(self, chain: str) -> int | None:
        """See ``SearchReads.indexed_version``."""
        with answered(self._operations.client), self._operations.session() as session:
            image = self._operations.read_sequence(chain, session)
            return None if image is None else indexed_version(self._operations, image, session)
