"""Events of a tree in order of seq, a batch at a time: a range of seqs, or those of a time window."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from bson import DatetimeMS, Int64
from pymongo import ASCENDING

from eventlog.formats.bundle import TimeRange
from eventlog.formats.event import Event
from eventlog.store.errors import mapped
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.tree import TreeView
from eventlog.stored import codec

_BATCH = 500
_SCATTERED = 8
"""A window with fewer than one in so many of the events around it is not read by a scan over all of them."""
_BY_SEQ = [("chain", ASCENDING), ("seq", ASCENDING)]
_BY_TIME = [("chain", ASCENDING), ("timestamp", ASCENDING), ("seq", ASCENDING)]


class Span(NamedTuple):
    """Where the events of a selection are, low <= seq < high. ``scattered``: most of those in between are others."""

    low: int
    high: int
    scattered: bool = False


def span_of(log: MongoStore, view: TreeView, window: TimeRange, size: int) -> Span:
    """Where the events of a time window are, below ``size``; from the window's index alone.

    Raises:
        StoreUnavailableError
    """
    group: dict[str, Any] = {"_id": None, "low": {"$min": "$seq"}, "high": {"$max": "$seq"}, "count": {"$sum": 1}}
    stages: list[dict[str, Any]] = [{"$match": _in_window(view, window, 0, size)}, {"$group": group}]
    with mapped():
        found = list(operations_of(log).events.aggregate(stages, session=view.session, hint=dict(_BY_TIME)))
    seqs = [int(found[0][name]) for name in ("low", "high")] if found else []
    count = found[0]["count"] if found else 0
    scattered = bool(found) and seqs[1] - seqs[0] > _SCATTERED * count
    seqs += [event.seq for event in view.pending if event.seq < size and window.has(event)]
    return Span(min(seqs), max(seqs) + 1, scattered) if seqs else Span(0, 0)


def batches(log: MongoStore, view: TreeView, span: Span, window: TimeRange | None) -> Iterator[list[Event]]:
    """The events of a span, of a window those that are in it.

    Raises:
        CorruptionError, StoreUnavailableError
    """
    if span.low < min(span.high, view.image.settled.size):
        with mapped():
            if window is not None and span.scattered:
                yield from _one_by_one(log, view, span, window)
            else:
                yield from _scan(log, view, _in_window(view, window, span.low, span.high))
    waiting = [event for event in view.pending if span.low <= event.seq < span.high]
    yield [event for event in waiting if window is None or window.has(event)]


def _scan(log: MongoStore, view: TreeView, wanted: dict[str, Any]) -> Iterator[list[Event]]:
    found: Iterator[Any] = operations_of(log).events.find_raw_batches(
        wanted, session=view.session, sort=[("seq", ASCENDING)], hint=_BY_SEQ, batch_size=_BATCH
    )
    return map(codec.decode_events, found)


def _one_by_one(log: MongoStore, view: TreeView, span: Span, window: TimeRange) -> Iterator[list[Event]]:
    """MongoDB sorts the window's seqs, which its index has, and only the events at these are read."""
    stages: list[dict[str, Any]] = [
        {"$match": _in_window(view, window, span.low, span.high)},
        {"$project": {"_id": 0, "seq": 1}},
        {"$sort": {"seq": 1}},
    ]
    hint = dict(_BY_TIME)
    events = operations_of(log).events
    places = events.aggregate(stages, session=view.session, hint=hint, allowDiskUse=True, batchSize=_BATCH)
    seqs = (found["seq"] for found in places)
    while some := list(islice(seqs, _BATCH)):
        yield from _scan(log, view, {"chain": view.image.chain, "seq": {"$in": some}})


def _in_window(view: TreeView, window: TimeRange | None, low: int, high: int) -> dict[str, Any]:
    """What is settled of low <= seq < high, and of the window if there is one."""
    seqs = {"$gte": Int64(low), "$lt": Int64(min(high, view.image.settled.size))}
    wanted: dict[str, Any] = {"chain": view.image.chain, "seq": seqs}
    if window is not None:
        wanted["timestamp"] = {"$gte": DatetimeMS(window.start_time or 0)}
        if window.end_time is not None:
            wanted["timestamp"]["$lt"] = DatetimeMS(window.end_time)
    return wanted
