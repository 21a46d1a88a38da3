"""Counts events by time, type or source: from an index alone, and at most ``MAX_COUNTED`` of its keys."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bson import DatetimeMS, Int64
from pymongo.client_session import ClientSession
from pymongo.errors import ExecutionTimeout

from eventlog.formats.event import Entry
from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import TooManyEventsError
from eventlog.store.interface.counts import NOTHING, Buckets, Counts
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.names import values_of
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.search_index import BY_KEY, has_keys, indexed_version, needed_index, with_keys
from eventlog.store.mongo.store import MongoStore, operations_of

MAX_COUNTED = 1_000_000
"""How many keys of an index one answer examines; MongoDB 6.0.5 reads and groups 1.3 million of them a second."""

MAX_SECONDS = 10.0
"""What counting may take: with a million different values it is much slower, and the function has 25 s in all."""


class EventCounter:
    """``EventCounts`` on MongoDB."""

    def __init__(self, log: MongoStore) -> None:
        self._operations = operations_of(log)

    def count(self, buckets: Buckets, most: int) -> Counts:
        """See ``EventCounts.count``; MongoDB counts what is settled, this process what is pending."""
        with mapped(), self._operations.session() as session:
            with answered(self._operations.client):
                image = self._operations.read_sequence(buckets.chain, session)
            if image is None:
                return NOTHING
            # Settled events are counted by MongoDB, up to the settled size of this very image; pending ones here.
            pending = [event.entry for event in image.events() if _fits(buckets, event.entry)]
            values = {getattr(entry, buckets.by) for entry in pending} if buckets.by else set()
            found: dict[str, Any] = {"all": []}
            indexed = indexed_version(self._operations, image, session) if buckets.keys else None
            if image.settled.size:
                match = _match(self._operations, buckets, image.settled.size, session)
                pipeline = _pipeline(buckets, match, most, values)
                found = _aggregate(self._operations, pipeline, buckets, session)
        return replace(_sum(found, pending, buckets), indexed_version=indexed)


def _fits(buckets: Buckets, entry: Entry) -> bool:
    return (
        buckets.start <= entry.timestamp < buckets.end
        and buckets.event_types.fits(entry.event_type)
        and buckets.source_ids.fits(entry.source_id)
        and has_keys(entry, buckets.keys)
    )


def _match(operations: Operations, buckets: Buckets, settled: int, session: ClientSession) -> dict[str, Any]:
    """Build the filter of the settled events to count, each field of which an index has."""
    times = {"$gte": DatetimeMS(buckets.start), "$lt": DatetimeMS(buckets.end)}
    values = values_of(operations, buckets.chain, _filters(buckets), times, session)
    names: dict[str, Any] = {field: {"$in": list(found)} for field, found in values.items()}
    names |= with_keys(buckets.keys)
    return {"chain": buckets.chain, **names, "timestamp": times, "seq": {"$lt": Int64(settled)}}


def _filters(buckets: Buckets) -> dict[str, NameFilter]:
    return {"event_type": buckets.event_types, "source_id": buckets.source_ids}


def _sum(found: dict[str, Any], pending: Sequence[Entry], buckets: Buckets) -> Counts:
    """Put what MongoDB counted and what is pending together."""
    counts = Counts(Counter({row["_id"]: row["count"] for row in found["all"]}), {})
    # A value may be in both parts, with the same counts: those of all settled events that have it.
    for row in (row for part in ("most", "pending") for row in found.get(part, ())):
        counts.by_value[row["_id"]] = Counter({each["start"]: each["count"] for each in row["counts"]})
    # MongoDB has not seen the pending events. Their values were counted by it in any case, so these sums are whole.
    for entry in pending:
        start = entry.timestamp - entry.timestamp % buckets.width
        counts.all[start] += 1
        if buckets.by:
            counts.by_value.setdefault(getattr(entry, buckets.by), Counter())[start] += 1
    if counts.all.total() > MAX_COUNTED:
        raise TooManyEventsError(f"more than {MAX_COUNTED} events are in this range")
    return counts


def _aggregate(
    operations: Operations, pipeline: list[dict[str, Any]], buckets: Buckets, session: ClientSession
) -> dict[str, Any]:
    limits: dict[str, Any] = {"allowDiskUse": True, "maxTimeMS": round(1000 * MAX_SECONDS)}
    try:
        with needed_index():
            (found,) = operations.events.aggregate(pipeline, session=session, hint=_index(buckets), **limits)
    except ExecutionTimeout as error:
        raise TooManyEventsError(
            f"counting the events of this range takes more than {MAX_SECONDS:g} seconds"
        ) from error
    return found


def _pipeline(buckets: Buckets, match: dict[str, Any], most: int, values: set[str]) -> list[dict[str, Any]]:
    """Build the pipeline that counts the settled events, those of ``match``.

    It counts one key more than allowed, so that too many can be told. MongoDB picks the most frequent values, as there
    may be as many values as events. ``values`` are counted in any case: pending events have them, and may make them
    most frequent ones.
    """
    millis = {"$toLong": "$timestamp"}
    start = {"$subtract": [millis, {"$mod": [millis, Int64(buckets.width)]}]}
    value = {"value": f"${buckets.by}"} if buckets.by else {}
    total = {"$sum": "$count"}
    # One pass over the index counts by bucket and value; what follows only adds up these rows, in up to three ways.
    parts: dict[str, Any] = {"all": [{"$group": {"_id": "$_id.start", "count": total}}]}
    if buckets.by:
        rows = {"$push": {"start": "$_id.start", "count": "$count"}}
        each = {"$group": {"_id": "$_id.value", "total": total, "counts": rows}}
        parts["most"] = [each, {"$sort": {"total": -1, "_id": 1}}, {"$limit": most}]
        parts["pending"] = [{"$match": {"_id.value": {"$in": sorted(values)}}}, each]
    return [
        {"$match": match},
        {"$limit": MAX_COUNTED + 1},
        {"$group": {"_id": {"start": start, **value}, "count": {"$sum": 1}}},
        {"$facet": parts},
    ]


def _index(buckets: Buckets) -> dict[str, int]:
    """Return the index that has every field that is asked for, so that no event is read; for keys, theirs."""
    if buckets.keys:
        return dict(BY_KEY.keys)
    named = [field for field, names in _filters(buckets).items() if names or field == buckets.by]
    return dict.fromkeys(("chain", *named, "timestamp", "seq"), 1)
