"""Pages of settled events by keyset: one find a page, in order from one index.

The rest of a page after (t, s) is two ranges, {timestamp: t, seq > s} and {timestamp > t}, and several types or sources
are as many ranges each. A filter with ``$or`` at its root gives each range exact index bounds, and MongoDB merges their
scans in order; with anything beside the ``$or`` it would examine every event of a busy millisecond again.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from bson import DatetimeMS, Int64
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession

from eventlog.formats.event import Event
from eventlog.store import codec
from eventlog.store.interface import Page, Query
from eventlog.store.operations import Operations

PAGE_BYTES = 4 << 20
"""A page ends early once its documents have this many bytes."""

_MERGED_SCANS = 200
"""MongoDB makes at most so many ordered scans of an ``$in`` (internalQueryMaxScansToExplode); of an ``$or``, as many as
it has."""

Filter = dict[str, Any]


def read_page(operations: Operations, query: Query) -> Page:
    """See ``EventStore.page``."""
    with operations.session() as session:
        sequence = operations.sequences.find_one({"_id": query.chain}, {"settled.size": 1}, session=session)
        settled = int(sequence["settled"]["size"]) if sequence else 0
        size = settled if query.size is None else min(query.size, settled)
        events: list[Event] = []
        taken = 0
        for batch in _read(operations, query, size, session):
            for event, length in zip(codec.decode_events(batch), codec.sizes(batch), strict=True):
                if len(events) == query.limit or taken >= PAGE_BYTES:
                    return Page(events, True, size)
                events.append(event)
                taken += length
    return Page(events, False, size)


def filter_of(query: Query, size: int) -> Filter:
    """What is in the page and after it: by ``$in`` where MongoDB takes it apart itself (faster), else by ``$or``."""
    if query.sort == "seq":
        low = query.from_seq or 0
        high = size if query.to_seq is None else min(size, query.to_seq)
        if query.after:
            low, high = _seq_rest(query, low, high)
        return {"chain": query.chain, "seq": {"$gte": Int64(low), "$lt": Int64(high)}}
    times = _time_ranges(query, size)
    wanted = {"event_type": query.event_types, "source_id": query.source_ids}
    values = {name: given for name, given in wanted.items() if given}
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    if len(times) == 1 and len(combinations) <= _MERGED_SCANS:
        return {"chain": query.chain, **{name: {"$in": list(given)} for name, given in values.items()}, **times[0]}
    return {"$or": [{"chain": query.chain, **chosen, **time} for chosen in combinations for time in times]}


def index_of(query: Query) -> list[tuple[str, int]]:
    """The index that yields the query's order from its equalities."""
    if query.sort == "seq":
        return [("chain", ASCENDING), ("seq", ASCENDING)]
    names = ["chain"]
    names += ["event_type"] if query.event_types else []
    names += ["source_id"] if query.source_ids else []
    return [(name, ASCENDING) for name in [*names, "timestamp", "seq"]]


def _read(operations: Operations, query: Query, size: int, session: ClientSession) -> Iterator[bytes]:
    direction = ASCENDING if query.order == "asc" else DESCENDING
    order = [(name, direction) for name in (("seq",) if query.sort == "seq" else ("timestamp", "seq"))]
    condition = filter_of(query, size)
    batches: Iterator[Any] = operations.events.find_raw_batches(
        condition, session=session, sort=order, hint=index_of(query), limit=query.limit + 1
    )
    return batches


def _seq_rest(query: Query, low: int, high: int) -> tuple[int, int]:
    assert query.after is not None
    return (query.after.seq + 1, high) if query.order == "asc" else (low, min(high, query.after.seq))


def _time_ranges(query: Query, size: int) -> list[Filter]:
    """The time and seq bounds: what is left of the cursor's millisecond, and what comes after it."""
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
