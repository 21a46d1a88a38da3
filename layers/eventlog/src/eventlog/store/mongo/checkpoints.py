"""Collection ``checkpoints``: a copy of every anchor (``stored/anchor_copies.py``)."""

from collections.abc import Iterator
from typing import Any

from bson import Int64
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.mongo import indexes
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.operations import RawCollection
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.anchor_copies import AnchorCopy, copy_fields, read_copy


class CheckpointStore:
    """``AnchorCopies`` on MongoDB (w: majority, majority reads)."""

    def __init__(self, log: MongoStore) -> None:
        self._checkpoints = operations_of(log).checkpoints
        self._raw: RawCollection = self._checkpoints.with_options(codec_options=codec.RAW)

    def ensure_indexes(self) -> None:
        """See ``indexes.ensure``."""
        with mapped():
            indexes.ensure(self._checkpoints, indexes.CHECKPOINTS)

    def newest(self, chain: str, session: ClientSession | None = None) -> AnchorCopy | None:
        """See ``AnchorCopies.newest``."""
        return self._last({"chain": chain}, session)

    def newest_raw(self, chain: str) -> bytes | None:
        """See ``AnchorCopies.newest_raw``."""
        with answered(self._checkpoints.database.client):
            found = self._raw.find_one({"chain": chain}, sort=[("number", DESCENDING)])
        return None if found is None else bytes(found.raw)

    def at_size(self, chain: str, size: int, session: ClientSession | None = None) -> AnchorCopy | None:
        """See ``AnchorCopies.at_size``."""
        return self._last({"chain": chain, "size": Int64(size)}, session)

    def scan(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[AnchorCopy]:
        """See ``AnchorCopies.scan``."""
        numbers = {"$gte": Int64(first)} | ({} if last is None else {"$lte": Int64(last)})
        with mapped():
            found = self._checkpoints.find({"chain": chain, "number": numbers}, sort=[("number", ASCENDING)])
            yield from map(read_copy, found)

    def stored(self, chain: str, first: int = 1) -> Iterator[tuple[int | None, bytes]]:
        """See ``AnchorCopies.stored``."""
        query = {"chain": chain, "number": {"$not": {"$lt": Int64(first)}}}
        with mapped():
            for found in self._raw.find(query, sort=[("number", ASCENDING)]):
                number = found.get("number")
                yield int(number) if isinstance(number, int) else None, bytes(found.raw)

    def packs(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """See ``AnchorCopies.packs``."""
        numbers = {"$gte": Int64(first)} | ({} if last is None else {"$lte": Int64(last)})
        query = {"chain": chain, "number": numbers, "pack": {"$gte": Int64(1)}}
        with mapped():
            # Only two numbers of each: whatever else is wrong with a copy, the audit says when it compares it.
            fields = {"_id": 0, "number": 1, "pack": 1}
            for found in self._raw.find(query, fields, sort=[("number", ASCENDING)]):
                number, pack = found.get("number"), found.get("pack")
                if type(number) is Int64 and type(pack) is Int64:
                    yield int(number), int(pack)

    def newest_number(self, chain: str) -> int:
        """See ``AnchorCopies.newest_number``."""
        with mapped():
            found = self._raw.find_one({"chain": chain}, {"_id": 0, "number": 1}, sort=[("number", DESCENDING)])
        number = None if found is None else found.get("number")
        return int(number) if type(number) is Int64 else 0

    def add(self, copy: AnchorCopy) -> None:
        """See ``AnchorCopies.add``; after a duplicate key the stored copy decides whether it is the same."""
        document = copy_fields(copy)
        with mapped():
            try:
                self._checkpoints.insert_one(document)
            except DuplicateKeyError as error:
                found = self._checkpoints.find_one({"_id": document["_id"]})
                if found is None:  # the insert saw it, a majority read does not yet: it may still be rolled back
                    raise StoreUnavailableError("MongoDB: the checkpoint is not yet committed by a majority") from error
                if codec.encode(found) != codec.encode(document):
                    message = f"another checkpoint {copy.number} of chain {copy.chain} is stored"
                    raise CorruptionError(message) from error

    def _last(self, query: dict[str, Any], session: ClientSession | None) -> AnchorCopy | None:
        with answered(self._checkpoints.database.client):
            found = self._checkpoints.find_one(query, sort=[("number", DESCENDING)], session=session)
            return None if found is None else read_copy(found)
