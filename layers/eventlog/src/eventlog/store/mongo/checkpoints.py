"""Collection ``checkpoints``: every anchor byte for byte, so that who reads evidence needs no anchor store.

    {_id: "<chain>/<number as 12 digits>", chain, number, size, time, note, keys: [vkey, ...]}

What is here proves nothing by itself: notes are signed, and the anchor store has them too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bson import DatetimeMS, Int64
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from eventlog.store.errors import CorruptionError, StoreUnavailableError, mapped
from eventlog.store.mongo import indexes
from eventlog.store.mongo.operations import RawCollection
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError

_TYPES = {"_id": str, "chain": str, "number": Int64, "size": Int64, "time": DatetimeMS, "note": str, "keys": list}


@dataclass(frozen=True, slots=True)
class Record:
    """A stored anchor: ``note`` is it byte for byte, ``time`` milliseconds since 1970, ``keys`` the verifier keys
    that signed it."""

    chain: str
    number: int
    size: int
    time: int
    note: bytes
    keys: tuple[str, ...]


class CheckpointStore:
    """The anchors of all chains (w: majority, majority reads)."""

    def __init__(self, log: MongoStore) -> None:
        self._checkpoints = operations_of(log).checkpoints
        self._raw: RawCollection = self._checkpoints.with_options(codec_options=codec.RAW)

    def ensure_indexes(self) -> None:
        """See ``indexes.ensure``."""
        with mapped():
            indexes.ensure(self._checkpoints, indexes.CHECKPOINTS)

    def newest(self, chain: str, session: ClientSession | None = None) -> Record | None:
        """The chain's anchor with the highest number."""
        return self._last({"chain": chain}, session)

    def at_size(self, chain: str, size: int, session: ClientSession | None = None) -> Record | None:
        """The anchor of exactly this size; of several the one with the highest number."""
        return self._last({"chain": chain, "size": Int64(size)}, session)

    def scan(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """Anchors with first <= number <= last, by number."""
        numbers = {"$gte": Int64(first)} | ({} if last is None else {"$lte": Int64(last)})
        with mapped():
            found = self._checkpoints.find({"chain": chain, "number": numbers}, sort=[("number", ASCENDING)])
            yield from map(_decode, found)

    def stored(self, chain: str, first: int = 1) -> Iterator[tuple[int | None, bytes]]:
        """What is stored for an audit to look at, by number from ``first`` on, and behind it what has no number."""
        query = {"chain": chain, "number": {"$not": {"$lt": Int64(first)}}}
        with mapped():
            for found in self._raw.find(query, sort=[("number", ASCENDING)]):
                number = found.get("number")
                yield int(number) if isinstance(number, int) else None, bytes(found.raw)

    def add(self, record: Record) -> None:
        """Store an anchor; one that is there already, the same in all fields, is fine.

        Raises:
            CorruptionError: another anchor has this number.
            StoreUnavailableError: not known to be stored.
        """
        document = _encode(record)
        with mapped():
            try:
                self._checkpoints.insert_one(document)
            except DuplicateKeyError as error:
                found = self._checkpoints.find_one({"_id": document["_id"]})
                if found is None:
                    raise StoreUnavailableError("MongoDB: the checkpoint is not yet committed by a majority") from error
                if codec.encode(found) != codec.encode(document):
                    message = f"another checkpoint {record.number} of chain {record.chain} is stored"
                    raise CorruptionError(message) from error

    def _last(self, query: dict[str, Any], session: ClientSession | None) -> Record | None:
        with mapped():
            found = self._checkpoints.find_one(query, sort=[("number", DESCENDING)], session=session)
            return None if found is None else _decode(found)


def encode_record(record: Record) -> bytes:
    """A document of ``checkpoints``."""
    return codec.encode(_encode(record))


def _encode(record: Record) -> dict[str, Any]:
    return {
        "_id": _document_id(record.chain, record.number),
        "chain": record.chain,
        "number": Int64(record.number),
        "size": Int64(record.size),
        "time": DatetimeMS(record.time),
        "note": record.note.decode(),
        "keys": list(record.keys),
    }


def _decode(found: dict[str, Any]) -> Record:
    """Understand a document of ``checkpoints``.

    Raises:
        NotOursError: a field is missing or of another type, or ``_id`` is not that of its chain and number.
    """
    codec.check_types(found, _TYPES)
    if found["_id"] != _document_id(found["chain"], found["number"]):
        raise NotOursError("_id is not that of the checkpoint's chain and number")
    if not all(type(key) is str for key in found["keys"]):
        raise NotOursError("keys holds something that is no string")
    size, time = int(found["size"]), int(found["time"])
    return Record(found["chain"], int(found["number"]), size, time, found["note"].encode(), tuple(found["keys"]))


def _document_id(chain: str, number: int) -> str:
    return f"{chain}/{number:012}"
