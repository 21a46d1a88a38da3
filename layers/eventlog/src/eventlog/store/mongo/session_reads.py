"""What the audit of a chain reads at one moment: in one causally consistent session."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain as chained
from typing import Any

from bson import Int64
from pymongo.client_session import ClientSession

from eventlog.formats.event import ChainState, Entry
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.scans import scan_batches
from eventlog.stored import bodies, codec
from eventlog.stored.fields import ClusterTime
from eventlog.stored.sequences import decode_settled


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
        with mapped(), closing(scan_batches(self._ops, self._session, self._chain, (0, None), limit=1)) as found:
            return next(chained.from_iterable(found), None)

    def sequence(self) -> bytes | None:
        """Read the sequence document as stored."""
        with mapped():
            found = self._ops.raw_sequences.find_one({"_id": self._chain}, session=self._session)
        return None if found is None else bytes(found.raw)

    def bodies(self, entries: Iterable[Entry]) -> Mapping[str, bytes]:
        """Read the rows of entries' payloads that are stored apart, by their ids; those that are gone are left out."""
        ids = [bodies.body_id(entry) for entry in entries if bodies.is_waiting(entry)]
        with mapped():
            return self._ops.bodies.read(ids, self._session)

    def outside(self, end: int) -> Iterator[bytes]:
        """Read documents that ``scan(chain, 0, end)`` leaves out: their seq is not a number in 0..end-1.

        The two conditions never meet and are the exact complement; no index is needed for them to be right.
        """
        conditions: list[dict[str, Any]] = [
            {"seq": {"$not": {"$gte": Int64(0)}}},
            {"seq": {"$gte": Int64(0), "$not": {"$lt": Int64(end)}}},
        ]
        with mapped():
            query = {"chain": self._chain, "$or": conditions}
            yield from (bytes(found.raw) for found in self._ops.raw_events.find(query, session=self._session))

    @property
    def time(self) -> ClusterTime | None:
        """The operation time of the last read."""
        found, gossip = self._session.operation_time, self._session.cluster_time
        if found is None or gossip is None:
            return None
        return ClusterTime(found.time, found.inc, codec.encode(dict(gossip)))
