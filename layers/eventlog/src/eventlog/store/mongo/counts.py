"""How many events there are by time, type or source: from an index alone, and at most ``MAX_COUNTED`` of its keys."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from bson import DatetimeMS, Int64
from pymongo.client_session import ClientSession
from pymongo.errors import ExecutionTimeout

from eventlog.store.errors import StoreError, mapped
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of

MAX_COUNTED = 1_000_000
"""Keys of an index that one answer examines; MongoDB 6.0.5 reads and groups 1.3 million of them a second."""

MAX_SECONDS = 10.0
"""What counting may take: with a million different values it is slower by far, and the function has 25 s for all."""

Field = Literal["event_type", "source_id"]


class TooManyError(StoreError):
    """More in the range than ``MAX_COUNTED`` events, or than is counted in ``MAX_SECONDS``: the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Times in milliseconds: [start, end), in buckets of ``width`` that begin at multiples of it since 1970."""

    chain: str
    start: int
    end: int
    width: int
    by: Field | None = None

    @property
    def starts(self) -> range:
        """Where each bucket begins; the first and the last may reach beyond the range."""
        return range(self.start - self.start % self.width, self.end, self.width)


@dataclass(frozen=True, slots=True)
class Counts:
    """Events by the start of their bucket: all of them, and those of the values that may be the most frequent."""

    all: Counter[int]
    by_value: dict[str, Counter[int]]


NOTHING = Counts(Counter(), {})
"""What a chain that does not exist has."""


def count(log: MongoStore, buckets: Buckets, most: int) -> Counts:
    """Every acknowledged event of the range, pending ones too, at one moment; the ``most`` frequent values are among
    those that are counted each.

    Raises:
        TooManyError, StoreError
    """
    operations = operations_of(log)
    with mapped(), operations.session() as session:
        image = operations.read_sequence(buckets.chain, session)
        if image is None:
            return NOTHING
        pending = [event.entry for event in image.events() if buckets.start <= event.entry.timestamp < buckets.end]
        values = {getattr(entry, buckets.by) for entry in pending} if buckets.by else set()
        pipeline = _pipeline(buckets, image.settled.size, most, values)
        found = _aggregate(operations, pipeline, buckets, session)
    counts = Counts(Counter({row["_id"]: row["count"] for row in found["all"]}), {})
    for row in (row for part in ("most", "pending") for row in found.get(part, ())):
        counts.by_value[row["_id"]] = Counter({each["start"]: each["count"] for each in row["counts"]})
    for entry in pending:
        start = entry.timestamp - entry.timestamp % buckets.width
        counts.all[start] += 1
        if buckets.by:
            counts.by_value.setdefault(getattr(entry, buckets.by), Counter())[start] += 1
    if counts.all.total() > MAX_COUNTED:
        raise TooManyError(f"more than {MAX_COUNTED} events are in this range")
    return counts


def _aggregate(
    operations: Operations, pipeline: list[dict[str, Any]], buckets: Buckets, session: ClientSession
) -> dict[str, Any]:
    limits: dict[str, Any] = {"allowDiskUse": True, "maxTimeMS": round(1000 * MAX_SECONDS)}
    try:
        (found,) = operations.events.aggregate(pipeline, session=session, hint=_index(buckets), **limits)
    except ExecutionTimeout as error:
        raise TooManyError(f"counting the events of this range takes more than {MAX_SECONDS:g} seconds") from error
    return found


def _pipeline(buckets: Buckets, settled: int, most: int, values: set[str]) -> list[dict[str, Any]]:
    """One key more than allowed is counted, so that too many show as such. MongoDB picks the values, as there may be as
    many as events; ``values`` are counted too, whose pending events may lift them among the most frequent."""
    times = {"$gte": DatetimeMS(buckets.start), "$lt": DatetimeMS(buckets.end)}
    millis = {"$toLong": "$timestamp"}
    start = {"$subtract": [millis, {"$mod": [millis, Int64(buckets.width)]}]}
    value = {"value": f"${buckets.by}"} if buckets.by else {}
    total = {"$sum": "$count"}
    parts: dict[str, Any] = {"all": [{"$group": {"_id": "$_id.start", "count": total}}]}
    if buckets.by:
        rows = {"$push": {"start": "$_id.start", "count": "$count"}}
        each = {"$group": {"_id": "$_id.value", "total": total, "counts": rows}}
        parts["most"] = [each, {"$sort": {"total": -1, "_id": 1}}, {"$limit": most}]
        parts["pending"] = [{"$match": {"_id.value": {"$in": sorted(values)}}}, each]
    return [
        {"$match": {"chain": buckets.chain, "timestamp": times, "seq": {"$lt": Int64(settled)}}},
        {"$limit": MAX_COUNTED + 1},
        {"$group": {"_id": {"start": start, **value}, "count": {"$sum": 1}}},
        {"$facet": parts},
    ]


def _index(buckets: Buckets) -> dict[str, int]:
    fields = ("chain", *([buckets.by] if buckets.by else []), "timestamp", "seq")
    return dict.fromkeys(fields, 1)
