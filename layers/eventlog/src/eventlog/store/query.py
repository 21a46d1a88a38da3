"""Pages of events by keyset: what is settled straight from one index in order, what is pending merged in.

The rest of a page after (t, s) is two ranges, {timestamp: t, seq > s} and {timestamp > t}: each has exact index
bounds, while one filter with ``$or`` would examine every event of a busy millisecond again.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from bson import DatetimeMS, Int64
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession

from eventlog.formats.event import Event
from eventlog.store import codec
from eventlog.store.interface import Page, Query, SequenceImage
from eventlog.store.operations import Operations

PAGE_BYTES = 4 << 20
"""A page ends early once its documents have this many bytes."""

_MERGED_SCANS = 200
"""MongoDB merges at most this many index scans in order (internalQueryMaxScansToExplode); beyond, we merge."""

_MAX_SEQ = 2**63 - 1

Filter = dict[str, Any]
Found = tuple[Event, int]
"""An event and how many bytes it takes."""


def read_page(operations: Operations, query: Query) -> Page:
    """See ``EventStore.page``."""
    with operations.session() as session:
        image = operations.read_sequence(query.chain, session)
        if image is None:
            return Page([], more=False, size=0, settled_size=0)
        size = image.size if query.size is None else min(query.size, image.size)
        settled = _read(operations, query, min(size, image.settled.size), session)
        pending = _pending(query, image, size)
        found = heapq.merge(settled, pending, key=_key(query), reverse=_descends(query)) if pending else settled
        events: list[Event] = []
        taken = 0
        for event, length in islice(found, query.limit):
            events.append(event)
            taken += length
            if taken >= PAGE_BYTES:
                break
        more = next(found, None) is not None
    return Page(events, more, size, image.settled.size)


def plans(query: Query, size: int) -> list[list[Filter]]:
    """The filters to run: steps one after the other, the filters of one step merged in order."""
    if query.sort == "seq":
        low, high = _seq_bounds(query)
        return [[{"chain": query.chain, "seq": {"$gte": Int64(low), "$lt": Int64(min(high, size))}}]]
    return [[{**base, **time} for base in _splits(query)] for time in _time_steps(query, size)]


def index_of(query: Query) -> list[tuple[str, int]]:
    """The index that yields the query's order from its equalities."""
    if query.sort == "seq":
        return [("chain", ASCENDING), ("seq", ASCENDING)]
    names = ["chain"]
    names += ["event_type"] if query.event_types else []
    names += ["source_id"] if query.source_ids else []
    return [(name, ASCENDING) for name in [*names, "timestamp", "seq"]]


def sort_of(query: Query, condition: Filter) -> list[tuple[str, int]]:
    """The order as MongoDB takes it: within one millisecond by seq alone, or it would sort all that ``$in`` finds."""
    direction = ASCENDING if query.order == "asc" else DESCENDING
    in_one_place = query.sort == "seq" or not isinstance(condition["timestamp"], dict)
    return [("seq", direction)] if in_one_place else [("timestamp", direction), ("seq", direction)]


def _read(operations: Operations, query: Query, size: int, session: ClientSession) -> Iterator[Found]:
    def run(condition: Filter) -> Iterator[Found]:
        order = sort_of(query, condition)
        cursor = operations.raw_events.find(condition, session=session, sort=order, hint=index_of(query))
        for found in cursor.limit(query.limit + 1):
            raw = bytes(found.raw)
            yield codec.decode_event(raw), len(raw)

    for step in plans(query, size):
        streams = [run(condition) for condition in step]
        yield from streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_key(query), reverse=_descends(query))


def _pending(query: Query, image: SequenceImage, size: int) -> list[Found]:
    """The pending events of the page and those after it, in order."""
    found = [(event, len(event.entry.payload)) for event in image.events() if event.seq < size and _fits(query, event)]
    return sorted(found, key=_key(query), reverse=_descends(query))


def _fits(query: Query, event: Event) -> bool:
    """Whether an event is one that the query asks for and that comes after the page before."""
    if query.sort == "seq":
        low, high = _seq_bounds(query)
        return low <= event.seq < high
    entry, after = event.entry, query.after
    if after is not None:
        place = (entry.timestamp, event.seq)
        previous = (after.timestamp, after.seq)
        if place == previous or (place > previous) is _descends(query):
            return False
    return (
        (query.start_time or 0) <= entry.timestamp
        and (query.end_time is None or entry.timestamp < query.end_time)
        and (not query.event_types or entry.event_type in query.event_types)
        and (not query.source_ids or entry.source_id in query.source_ids)
    )


def _key(query: Query) -> Callable[[Found], tuple[int, int]]:
    if query.sort == "seq":
        return lambda found: (0, found[0].seq)
    return lambda found: (found[0].entry.timestamp, found[0].seq)


def _descends(query: Query) -> bool:
    return query.order == "desc"


def _seq_bounds(query: Query) -> tuple[int, int]:
    """[low, high) of what is left of a query by seq."""
    low, high = query.from_seq or 0, _MAX_SEQ if query.to_seq is None else query.to_seq
    if query.after is None:
        return low, high
    return (query.after.seq + 1, high) if query.order == "asc" else (low, min(high, query.after.seq))


def _time_steps(query: Query, size: int) -> list[Filter]:
    """The time and seq bounds, one or two steps."""
    start = DatetimeMS(query.start_time or 0)
    times: Filter = {"$gte": start}
    if query.end_time is not None:
        times["$lt"] = DatetimeMS(query.end_time)
    settled = {"$lt": Int64(size)}
    if query.after is None:
        return [{"timestamp": times, "seq": settled}]
    at = DatetimeMS(query.after.timestamp)
    if query.order == "asc":
        return [
            {"timestamp": at, "seq": {"$gt": Int64(query.after.seq), **settled}},
            {"timestamp": {**times, "$gt": at}, "seq": settled},
        ]
    return [
        {"timestamp": at, "seq": {"$lt": Int64(min(size, query.after.seq))}},
        {"timestamp": {"$gte": start, "$lt": at}, "seq": settled},
    ]


def _splits(query: Query) -> list[Filter]:
    """The equalities, split so that no filter needs more index scans than MongoDB merges."""
    base: Filter = {"chain": query.chain}
    if query.source_ids:
        base["source_id"] = _any_of(query.source_ids)
    if not query.event_types:
        return [base]
    step = max(1, _MERGED_SCANS // max(1, len(query.source_ids)))
    types = query.event_types
    return [{**base, "event_type": _any_of(types[i : i + step])} for i in range(0, len(types), step)]


def _any_of(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else {"$in": list(values)}
