"""The find of a page's settled events: one range of an index, or several that MongoDB merges in order.

What comes after (t, s) is two ranges, {timestamp: t, seq > s} and {timestamp > t}, times one for each type and source
that is asked for (of a prefix: each that names.py finds). A filter with ``$or`` at its root gives each range exact
index bounds, and MongoDB merges their scans in order. With anything beside the ``$or`` it would examine every event of
a busy millisecond again.
"""

from itertools import product
from typing import Any

from bson import DatetimeMS, Int64
from pymongo import ASCENDING, DESCENDING

from eventlog.store.interface import Query
from eventlog.store.mongo.names import Values
from eventlog.store.mongo.search_index import BY_KEY, with_keys

_MERGED_SCANS = 200
"""MongoDB makes at most so many ordered scans of an ``$in`` (internalQueryMaxScansToExplode); of an ``$or``, as many as
it has."""

MAX_SEQ = 2**63 - 1

_Filter = dict[str, Any]


def find_of(query: Query, size: int, values: Values, walked: str | None = None) -> dict[str, Any]:
    """Build what a ``find`` of events is given: it finds what is settled of a page, and one event more."""
    direction = ASCENDING if query.order == "asc" else DESCENDING
    return {
        "filter": filter_of(query, size, values, walked),
        "sort": dict.fromkeys(("seq",) if query.sort == "seq" else ("timestamp", "seq"), direction),
        "hint": dict(index_of(query, walked)),
        "limit": query.limit + 1,
    }


def filter_of(query: Query, size: int, values: Values, walked: str | None = None) -> _Filter:
    """Build the filter for what is settled of the page and after it.

    ``size`` is where the page's view of the chain ends; ``walked`` the key whose events are walked.
    """
    if query.sort == "seq":
        low, high = seq_bounds(query)
        return {"chain": query.chain, "seq": {"$gte": Int64(low), "$lt": Int64(min(high, size))}}
    times = _time_ranges(query, size)
    named = {name: {"$in": list(given)} for name, given in values.items()}
    if walked is not None:  # one scan for each range of times: all else is looked at in the events that it finds
        ranges = [{"chain": query.chain, **with_keys(query.keys, walked), **time, **named} for time in times]
        return ranges[0] if len(ranges) == 1 else {"$or": ranges}
    keys = with_keys(query.keys)  # looked at in the events of these types and sources, if those are fewer
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    if (
        len(times) == 1 and len(combinations) <= _MERGED_SCANS
    ):  # MongoDB takes the ``$in`` apart itself, which is faster
        return {"chain": query.chain, **named, **times[0], **keys}
    return {"$or": [{"chain": query.chain, **chosen, **time, **keys} for chosen in combinations for time in times]}


def index_of(query: Query, walked: str | None = None) -> list[tuple[str, int]]:
    """Name the index whose leading fields the query fixes and that then has the query's order."""
    if query.sort == "seq":
        return [("chain", ASCENDING), ("seq", ASCENDING)]
    if walked is not None:
        return BY_KEY.keys
    names = ["chain"]
    names += ["event_type"] if query.event_types else []
    names += ["source_id"] if query.source_ids else []
    return [(name, ASCENDING) for name in [*names, "timestamp", "seq"]]


def seq_bounds(query: Query) -> tuple[int, int]:
    """Return [low, high) of what is left of a query by seq."""
    low, high = query.from_seq or 0, MAX_SEQ if query.to_seq is None else query.to_seq
    if query.after is None:
        return low, high
    return (query.after.seq + 1, high) if query.order == "asc" else (low, min(high, query.after.seq))


def times_of(query: Query) -> _Filter:
    """Build the bounds on the timestamp that the query itself has."""
    until = {} if query.end_time is None else {"$lt": DatetimeMS(query.end_time)}
    return {"$gte": DatetimeMS(query.start_time or 0), **until}


def _time_ranges(query: Query, size: int) -> list[_Filter]:
    """Build the bounds on time and seq: of what is left of the cursor's millisecond, and of what comes after it."""
    times = times_of(query)
    start = times["$gte"]
    settled = {"$lt": Int64(size)}
    # The first page has no cursor. On a later one the rest of the cursor's millisecond is cut by seq, all else by time:
    # two ranges, each of which an index can scan in order.
    if query.after is None:
        return [{"timestamp": times, "seq": settled}]
    place, asc = query.after.timestamp, query.order == "asc"
    beyond = {"$gt": Int64(query.after.seq), **settled} if asc else {"$lt": Int64(min(size, query.after.seq))}
    if asc:
        rest: _Filter = {**times, "$gt": DatetimeMS(place)}
    else:
        rest = {"$gte": start, "$lt": DatetimeMS(place if query.end_time is None else min(place, query.end_time))}
    # A cursor may have been made by hand: its millisecond counts only if the query asks for it.
    inside = (query.start_time or 0) <= place and (query.end_time is None or place < query.end_time)
    here: list[_Filter] = [{"timestamp": DatetimeMS(place), "seq": beyond}] if inside else []
    return [*here, {"timestamp": rest, "seq": settled}]
