"""What the audit reads, and the reports it keeps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from bson import DatetimeMS, Int64
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from eventlog.formats.event import ChainState
from eventlog.store.interface.audits import MARK, POSITION, ChainHead
from eventlog.store.mongo.chain_filter import among
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.leases import LEASES
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.tree import TreeReader
from eventlog.stored import codec
from eventlog.stored.fields import ClusterTime, timestamp
from eventlog.stored.sequences import decode_settled

_LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
"""Reads names and times that nobody should have written."""
_LEASE_MILLIS = 10_000
_BATCH = 2_000
_REPORTS: dict[str, Any] = {"$nin": [*LEASES, POSITION, MARK]}
"""The ids of reports: leases, and how far changes were watched, are kept in the same collection."""
_NOT_LISTED = {"state": 0, "target": 0, "known": 0, "verified": 0}
"""What is large in a report, and not shown."""


class AuditStore:
    """``AuditDatabase`` on MongoDB: raw documents of a chain, and stored audit reports (w: majority)."""

    def __init__(self, log: MongoStore) -> None:
        self._ops = operations_of(log)
        self._reports = self._ops.audits.with_options(codec_options=codec.RAW)
        self.tree = TreeReader(log)

    def chain_names(self) -> list[str]:
        """List every chain that has a sequence document or an event."""
        with mapped():
            sequences, events = (held.with_options(_LENIENT) for held in (self._ops.sequences, self._ops.events))
            names = [found["_id"] for found in sequences.find({}, {"_id": 1})]
            grouped = events.aggregate([{"$sort": {"chain": 1}}, {"$group": {"_id": "$chain"}}])
            names += [found["_id"] for found in grouped]
        return sorted({name for name in names if isinstance(name, str)})

    def heads(self) -> list[ChainHead]:
        """Read what all sequence documents say, at once; a damaged one is for its audit to find and counts as empty."""
        fields = {"size": 1, "settled": "$settled.size", "oldest": {"$min": "$pending.received_at"}}
        with mapped():
            return [_head(found) for found in self._ops.sequences.with_options(_LENIENT).find({}, fields)]

    def rows_without_chain(self, limit: int) -> list[str]:
        """List the ids of rows whose chain is no text, so that they are in no chain at all."""
        events = self._ops.events.with_options(_LENIENT)
        with mapped():
            found = events.find({"chain": {"$not": {"$type": "string"}}}, {"_id": 1}, limit=limit)
            return [str(row["_id"]) for row in found]

    @contextmanager
    def together(self, chain: str) -> Iterator["SessionReads"]:
        """Open a causally consistent session on the primary."""
        with self._ops.session() as session:
            yield SessionReads(self._ops, session, chain)

    def scan(
        self,
        chain: str,
        start: int,
        end: int | None,
        limit: int = 0,
        *,
        after: ClusterTime | None = None,
        arrays: bool = True,
    ) -> Iterator[bytes]:
        """Read documents with start <= seq < end, by seq; not staler than an earlier read at ``after``.

        A row whose seq is an array may be in many ranges at once; without ``arrays`` such rows are left out.
        """
        with mapped(), self._ops.session() as session:
            if (time := timestamp(after)) is not None:
                session.advance_operation_time(time)
            yield from _scan(self._ops, session, chain, (start, end), limit=limit, arrays=arrays)

    def add(self, document: bytes) -> None:
        """Store a new report."""
        with mapped():
            with suppress(OperationFailure):  # two events at one seq: a finding, no reason not to audit
                self._ops.ensure_indexes()
            self._reports.insert_one(RawBSONDocument(document))

    def save(self, audit_id: str, document: bytes) -> None:
        """Store a report in the place of the one with this id."""
        with mapped():
            self._reports.replace_one({"_id": audit_id}, RawBSONDocument(document), upsert=True)

    def renew(self, audit_id: str) -> None:
        """Renew the lease of an audit that is at work."""
        with mapped():
            self._ops.audits.update_one({"_id": audit_id}, [{"$set": {"lease": "$$NOW"}}])

    def get(self, audit_id: str) -> bytes | None:
        """Read a report."""
        with mapped():
            found = self._reports.find_one({"_id": audit_id})
        return None if found is None else bytes(found.raw)

    def newest(
        self, chain: str | None, limit: int, before: str | None, names: Sequence[str] | None = None
    ) -> list[bytes]:
        """Read reports, newest first; on chains among ``names`` only."""
        ids = _REPORTS if before is None else _REPORTS | {"$lt": before}
        chains = [] if chain is None else [{"chain": chain}]
        allowed = [] if names is None else [among("chain", names)]
        query: dict[str, Any] = {"$and": [{"_id": ids}, *chains, *allowed]}
        with mapped():
            found = self._reports.find(query, _NOT_LISTED, sort=[("_id", -1)], limit=limit)
            return [bytes(report.raw) for report in found]

    def forget_verified(self, chain: str, size: int) -> None:
        """Forget that audits have verified the chain beyond ``size``: those events were lost.

        What can't be read as such a claim is forgotten, too.
        """
        with mapped():
            within = {"$not": {"$lte": Int64(size)}}
            further = {"chain": chain, "verified": {"$exists": True}, "verified.size": within}
            self._ops.audits.update_many(further, {"$unset": {"verified": 1}})

    def take_running(self) -> str | None:
        """Lease a running audit that no process is working on; return its id."""
        stale = {"$lt": ["$lease", {"$subtract": ["$$NOW", _LEASE_MILLIS]}]}
        query = {"_id": _REPORTS, "status": "running", "$expr": stale}
        with mapped():
            found = self._ops.audits.find_one_and_update(query, [{"$set": {"lease": "$$NOW"}}], {"_id": 1})
        return None if found is None else str(found["_id"])

    def is_running(self, mode: str) -> bool:
        """Whether an audit in this mode is unfinished, whether a process is working on it or not."""
        with mapped():
            return (
                self._ops.audits.find_one({"_id": _REPORTS, "status": "running", "mode": mode}, {"_id": 1}) is not None
            )


class SessionReads:
    """``ChainReads`` in one session."""

    def __init__(self, operations: Operations, session: ClientSession, chain: str) -> None:
        self._ops = operations
        self._session = session
        self._chain = chain

    def verified(self) -> ChainState | None:
        """Read the furthest state that an intact audit verified."""
        query = {"chain": self._chain, "status": "intact", "verified": {"$exists": True}}
        with mapped():
            found = self._ops.audits.find_one(query, {"verified": 1}, session=self._session, sort=[("to_seq", -1)])
            return None if found is None else decode_settled(found.get("verified"))

    def first(self) -> bytes | None:
        """Read the stored event with the lowest seq."""
        with mapped():
            return next(_scan(self._ops, self._session, self._chain, (0, None), limit=1), None)

    def sequence(self) -> bytes | None:
        """Read the sequence document as stored."""
        with mapped():
            found = self._ops.raw_sequences.find_one({"_id": self._chain}, session=self._session)
        return None if found is None else bytes(found.raw)

    def outside(self, end: int) -> Iterator[bytes]:
        """Read documents that ``scan(chain, 0, end)`` leaves out: their seq is not a number in 0..end-1.

        The two conditions never meet and are the exact complement; no index is needed for them to be right.
        """
        conditions: list[dict[str, Any]] = [
            {"$not": {"$gte": Int64(0)}},
            {"$gte": Int64(0), "$not": {"$lt": Int64(end)}},
        ]
        with mapped():
            for condition in conditions:
                query = {"chain": self._chain, "seq": condition}
                cursor = self._ops.raw_events.find(query, session=self._session)
                yield from (bytes(found.raw) for found in cursor)

    @property
    def time(self) -> ClusterTime | None:
        """The operation time of the last read."""
        found = self._session.operation_time
        return None if found is None else ClusterTime(found.time, found.inc)


def _scan(
    operations: Operations,
    session: ClientSession,
    chain: str,
    seqs: tuple[int, int | None],
    *,
    limit: int,
    arrays: bool = True,
) -> Iterator[bytes]:
    """See ``AuditStore.scan``; ``seqs``: start and end."""
    start, end = seqs
    # A bound matches a seq of any numeric type, and an array if one of its items lies within: the audit sees what
    # nobody should have written, too.
    bounds: dict[str, Any] = {"$gte": Int64(start)} | ({} if end is None else {"$lt": Int64(end)})
    bounds |= {} if arrays else {"$not": {"$type": "array"}}
    query = {"chain": chain, "seq": bounds}
    cursor = operations.raw_events.find(query, session=session, sort=[("seq", 1)], limit=limit, batch_size=_BATCH)
    for found in cursor:
        yield bytes(found.raw)


def _head(found: dict[str, Any]) -> ChainHead:
    size, settled = (found.get(name) if isinstance(found.get(name), int) else 0 for name in ("size", "settled"))
    oldest = found.get("oldest")
    received = int(oldest) if isinstance(oldest, DatetimeMS) else None
    return ChainHead(str(found["_id"]), int(size or 0), max(0, int(size or 0) - int(settled or 0)), received)
