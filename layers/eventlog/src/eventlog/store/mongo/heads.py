"""Collection ``heads``: one document with what the audit knows of the heads of all chains (``stored/heads.py``)."""

from collections.abc import Iterator
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from eventlog.store.interface.heads import StoredNames
from eventlog.store.mongo.chains_in import chains_in
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.heads import NEWEST

_LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(unicode_decode_error_handler="replace")
"""Reads names that nobody should have written."""
_BATCH = 5_000


class HeadRows:
    """``HeadStore`` on MongoDB."""

    def __init__(self, log: MongoStore) -> None:
        self._ops = operations_of(log)
        self._heads = self._ops.heads.with_options(codec_options=codec.RAW)

    def get(self) -> bytes | None:
        """See ``HeadReads.get``."""
        with answered(self._ops.client):
            found = self._heads.find_one({"_id": NEWEST})
        return None if found is None else bytes(found.raw)

    def names(self) -> StoredNames:
        """See ``HeadStore.names``."""
        with mapped():
            copies, events = (
                chains_in(held.with_options(_LENIENT)) for held in (self._ops.checkpoints, self._ops.events)
            )
            found = self._ops.sequences.with_options(_LENIENT).find({}, {"_id": 1}, batch_size=_BATCH)
            sequences = [sequence["_id"] for sequence in found]
        return StoredNames(_texts(sequences), _texts(events), _texts(copies))

    def settled(self) -> Iterator[tuple[str, bytes]]:
        """See ``HeadStore.settled``: one query, which leaves out those that have something pending."""
        with mapped():
            for found in self._ops.raw_sequences.find({"pending": {"$size": 0}}, batch_size=_BATCH):
                name = found.get("_id")
                if isinstance(name, str):
                    yield name, bytes(found.raw)

    def save(self, document: bytes) -> None:
        """See ``HeadStore.save``."""
        with mapped():
            self._heads.replace_one({"_id": NEWEST}, RawBSONDocument(document), upsert=True)


def _texts(names: list[Any]) -> set[str]:
    return {name for name in names if isinstance(name, str)}
