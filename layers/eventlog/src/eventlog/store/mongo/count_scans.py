"""Counts the events of a long chain without looking at them: each bucket of each value is a stretch of an index.

MongoDB counts a stretch by a COUNT_SCAN, several times as fast as it reads and groups the same keys. No stretch has a
bound on ``seq``, so events that are being settled, which are still pending, are in it; they are subtracted. That is
exact, as all of it is read as of one moment, from one snapshot.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, product
from typing import Any

from bson import DatetimeMS, Int64
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, OperationFailure

from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import TooManyNamesError
from eventlog.store.interface.counts import Buckets
from eventlog.store.mongo.names import Values, values_of
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.snapshots import NO_SNAPSHOT, Snapshot, TooManyRowsError, read_snapshot
from eventlog.stored.sequences import SequenceImage

MAX_STRETCHES = 1000
"""Stretches that one answer counts, each some 0.2 ms besides its keys; where there are more, MongoDB groups. A pipeline
has 1000 stages at most (``internalPipelineLengthLimit``), and each of two has half of them."""
_EVERY = NameFilter(prefixes=("",))

_Stretch = tuple[str | None, int, dict[str, Any]]
"""A value, the start of a bucket, and the filter of what is counted for the two."""
SettledCounts = Mapping[str | None, Counter[int]]
"""Settled events by value and start of their bucket; without values, None has all."""


def scanned(
    operations: Operations, buckets: Buckets, size: int, millis: int, session: ClientSession
) -> tuple[SequenceImage, SettledCounts] | None:
    """Count a chain's settled events; return what the chain was then, too.

    None: there are too many stretches, or no snapshot can be read that has ``size`` events: after a failover a majority
    may be known to have fewer than an earlier read showed. ``millis``: what each command may take.

    Raises:
        ExecutionTimeout: it takes longer.
    """
    try:
        snapshot = read_snapshot(operations, buckets.chain, session)
        if snapshot is None or snapshot.image.size < size:
            return None
        values = _values(operations, buckets, session)  # of the snapshot, and of what came after it
        stretches = list(_stretches(buckets, values))
        if len(stretches) > MAX_STRETCHES:
            return None
        found: dict[str | None, Counter[int]] = {}
        for row in _counted(snapshot, operations.events.name, stretches, millis):
            found.setdefault(row["value"], Counter())[row["start"]] += row["count"]
        for value, start in _pending_too(snapshot, operations.events.name, buckets, values):
            found[value][start] -= 1
    except (TooManyNamesError, TooManyRowsError, AutoReconnect):  # rows: many were planted behind what is settled
        return None
    except OperationFailure as error:
        if error.code not in NO_SNAPSHOT:
            raise
        return None
    return snapshot.image, {value: +counts for value, counts in found.items() if counts.total()}


def filters_of(buckets: Buckets) -> dict[str, NameFilter]:
    """Return what is asked of each field."""
    return {"event_type": buckets.event_types, "source_id": buckets.source_ids}


def _values(operations: Operations, buckets: Buckets, session: ClientSession) -> Values:
    """Find the values to count: those that are asked for, and all of the field that has series."""
    wanted = filters_of(buckets)
    if buckets.by:
        wanted[buckets.by] = wanted[buckets.by] or _EVERY
    return values_of(operations, buckets.chain, wanted, _times(buckets.start, buckets.end), session)


def _stretches(buckets: Buckets, values: Values) -> Iterator[_Stretch]:
    """Give each stretch with its value and its bucket."""
    for chosen in product(*values.values()):
        names = dict(zip(values, chosen, strict=True))
        value = names[buckets.by] if buckets.by else None
        for start in buckets.starts:
            times = _times(max(start, buckets.start), min(start + buckets.width, buckets.end))
            yield value, start, {"chain": buckets.chain, **names, "timestamp": times}


def _counted(snapshot: Snapshot, events: str, stretches: Sequence[_Stretch], millis: int) -> Iterator[dict[str, Any]]:
    """Count stretches by two commands at once, and give a row for each that has events."""
    # Every other stretch each, so that both have much the same to do.
    halves = [half for half in (stretches[::2], stretches[1::2]) if half]
    commands = [{"aggregate": events, "pipeline": _union(events, half), "maxTimeMS": millis} for half in halves]
    with ThreadPoolExecutor(2) as threads:
        return chain.from_iterable(list(threads.map(snapshot.rows, commands)))


def _union(events: str, stretches: Sequence[_Stretch]) -> list[dict[str, Any]]:
    """Build one pipeline that counts them all."""
    first, *others = (_count(*stretch) for stretch in stretches)
    return first + [{"$unionWith": {"coll": events, "pipeline": other}} for other in others]


def _count(value: str | None, start: int, match: dict[str, Any]) -> list[dict[str, Any]]:
    """Build the stages that count one stretch; MongoDB takes the one index in which it is a stretch."""
    return [{"$match": match}, {"$count": "count"}, {"$set": {"value": {"$literal": value}, "start": Int64(start)}}]


def _pending_too(snapshot: Snapshot, events: str, buckets: Buckets, values: Values) -> Iterator[tuple[str | None, int]]:
    """Give value and bucket of each counted event that is pending still: a block at most, as a rule none."""
    names: dict[str, Any] = {field: {"$in": list(found)} for field, found in values.items()}
    times = _times(buckets.start, buckets.end)
    places = {"$gte": Int64(snapshot.image.settled.size)}
    match = {"chain": buckets.chain, "seq": places, "timestamp": times, **names}
    fields = {"_id": 0, "timestamp": 1} | ({buckets.by: 1} if buckets.by else {})
    find = {"find": events, "filter": match, "projection": fields, "hint": {"chain": 1, "seq": 1}}
    for row in snapshot.rows(find):
        millis = int(row["timestamp"])
        yield row[buckets.by] if buckets.by else None, millis - millis % buckets.width


def _times(start: int, end: int) -> dict[str, Any]:
    return {"$gte": DatetimeMS(start), "$lt": DatetimeMS(end)}
