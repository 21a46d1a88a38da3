"""Collection ``cosignatures``, and the rows of ``audits`` on witnesses."""

from collections.abc import Collection
from contextlib import suppress

from bson import DatetimeMS, Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError, OperationFailure

from eventlog.store.mongo import indexes
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.operations import RawCollection
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.cosignatures import StoredCosignature, cosignature_fields, read_cosignature
from eventlog.stored.errors import NotOursError
from eventlog.stored.witness_records import WITNESS_PREFIX, WitnessRecord, encode_record, read_record, record_id

AFTER_WITNESSES = f"{WITNESS_PREFIX[:-1]}{chr(ord(WITNESS_PREFIX[-1]) + 1)}"
"""The first id after all rows on witnesses."""
_IDS = {"$gte": WITNESS_PREFIX, "$lt": AFTER_WITNESSES}
_MOST = 64
"""Lines of one anchor that are read: more than a policy has witnesses, and than are served."""


class CosignatureRows:
    """``CosignatureStore`` on MongoDB (w: majority, majority reads)."""

    def __init__(self, log: MongoStore) -> None:
        self._rows = operations_of(log).cosignatures
        self._indexed = False

    def of(self, chain: str, number: int) -> list[StoredCosignature]:
        """See ``CosignatureReads.of``.

        Where the database is not set up for this version yet, the role may not read them: then there are none.
        """
        query = {"chain": chain, "number": Int64(number)}
        found: list[StoredCosignature] = []
        with answered(self._rows.database.client):
            try:
                rows = list(self._rows.find(query, sort=[("_id", ASCENDING)], limit=_MOST))
            except OperationFailure as error:
                if error.code not in indexes.NOT_ALLOWED:
                    raise
                return []
        for row in rows:
            with suppress(NotOursError):
                found.append(read_cosignature(row))
        return found

    def add(self, found: StoredCosignature) -> bool:
        """See ``CosignatureStore.add``."""
        with mapped():
            if not self._indexed:
                indexes.ensure(self._rows, indexes.COSIGNATURES)
                self._indexed = True
            try:
                self._rows.insert_one(cosignature_fields(found))
            except DuplicateKeyError:
                return False
            return True


class WitnessRows:
    """``WitnessRecords`` on MongoDB: ``{_id: "witness/<chain>/<name>", ...}`` among the reports."""

    def __init__(self, log: MongoStore) -> None:
        audits = operations_of(log).audits
        self._rows: RawCollection = audits.with_options(codec_options=codec.RAW)

    def of(self, chains: Collection[str]) -> list[WitnessRecord]:
        """See ``WitnessRecords.of``."""
        query = {"_id": _IDS, "chain": {"$in": list(chains)}}
        found: list[WitnessRecord] = []
        with mapped():
            for row in self._rows.find(query):
                with suppress(NotOursError):
                    record = read_record(bytes(row.raw))
                    if record_id(record.chain, record.witness) == row["_id"]:
                        found.append(record)
        return found

    def asked_before(self, time: int) -> list[str]:
        """See ``WitnessRecords.asked_before``; it goes over the ids of all these rows."""
        query = {"_id": _IDS, "asked_at": {"$lt": DatetimeMS(max(0, time))}, "chain": {"$type": "string"}}
        with mapped():
            return sorted({str(row["chain"]) for row in self._rows.find(query, {"chain": 1})})

    def put(self, record: WitnessRecord) -> None:
        """See ``WitnessRecords.put``."""
        key = {"_id": record_id(record.chain, record.witness)}
        with mapped():
            self._rows.replace_one(key, RawBSONDocument(encode_record(record)), upsert=True)
