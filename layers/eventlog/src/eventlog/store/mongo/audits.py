"""What the audit reads, and the reports it keeps."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from bson import DatetimeMS, Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument
from pymongo.errors import OperationFailure

from eventlog.store.interface.audits import ChainHead, Counted
from eventlog.store.mongo import index_counts, indexes
from eventlog.store.mongo.chain_filter import among
from eventlog.store.mongo.database import DatabaseStore
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.heads import HeadRows
from eventlog.store.mongo.leases import is_held
from eventlog.store.mongo.lenient import LENIENT
from eventlog.store.mongo.scans import BATCH, ahead, scan_batches
from eventlog.store.mongo.segments import REPORTS_ALONE, SegmentRows
from eventlog.store.mongo.session_reads import SessionReads
from eventlog.store.mongo.sessions import session_after
from eventlog.store.mongo.settle_many import settle_many
from eventlog.store.mongo.standings import StandingRows
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.tree import TreeReader
from eventlog.store.mongo.validators import BESIDE_REPORTS
from eventlog.store.search_fields import DeclaredFields
from eventlog.stored import codec
from eventlog.stored.fields import ClusterTime

_LEASE_MILLIS = 10_000
_AHEAD_MILLIS = 60_000
"""How far the clock of a process that works on an audit may be ahead of the database's."""
_AT_ONCE = 1000
"""Running audits that are listed at once."""
_REPORTS: dict[str, Any] = {"$nin": list(BESIDE_REPORTS)}
"""The ids of reports, whatever they are: other things are kept in the same collection."""
_LISTED_ID: dict[str, Any] = {"$regex": r"(?s)^.{1,64}\z"}
_NO_TEXT: dict[str, Any] = {
    "$type": [
        "number",
        "null",
        "object",
        "binData",
        "objectId",
        "bool",
        "date",
        "timestamp",
        "javascript",
        "minKey",
        "maxKey",
    ]
}
"""All types that an id may have but text, so that the index on ids finds them."""
_WAITING: dict[str, Any] = {
    "_id": _REPORTS,
    "status": "running",
    "$expr": {"$not": [is_held(_LEASE_MILLIS, _AHEAD_MILLIS)]},
}
_NOT_LISTED = {"state": 0, "target": 0, "known": 0, "verified": 0}
"""What is large in a report, and not shown."""


