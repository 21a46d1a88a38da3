"""What the audit reads, and the reports it keeps."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

from bson import DatetimeMS, Int64, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from eventlog.store.mongo.chain_filter import among
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.leases import LEASES
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.tree import TreeReader

_LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
"""Reads names and times that nobody should have written."""
_LEASE_MILLIS = 10_000
_BATCH = 2_000
_REPORTS: dict[str, Any] = {"$nin": list(LEASES)}
"""The ids of reports: leases are kept in the same collection."""


class ChainHead(NamedTuple):
    """What a sequence document says of its chain; ``oldest`` is when the oldest pending event was received."""

    chain: str
    size: int
    pending: int
    oldest: int | None


class AuditStore:
    """Raw documents of a chain, and stored audit reports (w: majority)."""

    def __init__(self, log: MongoStore) -> None:
        self._ops = operations_of(log)
        self.tree = TreeReader(log)

    def chain_names(self) -> list[str]:
        """Every chain that has a sequence document or an event."""
        with mapped():
            sequences, events = (held.with_options(_LENIENT) for held in (self._ops.sequences, self._ops.events))
            names = [found["_id"] for found in sequences.find({}, {"_id": 1})]
            grouped = events.aggregate([{"$sort": {"chain": 1}}, {"$group": {"_id": "$chain"}}])
            names += [found["_id"] for found in grouped]
        return sorted({name for name in names if isinstance(name, str)})

    def heads(self) -> list[ChainHead]:
        """What all sequence documents say, in one read; a damaged one is for its audit to find and counts as empty."""
        fields = {"size": 1, "settled": "$settled.size", "oldest": {"$min": "$pending.received_at"}}
        with mapped():
            return [_head(found) for found in self._ops.sequences.with_options(_LENIENT).find({}, fields)]

    def rows_without_chain(self, limit: int) -> list[str]:
        """Ids of rows whose chain is no text, so that they are in no chain at all."""
        events = self._ops.events.with_options(_LENIENT)
        with mapped():
            found = events.find({"chain": {"$not": {"$type": "string"}}}, {"_id": 1}, limit=limit)
            return [str(row["_id"]) for row in found]

    def session(self) -> Any:
        return self._ops.session()

    def sequence(self, chain: str, session: ClientSession) -> bytes | None:
        """The sequence document as stored."""
        with mapped():
            found = self._ops.raw_sequences.find_one({"_id": chain}, session=session)
        return None if found is None else bytes(found.raw)

    def scan(
        self,
        chain: str,
        start: int,
        end: int | None,
        limit: int = 0,
        *,
        session: ClientSession | None = None,
        after: Timestamp | None = None,
        arrays: bool = True,
    ) -> Iterator[bytes]:
        """Documents with start <= seq < end, by seq; not staler than an earlier read at ``after``.

        A row whose seq is an array may be in many ranges at once; without ``arrays`` such rows are left out.
        """
        bounds: dict[str, Any] = {"$gte": Int64(start)} | ({} if end is None else {"$lt": Int64(end)})
        bounds |= {} if arrays else {"$not": {"$type": "array"}}
        with mapped(), nullcontext(session) if session else self._ops.session() as reading:
            if after is not None:
                reading.advance_operation_time(after)
            cursor = self._ops.raw_events.find(
                {"chain": chain, "seq": bounds}, session=reading, sort=[("seq", 1)], limit=limit, batch_size=_BATCH
            )
            for found in cursor:
                yield bytes(found.raw)

    def outside(self, chain: str, end: int, session: ClientSession) -> Iterator[bytes]:
        """Documents that ``scan(chain, 0, end)`` leaves out: their seq is not a number in 0..end-1, whatever its type.

        The two conditions never meet and are the exact complement; no index is needed for them to be right.
        """
        conditions: list[dict[str, Any]] = [
            {"$not": {"$gte": Int64(0)}},
            {"$gte": Int64(0), "$not": {"$lt": Int64(end)}},
        ]
        with mapped():
            for condition in conditions:
                cursor = self._ops.raw_events.find({"chain": chain, "seq": condition}, session=session)
                yield from (bytes(found.raw) for found in cursor)

    def add(self, report: dict[str, Any]) -> None:
        """Store a new report."""
        with mapped():
            with suppress(OperationFailure):  # two events at one seq: a finding, no reason not to audit
                self._ops.ensure_indexes()
            self._ops.audits.insert_one(report)

    def save(self, report: dict[str, Any]) -> None:
        with mapped():
            self._ops.audits.replace_one({"_id": report["_id"]}, report, upsert=True)

    def renew(self, audit_id: str) -> None:
        """Renew the lease of an audit that is at work."""
        with mapped():
            self._ops.audits.update_one({"_id": audit_id}, [{"$set": {"lease": "$$NOW"}}])

    def get(self, audit_id: str) -> dict[str, Any] | None:
        with mapped():
            return self._ops.audits.find_one({"_id": audit_id})

    def newest(
        self, chain: str | None, limit: int, before: str | None, names: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Reports, newest first; on chains among ``names`` only."""
        ids = _REPORTS if before is None else _REPORTS | {"$lt": before}
        chains = [] if chain is None else [{"chain": chain}]
        allowed = [] if names is None else [among("chain", names)]
        query: dict[str, Any] = {"$and": [{"_id": ids}, *chains, *allowed]}
        with mapped():
            return list(
                self._ops.audits.find(
                    query, {"state": 0, "target": 0, "known": 0, "verified": 0}, sort=[("_id", -1)], limit=limit
                )
            )

    def verified(self, chain: str, session: ClientSession) -> dict[str, Any] | None:
        """The furthest state that an intact audit verified."""
        with mapped():
            query = {"chain": chain, "status": "intact", "verified": {"$exists": True}}
            found = self._ops.audits.find_one(query, {"verified": 1}, session=session, sort=[("to_seq", -1)])
        return None if found is None else found.get("verified")

    def forget_verified(self, chain: str, size: int) -> None:
        """Forget that audits have verified the chain beyond ``size``: those events were lost."""
        with mapped():
            further = {"chain": chain, "verified.size": {"$gt": Int64(size)}}
            self._ops.audits.update_many(further, {"$unset": {"verified": 1}})

    def take_running(self) -> str | None:
        """Lease an audit that is running but has nobody at work; its id."""
        stale = {"$lt": ["$lease", {"$subtract": ["$$NOW", _LEASE_MILLIS]}]}
        query = {"_id": _REPORTS, "status": "running", "$expr": stale}
        with mapped():
            found = self._ops.audits.find_one_and_update(query, [{"$set": {"lease": "$$NOW"}}], {"_id": 1})
        return None if found is None else str(found["_id"])

    def is_running(self, mode: str) -> bool:
        """Whether an audit in this mode has not come to its end, at work or not."""
        with mapped():
            return (
                self._ops.audits.find_one({"_id": _REPORTS, "status": "running", "mode": mode}, {"_id": 1}) is not None
            )


def _head(found: dict[str, Any]) -> ChainHead:
    size, settled = (found.get(name) if isinstance(found.get(name), int) else 0 for name in ("size", "settled"))
    oldest = found.get("oldest")
    received = int(oldest) if isinstance(oldest, DatetimeMS) else None
    return ChainHead(str(found["_id"]), int(size or 0), max(0, int(size or 0) - int(settled or 0)), received)
