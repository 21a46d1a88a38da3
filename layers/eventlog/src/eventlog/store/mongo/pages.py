"""Pages of events by keyset: settled ones by one find, in order from one index; pending ones are merged in.

What comes after (t, s) is two ranges, {timestamp: t, seq > s} and {timestamp > t}, times one for each type and source
that is asked for (of a prefix: each that names.py finds). A filter with ``$or`` at its root gives each range exact
index bounds, and MongoDB merges their scans in order. With anything beside the ``$or`` it would examine every event of
a busy millisecond again.
"""

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from bson import DatetimeMS, Int64
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession

from eventlog.formats.event import Event
from eventlog.formats.event_json import format_event
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import Page, Query
from eventlog.store.mongo.names import Values, values_of
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.raw_reads import read_documents
from eventlog.store.mongo.search_index import BY_KEY, has_keys, indexed_version, needed_index, with_keys
from eventlog.store.mongo.walked import walked_of
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage
from eventlog.stored.texts import event_texts

_MERGED_SCANS = 200
"""MongoDB makes at most so many ordered scans of an ``$in`` (internalQueryMaxScansToExplode); of an ``$or``, as many as
it has."""

_MAX_SEQ = 2**63 - 1

_Filter = dict[str, Any]


_Found = tuple[int, int, int, Event | bytes]
"""An event, or its text, behind what orders it, timestamp and seq, and how many bytes it takes."""


class _Walked(NamedTuple):
    """What a page has: the events of it, and what else a ``Page`` says."""

    events: list[Event | bytes]
    more: bool
    size: int
    settled_size: int
    indexed_version: int | None = None


def read_page(operations: Operations, query: Query) -> Page[Event]:
    """Read a page; see ``EventReader.page``."""
    with operations.session() as session:
        found = _walk(operations, query, _as_events, session)
        # Payloads that are stored apart are read last, those of the page alone.
        events = operations.read_bodies([event for event in found.events if isinstance(event, Event)], session)
    return Page(events, found.more, found.size, found.settled_size, found.indexed_version)


def read_texts(operations: Operations, query: Query) -> Page[bytes]:
    """Read a page as texts; see ``EventReader.texts``."""
    with operations.session() as session:
        found = _walk(operations, query, partial(_as_texts, query.chain), session)
        events = iter(operations.read_bodies([event for event in found.events if isinstance(event, Event)], session))
    texts = [one if isinstance(one, bytes) else format_event(next(events)) for one in found.events]
    return Page(texts, found.more, found.size, found.settled_size, found.indexed_version)


def _walk(
    operations: Operations, query: Query, read: Callable[[list[bytes]], Iterator[_Found]], session: ClientSession
) -> _Walked:
    """Read a page's events; ``read`` makes them of the documents of a batch, as events or as texts."""
    image = operations.read_sequence(query.chain, session)
    if image is None:
        return _Walked([], more=False, size=0, settled_size=0)
    # Later pages show no event beyond the size at the first page, so that a cursor comes to an end.
    size = image.size if query.size is None else min(query.size, image.size)
    indexed = indexed_version(operations, image, session) if query.keys else None
    settled = _settled(operations, query, min(size, image.settled.size), session)
    found: Iterator[_Found] = (each for documents in settled for each in read(documents))
    if pending := _pending(query, image, size):
        found = heapq.merge(found, pending, key=_key(query), reverse=query.order == "desc")
    if query.sort == "seq":
        found = _without_gap(found, query, size)
    # One event beyond the page is looked at, which says that there are more. A page has one event at least.
    events: list[Event | bytes] = []
    taken, more = 0, False
    for _, _, length, event in found:
        more = len(events) == query.limit or taken >= query.max_bytes
        if more:
            break
        events.append(event)
        taken += length
    return _Walked(events, more, size, image.settled.size, indexed)


def _as_events(documents: list[bytes]) -> Iterator[_Found]:
    for raw, event in zip(documents, codec.decode_events(b"".join(documents)), strict=True):
        yield event.entry.timestamp, event.seq, len(raw) + (event.entry.payload_bytes or 0), event


def _as_texts(chain: str, documents: list[bytes]) -> Iterator[_Found]:
    for raw, written in zip(documents, event_texts(chain, documents), strict=True):
        if written is None:
            yield from _as_events([raw])
        else:
            timestamp, seq, text = written
            yield timestamp, seq, len(raw), text