class AuditStore:
    """``AuditDatabase`` on MongoDB: raw documents of a chain, and stored audit reports (w: majority)."""

    def __init__(self, log: MongoStore) -> None:
        self._ops = operations_of(log)
        self._reports = self._ops.audits.with_options(codec_options=codec.RAW)
        self._indexed = False
        self.tree = TreeReader(log)
        self.query_indexes = tuple(index_counts.INDEXES)
        self.database = DatabaseStore(log)
        self.standings = StandingRows(log)
        self.segments = SegmentRows(log)
        self.rules = DeclaredFields(lambda: log).rule
        self.all_heads = HeadRows(log)

    def chain_names(self) -> list[str]:
        """List every chain that has a sequence document, an event or a copy of an anchor."""
        return sorted(self.all_heads.names().all())

    def settle_many(self, chains: Sequence[str]) -> dict[str, str]:
        """See ``AuditDatabase.settle_many``."""
        with answered(self._ops.client):
            return settle_many(self._ops, chains)

    def heads(self) -> list[ChainHead]:
        """Read what all sequence documents say, at once; a damaged one is for its audit to find and counts as empty."""
        fields = {"size": 1, "settled": "$settled.size", "oldest": {"$min": "$pending.received_at"}}
        with mapped():
            return [_head(found) for found in self._ops.sequences.with_options(LENIENT).find({}, fields)]

    @contextmanager
    def together(self, chain: str) -> Iterator[SessionReads]:
        """Open a causally consistent session on the primary."""
        with mapped(), self._ops.session() as session:
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
        # A session of its own: the reads before it may have been another process's, which is long gone.
        with mapped(), session_after(self._ops.client, after) as session:
            batches = scan_batches(self._ops, session, chain, (start, end), limit=limit, arrays=arrays)
            many = not limit and (end is None or end - start > BATCH)
            with closing(ahead(batches) if many else batches) as found:
                for batch in found:
                    yield from batch

    def of_types(self, chain: str, types: Sequence[str], start: int, after: ClusterTime | None) -> Iterator[bytes]:
        """See ``AuditReads.of_types``."""
        query = {"chain": chain, "event_type": {"$in": list(types)}, "seq": {"$gte": Int64(start)}}
        with mapped(), session_after(self._ops.client, after) as session:
            found = self._ops.raw_events.find(query, session=session, hint=indexes.BY_TYPE.keys, batch_size=BATCH)
            yield from self._ops.bodies.joined((bytes(each.raw) for each in found), session)

    def count_through(
        self, chain: str, index: str, end: int, before: Counted, most: int, *, after: ClusterTime | None = None
    ) -> Counted:
        """See ``AuditReads.count_through``."""
        with mapped(), session_after(self._ops.client, after) as session:
            return index_counts.count(self._ops, session, chain, index, end=end, before=before, most=most)

    def add(self, document: bytes) -> None:
        """Store a new report."""
        with mapped():
            if not self._indexed:
                with suppress(OperationFailure):  # somebody has made others of their names, which is a finding
                    indexes.ensure(self._ops.audits, indexes.AUDITS)
                self._indexed = True  # once: whoever makes a chain ensures them as well
            self._reports.insert_one(RawBSONDocument(document))

    def save(self, audit_id: str, document: bytes) -> None:
        """Store a report, in the place of the one with this id if there is one."""
        with mapped():
            self._reports.replace_one({"_id": audit_id}, RawBSONDocument(document), upsert=True)

    def renew(self, audit_id: str) -> None:
        """Renew the lease of an audit that is at work."""
        with mapped():
            self._ops.audits.update_one({"_id": audit_id}, [{"$set": {"lease": "$$NOW"}}])

    def get(self, audit_id: str) -> bytes | None:
        """Read a report."""
        with answered(self._ops.client):
            found = self._reports.find_one({"_id": audit_id})
        return None if found is None else bytes(found.raw)

    def newest(
        self, chain: str | None, limit: int, before: str | None, names: Sequence[str] | None = None
    ) -> list[bytes]:
        """See ``AuditReads.newest``."""
        return self._listed(_REPORTS | _LISTED_ID | ({} if before is None else {"$lt": before}), chain, limit, names)

    def unnamed(self, chain: str | None, limit: int, names: Sequence[str] | None = None) -> list[bytes]:
        """See ``AuditReads.unnamed``."""
        return self._listed(_NO_TEXT, chain, limit, names)

    def _listed(self, ids: dict[str, Any], chain: str | None, limit: int, names: Sequence[str] | None) -> list[bytes]:
        chains = [] if chain is None else [{"chain": chain}]
        allowed = [] if names is None else [among("chain", names)]
        query: dict[str, Any] = {"$and": [{"_id": ids}, REPORTS_ALONE, *chains, *allowed]}
        with answered(self._ops.client):
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

    def waiting(self) -> list[bytes]:
        """List running audits that no process is working on, least recently worked on first: ``{_id}`` of each."""
        # What is large in a report is left out before it is sorted, and ids stay as they are, whatever they are.
        steps = [{"$match": _WAITING}, {"$project": {"lease": 1}}, {"$sort": {"lease": 1, "_id": 1}}]
        with mapped():
            found = self._reports.aggregate([*steps, {"$limit": _AT_ONCE}, {"$project": {"_id": 1}}])
            return [bytes(report.raw) for report in found]

    def running(self, chains: Sequence[str], mode: str) -> set[str]:
        """See ``ReportStore.running``."""
        query = {"_id": _REPORTS, "status": "running", "mode": mode, "chain": {"$in": list(chains)}}
        with mapped():
            found = self._ops.audits.with_options(LENIENT).find(query, {"_id": 0, "chain": 1})
            return {str(report["chain"]) for report in found}

    def take(self, key: bytes) -> bytes | None:
        """Lease a running audit, given as ``waiting`` gave it, unless another process has it; return its document."""
        query = {"$and": [RawBSONDocument(key), _WAITING]}
        lease = [{"$set": {"lease": "$$NOW"}}]
        with mapped():
            found = self._reports.find_one_and_update(query, lease, return_document=ReturnDocument.AFTER)
        return None if found is None else bytes(found.raw)

    def left_over(self, chain: str, mode: str) -> str | None:
        """Find an audit of this chain that ran out of time, and that no process has gone on with; return its id."""
        query = {"$and": [_WAITING, {"chain": chain, "mode": mode}]}
        with mapped():
            found = self._ops.audits.find_one(query, {"_id": 1})
        return None if found is None else str(found["_id"])


def _head(found: dict[str, Any]) -> ChainHead:
    size, settled = (found.get(name) if isinstance(found.get(name), int) else 0 for name in ("size", "settled"))
    oldest = found.get("oldest")
    received = int(oldest) if isinstance(oldest, DatetimeMS) else None
    return ChainHead(str(found["_id"]), int(size or 0), max(0, int(size or 0) - int(settled or 0)), received)
