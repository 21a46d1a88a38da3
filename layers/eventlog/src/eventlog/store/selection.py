"""Events of a tree in order of seq, a batch at a time: a range of seqs, or those of a time window."""

from collections.abc import Iterator
from typing import Any

from bson import DatetimeMS, Int64
from pymongo import ASCENDING

from eventlog.formats.bundle import TimeRange
from eventlog.formats.event import Event
from eventlog.store import codec
from eventlog.store.errors import mapped
from eventlog.store.operations import Operations
from eventlog.store.tree import TreeView

_BATCH = 500
_BY_SEQ = [("chain", ASCENDING), ("seq", ASCENDING)]
_BY_TIME = [("chain", ASCENDING), ("timestamp", ASCENDING), ("seq", ASCENDING)]


def bounds(operations: Operations, view: TreeView, window: TimeRange, size: int) -> tuple[int, int]:
    """[low, high) around the seqs below ``size`` of the events in a time window, from its index alone; (0, 0) if there
    are none.

    Raises:
        StoreUnavailableError
    """
    settled = min(size, view.image.settled.size)
    match = {"chain": view.image.chain, "timestamp": _times(window), "seq": {"$lt": Int64(settled)}}
    group: dict[str, Any] = {"_id": None, "low": {"$min": "$seq"}, "high": {"$max": "$seq"}}
    stages: list[dict[str, Any]] = [{"$match": match}, {"$group": group}]
    with mapped():
        found = list(operations.events.aggregate(stages, session=view.session, hint=dict(_BY_TIME)))
    seqs = [int(found[0][name]) for name in ("low", "high")] if found else []
    seqs += [event.seq for event in view.pending if event.seq < size and window.has(event)]
    return (min(seqs), max(seqs) + 1) if seqs else (0, 0)


def batches(
    operations: Operations, view: TreeView, low: int, high: int, window: TimeRange | None
) -> Iterator[list[Event]]:
    """The events with low <= seq < high, of a window those that are in it.

    Raises:
        CorruptionError, StoreUnavailableError
    """
    settled = min(high, view.image.settled.size)
    wanted: dict[str, Any] = {"chain": view.image.chain, "seq": {"$gte": Int64(low), "$lt": Int64(settled)}}
    if window is not None:
        wanted["timestamp"] = _times(window)
    if low < settled:
        with mapped():
            found: Iterator[Any] = operations.events.find_raw_batches(
                wanted, session=view.session, sort=[("seq", ASCENDING)], hint=_BY_SEQ, batch_size=_BATCH
            )
            yield from map(codec.decode_events, found)
    yield [event for event in view.pending if low <= event.seq < high and (window is None or window.has(event))]


def _times(window: TimeRange) -> dict[str, Any]:
    found = {"$gte": DatetimeMS(window.start_time or 0)}
    return found if window.end_time is None else found | {"$lt": DatetimeMS(window.end_time)}
