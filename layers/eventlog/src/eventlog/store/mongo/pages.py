"""Pages of events by keyset: settled ones by one find, in order from one index; pending ones are merged in."""

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from pymongo.client_session import ClientSession

from eventlog.formats.event import Event
from eventlog.formats.event_json import format_event
from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import Page, Query
from eventlog.store.mongo.names import values_of
from eventlog.store.mongo.one_read import read_at_once
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.page_find import MAX_SEQ, find_of, seq_bounds, times_of
from eventlog.store.mongo.raw_reads import find_batches
from eventlog.store.mongo.search_index import has_keys, indexed_version, needed_index
from eventlog.store.mongo.walked import walked_of
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage
from eventlog.stored.texts import event_texts

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
        found = _walk_at_once(operations, query, _as_events, session) or _walk(operations, query, _as_events, session)
        # Payloads that are stored apart are read last, those of the page alone.
        events = operations.read_bodies([event for event in found.events if isinstance(event, Event)], session)
    return Page(events, found.more, found.size, found.settled_size, found.indexed_version)


def read_texts(operations: Operations, query: Query) -> Page[bytes]:
    """Read a page as texts; see ``EventReader.texts``."""
    as_texts = partial(_as_texts, query.chain)
    with operations.session() as session:
        found = _walk_at_once(operations, query, as_texts, session) or _walk(operations, query, as_texts, session)
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
    size = _size(query, image)
    indexed = indexed_version(operations, image, session) if query.keys else None
    settled = _settled(operations, query, min(size, image.settled.size), session)
    found = (each for documents in settled for each in read(documents))
    return _taken(query, image, found, indexed)


def _walk_at_once(
    operations: Operations, query: Query, read: Callable[[list[bytes]], Iterator[_Found]], session: ClientSession
) -> _Walked | None:
    """Read a page by one command; None if it takes more: ``_walk`` reads it, or says what is wrong."""
    # Names that begin so are looked for first, and keys need more than the index of times.
    if query.sort == "seq" or query.keys or query.event_types.prefixes or query.source_ids.prefixes:
        return None
    values = values_of(operations, query.chain, _wanted(query), times_of(query), session)
    size = MAX_SEQ if query.size is None else query.size
    both = read_at_once(operations, query.chain, find_of(query, size, values), session)
    if both is None:
        return None
    if both.image is None:
        return _Walked([], more=False, size=0, settled_size=0)
    try:
        found = list(read(both.documents))
    except NotOursError:  # it may be a row that no page has
        return None
    # What is settled and not yet trimmed is here twice, and a planted row may be: without them a page may be too short.
    end = min(size, both.image.settled.size)
    return _taken(query, both.image, iter(found), None) if all(seq < end for _, seq, _, _ in found) else None


def _taken(query: Query, image: SequenceImage, found: Iterator[_Found], indexed: int | None) -> _Walked:
    """Take a page of the settled events of it and after it, and of what is pending."""
    size = _size(query, image)
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


def _size(query: Query, image: SequenceImage) -> int:
    """Where a page's view of the chain ends: at the size at the first page, so that a cursor comes to an end."""
    return image.size if query.size is None else min(query.size, image.size)


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


def _settled(operations: Operations, query: Query, size: int, session: ClientSession) -> Iterator[list[bytes]]:
    """Yield batches of settled documents, those of the page first."""
    if not size:  # nothing is settled: MongoDB may not even have the index yet, which it would call an error
        return
    # Read in the page's session, after the sequence document: each event that is settled there has its names here.
    values = values_of(operations, query.chain, _wanted(query), times_of(query), session)
    if not all(values.values()):
        return  # nothing that is settled begins so
    walked = None
    if query.keys:
        within = {"chain": query.chain, "timestamp": times_of(query)}
        walked = walked_of(operations, within, query.keys, values, session)
    find = find_of(query, size, values, walked)
    with needed_index():  # all in one round trip, up to 16 MiB; of itself MongoDB sends 101 at first
        yield from find_batches(operations, find | {"batchSize": query.limit + 1}, session)


def _wanted(query: Query) -> dict[str, NameFilter]:
    return {"event_type": query.event_types, "source_id": query.source_ids}


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
    low, high = seq_bounds(query)
    seqs = range(low, min(high, size))
    for seq in seqs if query.order == "asc" else reversed(seqs):
        each = next(found, None)
        if each is None or each[1] != seq:
            raise CorruptionError(f"event {seq} of chain {query.chain} is missing; run an audit")
        yield each


def _fits(query: Query, event: Event) -> bool:
    """Whether an event is one that the query asks for, and comes after the page before."""
    if query.sort == "seq":
        low, high = seq_bounds(query)
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