def filter_of(query: Query, size: int, values: Values, walked: str | None = None) -> _Filter:
    """Build the filter for what is settled of the page and after it.

    ``size`` is where the page's view of the chain ends; ``walked`` the key whose events are walked.
    """
    if query.sort == "seq":
        low, high = _seq_bounds(query)
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


def _settled(operations: Operations, query: Query, size: int, session: ClientSession) -> Iterator[list[bytes]]:
    """Yield batches of settled documents, those of the page first."""
    if not size:  # nothing is settled: MongoDB may not even have the index yet, which it would call an error
        return
    # Read in the page's session, after the sequence document: each event that is settled there has its names here.
    wanted = {"event_type": query.event_types, "source_id": query.source_ids}
    values = values_of(operations, query.chain, wanted, _times(query), session)
    if not all(values.values()):
        return  # nothing that is settled begins so
    walked = None
    if query.keys:
        within = {"chain": query.chain, "timestamp": _times(query)}
        walked = walked_of(operations, within, query.keys, values, session)
    direction = ASCENDING if query.order == "asc" else DESCENDING
    order = [(name, direction) for name in (("seq",) if query.sort == "seq" else ("timestamp", "seq"))]
    find = {
        "find": operations.events.name,
        "filter": filter_of(query, size, values, walked),
        "sort": dict(order),
        "hint": dict(index_of(query, walked)),
        "limit": query.limit + 1,
        "batchSize": query.limit + 1,  # all in one round trip, up to 16 MiB; of itself MongoDB sends 101 at first
    }
    with needed_index():
        yield from read_documents(operations.events.database, find, session)


def _pending(query: Query, image: SequenceImage, size: int) -> list[_Found]:
    """Return the pending events of the page and those after it, in order."""
    found = [
        (event.entry.timestamp, event.seq, event.entry.payload_bytes or len(event.entry.payload), event)
        for event in image.events()
        if event.seq < size and _fits(query, event)
    ]
    return sorted(found, key=_key(query), reverse=query.order == "desc")


def _without_gap(found: Iterator[_Found], query: Query, size: int) -> Iterator[_Found]:
    """Let events by seq through as long as none is missing: no later one may be shown as if it came next.

    Raises:
        CorruptionError: one is missing, as it was removed or the index does not show it.
    """
    low, high = _seq_bounds(query)
    seqs = range(low, min(high, size))
    for seq in seqs if query.order == "asc" else reversed(seqs):
        each = next(found, None)
        if each is None or each[1] != seq:
            raise CorruptionError(f"event {seq} of chain {query.chain} is missing; run an audit")
        yield each


def _fits(query: Query, event: Event) -> bool:
    """Whether an event is one that the query asks for, and comes after the page before."""
    if query.sort == "seq":
        low, high = _seq_bounds(query)
        return low <= event.seq < high
    entry, after = event.entry, query.after
    if after is not None:
        # By time the order is (timestamp, seq), so events of one millisecond have an order, too.
        place = (entry.timestamp, event.seq)
        previous = (after.timestamp, after.seq)
        if place == previous or (place > previous) is (query.order == "desc"):
            return False  # it was on a page before
    return (
        (query.start_time or 0) <= entry.timestamp
        and (query.end_time is None or entry.timestamp < query.end_time)
        and query.event_types.fits(entry.event_type)
        and query.source_ids.fits(entry.source_id)
        and has_keys(entry, query.keys)
    )


def _key(query: Query) -> Callable[[_Found], tuple[int, int]]:
    if query.sort == "seq":
        return lambda found: (0, found[1])
    return lambda found: (found[0], found[1])


def _seq_bounds(query: Query) -> tuple[int, int]:
    """Return [low, high) of what is left of a query by seq."""
    low, high = query.from_seq or 0, _MAX_SEQ if query.to_seq is None else query.to_seq
    if query.after is None:
        return low, high
    return (query.after.seq + 1, high) if query.order == "asc" else (low, min(high, query.after.seq))


def _times(query: Query) -> _Filter:
    """Build the bounds on the timestamp that the query itself has."""
    until = {} if query.end_time is None else {"$lt": DatetimeMS(query.end_time)}
    return {"$gte": DatetimeMS(query.start_time or 0), **until}


def _time_ranges(query: Query, size: int) -> list[_Filter]:
    """Build the bounds on time and seq: of what is left of the cursor's millisecond, and of what comes after it."""
    times = _times(query)
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
