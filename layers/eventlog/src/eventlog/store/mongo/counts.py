"""Counts events by time, type or source: from an index alone, and at most ``MAX_COUNTED`` of its keys."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bson import DatetimeMS, Int64
from pymongo.client_session import ClientSession
from pymongo.errors import ExecutionTimeout

from eventlog.formats.event import Entry
from eventlog.store.errors import TooManyEventsError
from eventlog.store.interface.counts import NOTHING, Buckets, Counts
from eventlog.store.mongo.count_scans import filters_of, scanned
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.names import values_of
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.search_index import BY_KEY, has_keys, indexed_version, needed_index, with_keys
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.walked import walked_of
from eventlog.stored.sequences import SequenceImage

MAX_COUNTED = 1_000_000
"""How many keys of an index one answer examines; MongoDB 6.0.5 reads and groups 1.3 million of them a second."""

MANY = 50_000
"""Events from which on they are counted by ``count_scans``: grouping fewer takes 0.1 s at most, in one command."""

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
            if (counts := self._scanned(buckets, image, session)) is not None:
                return counts
            # Settled events are counted by MongoDB, up to the settled size of this very image; pending ones here.
            pending = [event.entry for event in image.events() if _fits(buckets, event.entry)]
            values = {getattr(entry, buckets.by) for entry in pending} if buckets.by else set()
            found: dict[str, Any] = {"all": []}
            indexed = indexed_version(self._operations, image, session) if buckets.keys else None
            if image.settled.size:
                match = _match(self._operations, buckets, image.settled.size, session)
                limits = self._limits(match, buckets, image.settled.size)
                pipeline = [{"$match": match}, *limits, *_groups(buckets, most, values)]
                found = _aggregate(self._operations, pipeline, buckets, session)
        return replace(_sum(found, pending, buckets), indexed_version=indexed)

    def _scanned(self, buckets: Buckets, before: SequenceImage, session: ClientSession) -> Counts | None:
        """Count so many events that it is worth while without looking at them; None: let MongoDB group them.

        Raises:
            TooManyEventsError: more fit than may be counted.
        """
        # An index of keys has no types and no sources. A router asks all shards, for each stretch.
        settled = before.settled.size
        if settled <= MANY or buckets.keys or self._operations.routed:
            return None
        most = MANY if settled <= MAX_COUNTED else MAX_COUNTED
        index = _index(replace(buckets, by=None))
        fitting = _count(self._operations, _fitting(self._operations, buckets, session), index, most + 1)
        if fitting > MAX_COUNTED:
            raise _too_many()
        if fitting <= MANY:
            return None
        try:
            read = scanned(self._operations, buckets, before.size, round(1000 * MAX_SECONDS), session)
        except ExecutionTimeout as error:
            raise _too_slow() from error
        if read is None:
            return None
        image, found = read
        by_value = {value: each for value, each in found.items() if value is not None}
        counts = Counts(sum(found.values(), Counter()), by_value)
        return _with_pending(counts, [event.entry for event in image.events() if _fits(buckets, event.entry)], buckets)

    def _limits(self, match: dict[str, Any], buckets: Buckets, settled: int) -> list[dict[str, Any]]:
        """Return the stages that bound what is counted.

        Raises:
            TooManyEventsError: through a router, where no stage does it, more fit than may be counted.
        """
        # No chain of so few events needs a bound. In longer ones the group reads one key more than allowed, so that too
        # many can be told. A router does what comes after a limit itself, and has every key sent to it: there a count
        # with a limit says it before, which each shard makes alone, and then each shard groups its own events.
        if settled <= MAX_COUNTED:
            return []
        if not self._operations.routed:
            return [{"$limit": MAX_COUNTED + 1}]
        if _count(self._operations, match, _index(buckets), MAX_COUNTED + 1) > MAX_COUNTED:
            raise _too_many()
        return []


def _fits(buckets: Buckets, entry: Entry) -> bool:
    return (
        buckets.start <= entry.timestamp < buckets.end
        and buckets.event_types.fits(entry.event_type)
        and buckets.source_ids.fits(entry.source_id)
        and has_keys(entry, buckets.keys)
    )


def _match(operations: Operations, buckets: Buckets, settled: int, session: ClientSession) -> dict[str, Any]:
    """Build the filter of the settled events to count, each field of which an index has."""
    return _fitting(operations, buckets, session) | {"seq": {"$lt": Int64(settled)}}


def _fitting(operations: Operations, buckets: Buckets, session: ClientSession) -> dict[str, Any]:
    """Build the filter of the events to count; some that it finds may not be settled yet."""
    times = {"$gte": DatetimeMS(buckets.start), "$lt": DatetimeMS(buckets.end)}
    values = values_of(operations, buckets.chain, filters_of(buckets), times, session)
    names: dict[str, Any] = {field: {"$in": list(found)} for field, found in values.items()}
    if buckets.keys:
        walked = walked_of(operations, {"chain": buckets.chain, "timestamp": times}, buckets.keys, {}, session)
        names |= with_keys(buckets.keys, walked)
    return {"chain": buckets.chain, **names, "timestamp": times}


def _sum(found: dict[str, Any], pending: Sequence[Entry], buckets: Buckets) -> Counts:
    """Put what MongoDB counted and what is pending together."""
    counts = Counts(Counter({row["_id"]: row["count"] for row in found["all"]}), {})
    # A value may be in both parts, with the same counts: those of all settled events that have it.
    for row in (row for part in ("most", "pending") for row in found.get(part, ())):
        counts.by_value[row["_id"]] = Counter({each["start"]: each["count"] for each in row["counts"]})
    return _with_pending(counts, pending, buckets)


def _with_pending(counts: Counts, pending: Sequence[Entry], buckets: Buckets) -> Counts:
    # MongoDB has not seen the pending events. Their values were counted by it in any case, so these sums are whole.
    for entry in pending:
        start = entry.timestamp - entry.timestamp % buckets.width
        counts.all[start] += 1
        if buckets.by:
            counts.by_value.setdefault(getattr(entry, buckets.by), Counter())[start] += 1
    if counts.all.total() > MAX_COUNTED:
        raise _too_many()
    return counts


def _too_many() -> TooManyEventsError:
    return TooManyEventsError(f"more than {MAX_COUNTED} events are in this range")


def _too_slow() -> TooManyEventsError:
    return TooManyEventsError(f"counting the events of this range takes more than {MAX_SECONDS:g} seconds")


def _count(operations: Operations, match: dict[str, Any], index: dict[str, int], most: int) -> int:
    """Count what fits, up to so many."""
    command: dict[str, Any] = {"count": operations.events.name, "query": match, "hint": index, "limit": most}
    limits = {"maxTimeMS": round(1000 * MAX_SECONDS), "readConcern": {"level": "majority"}}
    try:
        return int(operations.events.database.command(command | limits)["n"])
    except ExecutionTimeout as error:
        raise _too_slow() from error


def _aggregate(
    operations: Operations, pipeline: list[dict[str, Any]], buckets: Buckets, session: ClientSession
) -> dict[str, Any]:
    limits: dict[str, Any] = {"allowDiskUse": True, "maxTimeMS": round(1000 * MAX_SECONDS)}
    try:
        with needed_index():
            (found,) = operations.events.aggregate(pipeline, session=session, hint=_index(buckets), **limits)
    except ExecutionTimeout as error:
        raise _too_slow() from error
    return found


def _groups(buckets: Buckets, most: int, values: set[str]) -> list[dict[str, Any]]:
    """Build the stages that group the events to count.

    MongoDB picks the most frequent values, as there may be as many values as events. ``values`` are counted in any
    case: pending events have them, and may make them most frequent ones.
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
    return [{"$group": {"_id": {"start": start, **value}, "count": {"$sum": 1}}}, {"$facet": parts}]


def _index(buckets: Buckets) -> dict[str, int]:
    """Return the index that has every field that is asked for, so that no event is read; for keys, theirs."""
    if buckets.keys:
        return dict(BY_KEY.keys)
    named = [field for field, names in filters_of(buckets).items() if names or field == buckets.by]
    return dict.fromkeys(("chain", *named, "timestamp", "seq"), 1)
