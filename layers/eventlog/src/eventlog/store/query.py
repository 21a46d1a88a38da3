"""Pages of settled events by keyset, each read straight from one index in order.

The rest of a page after (t, s) is two ranges, {timestamp: t, seq > s} and {timestamp > t}: each has exact index
bounds, while one filter with ``$or`` would examine every event of a busy millisecond again.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from bson import DatetimeMS, Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession

from eventlog.formats.event import Event
from eventlog.store import codec
from eventlog.store.interface import Page, Query
from eventlog.store.operations import Operations

PAGE_BYTES = 4 << 20
"""A page ends early once its documents have this many bytes."""

_MERGED_SCANS = 200
"""MongoDB merges at most this many index scans in order (internalQueryMaxScansToExplode); beyond, we merge."""

Filter = dict[str, Any]


def read_page(operations: Operations, query: Query) -> Page:
    """See ``EventStore.page``."""
    with operations.session() as session:
        sequence = operations.sequences.find_one({"_id": query.chain}, {"settled.size": 1}, session=session)
        settled = int(sequence["settled"]["size"]) if sequence else 0
        size = settled if query.size is None else min(query.size, settled)
        found = _read(operations, query, size, session)
        events: list[Event] = []
        taken = 0
        for raw in islice(found, query.limit):
            events.append(codec.decode_event(raw))
            taken += len(raw)
            if taken >= PAGE_BYTES:
                break
        more = next(found, None) is not None
    return Page(events, more, size)


def plans(query: Query, size: int) -> list[list[Filter]]:
    """The filters to run: steps one after the other, the filters of one step merged in order."""
    if query.sort == "seq":
        low = query.from_seq or 0
        high = size if query.to_seq is None else min(size, query.to_seq)
        if query.after:
            low, high = _seq_rest(query, low, high)
        return [[{"chain": query.chain, "seq": {"$gte": Int64(low), "$lt": Int64(high)}}]]
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


def _read(operations: Operations, query: Query, size: int, session: ClientSession) -> Iterator[bytes]:
    def run(condition: Filter) -> Iterator[RawBSONDocument]:
        order = sort_of(query, condition)
        cursor = operations.raw_events.find(condition, session=session, sort=order, hint=index_of(query))
        yield from cursor.limit(query.limit + 1)

    for step in plans(query, size):
        streams = [run(condition) for condition in step]
        merged = heapq.merge(*streams, key=_key(query), reverse=query.order == "desc")
        yield from (bytes(found.raw) for found in merged)


def _key(query: Query) -> Callable[[RawBSONDocument], tuple[int, int]]:
    if query.sort == "seq":
        return lambda found: (0, int(found["seq"]))
    return lambda found: (int(found["timestamp"]), int(found["seq"]))


def _seq_rest(query: Query, low: int, high: int) -> tuple[int, int]:
    assert query.after is not None
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
