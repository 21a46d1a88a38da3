"""Pages over settled and pending events equal those of a list in memory, while appends and settling go on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from eventlog.formats.event import Event
from eventlog.formats.event_json import format_event
from eventlog.formats.name_filter import NameFilter
from eventlog.http.cursor import format_cursor, parse_cursor
from eventlog.store.interface import Page, Position, Query
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.settle import Settler
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from local.machine import wait_until
from tests.support.factories import draft

Client = MongoClient[dict[str, Any]]

TYPES, SOURCES = ("a", "ab", "a*", "b\\", "c"), ("s", "st")
WANTED = {
    "a": {"a"},
    "ab": {"ab"},
    "c": {"c"},
    "none": set(),
    "none*": set(),
    "a*": {"a", "ab", "a*"},
    "ab*": {"ab"},
    "a\\*": {"a*"},
    "b\\": {"b\\"},
    "b\\\\*": {"b\\"},
    "s": {"s"},
    "st": {"st"},
    "s*": {"s", "st"},
}
"""What each filter lets through, by hand."""
LAST = 6

times = st.integers(0, LAST)
bounds = st.none() | st.integers(0, LAST + 1)
some_types = st.lists(st.sampled_from(list(WANTED)), max_size=3, unique=True).map(NameFilter.of)
some_sources = st.lists(st.sampled_from(["s", "st", "s*"]), max_size=2, unique=True).map(NameFilter.of)
events = st.lists(st.tuples(times, st.sampled_from(TYPES), st.sampled_from(SOURCES)), max_size=14)
"""(timestamp, event_type, source_id) of what is appended."""


@st.composite
def queries(draw: st.DrawFn) -> Query:
    order: Literal["asc", "desc"] = draw(st.sampled_from(("asc", "desc")))
    limit = draw(st.integers(1, 5))
    if draw(st.integers(0, 3)) == 0:
        return Query(chain="", sort="seq", order=order, from_seq=draw(bounds), to_seq=draw(bounds), limit=limit)
    return Query(
        chain="",
        order=order,
        start_time=draw(bounds),
        end_time=draw(bounds),
        event_types=draw(some_types),
        source_ids=draw(some_sources),
        limit=limit,
    )


steps = st.lists(
    st.one_of(
        st.just("settle"),
        st.integers(1, 4).map(lambda count: ("settle", count)),
        events.map(lambda added: ("append", added)),
    ),
    max_size=8,
)
"""What happens between two pages: all is settled, or the first few, or something is appended."""


@pytest.fixture(scope="module")
def shared(client: Client) -> Iterator[MongoStore]:
    name = f"test_{uuid4().hex[:12]}"
    operations = Operations(client, name)
    operations.ensure_indexes()
    yield MongoStore(operations, "example.com/log")
    client.drop_database(name)


def push(store: MongoStore, chain: str, added: list[tuple[int, str, str]]) -> None:
    """Append without settling anything."""
    entries = [
        draft(chain=chain, timestamp=at, event_type=kind, source_id=source, payload={"n": "x" * 10}).entry
        for at, kind, source in added
    ]
    if entries:
        assert operations_of(store).push(chain, entries, None) is not None


def settled_size(store: MongoStore, chain: str) -> int:
    image = operations_of(store).read_sequence(chain)
    assert image is not None
    return image.settled.size


def settle_first(store: MongoStore, chain: str, count: int) -> None:
    """Move the first few pending events only, as the settler of a block does."""
    image = operations_of(store).read_sequence(chain)
    assert image is not None
    found = list(image.events())[:count]
    if found:
        after = image.settled.copy()
        for event in found:
            after.append(event.entry.content_hash)
        Settler(operations_of(store), chain)._store(found, [codec.encode_entry(event.entry) for event in found], after)
        wait_until("a majority to have the trim", lambda: settled_size(store, chain) >= after.size)


def do(store: MongoStore, chain: str, step: Any) -> None:
    if step == "settle":
        store.settle(chain)
    elif step[0] == "settle":
        settle_first(store, chain, step[1])
    else:
        push(store, chain, step[1])


def oracle(log: list[Event], query: Query) -> list[Event]:
    """Every event of a query, in its order."""

    def wanted(event: Event) -> bool:
        entry = event.entry
        if query.sort == "seq":
            return (query.from_seq or 0) <= event.seq < (len(log) if query.to_seq is None else query.to_seq)
        return (
            entry.timestamp >= (query.start_time or 0)
            and (query.end_time is None or entry.timestamp < query.end_time)
            and asked_for(entry.event_type, query.event_types)
            and asked_for(entry.source_id, query.source_ids)
        )

    def key(event: Event) -> tuple[int, int]:
        return (0 if query.sort == "seq" else event.entry.timestamp, event.seq)

    return sorted(filter(wanted, log), key=key, reverse=query.order == "desc")


def asked_for(name: str, names: NameFilter) -> bool:
    texts = names.texts()
    return not texts or any(name in WANTED[text] for text in texts)


def whole(store: MongoStore, chain: str) -> list[Event]:
    """The log by its definition: the settled documents by their seq."""
    store.settle(chain)
    raw = operations_of(store).raw_events.find({"chain": chain}, sort=[("seq", 1)])
    return [codec.decode_event(bytes(found.raw)) for found in raw]


def as_texts_too(store: MongoStore, query: Query) -> Page[Event]:
    """The page; it is the same as texts."""
    page = store.page(query)
    texts = [format_event(event) for event in page.events]
    assert store.texts(query) == Page(texts, page.more, page.size, page.settled_size, page.indexed_version)
    return page


def pending(store: MongoStore, chain: str) -> Iterator[Event]:
    image = operations_of(store).read_sequence(chain)
    assert image is not None
    return image.events()


def begin(store: MongoStore, first: list[tuple[int, str, str]], settled: int, later: list[tuple[int, str, str]]) -> str:
    chain = uuid4().hex
    operations_of(store).create(chain, "example.com/log")
    push(store, chain, first)
    settle_first(store, chain, settled)
    push(store, chain, later)
    return chain


relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@relaxed
@given(first=events, settled=st.integers(0, 14), later=events, query=queries(), between=steps, small=st.booleans())
def test_a_walk_gives_each_event_of_its_first_page_s_log_once_in_order(
    shared: MongoStore,
    *,
    first: list[tuple[int, str, str]],
    settled: int,
    later: list[tuple[int, str, str]],
    query: Query,
    between: list[Any],
    small: bool,
) -> None:
    chain = begin(shared, first, settled, later)
    query = replace(query, chain=chain, max_bytes=100 if small else query.max_bytes)
    seen: list[Event] = []
    size = None
    happening = iter(between)
    while True:
        page = as_texts_too(shared, query)
        size = page.size if size is None else size
        assert page.size == size
        assert len(page.events) <= query.limit
        seen += page.events
        if not page.more:
            break
        assert page.events, "a page with more to come is not empty"
        last = page.events[-1]
        cursor = format_cursor(query, page.size, Position(last.entry.timestamp, last.seq))
        capped, after = parse_cursor(query, cursor)
        query = replace(query, size=capped, after=after)
        if (step := next(happening, None)) is not None:
            do(shared, chain, step)
    assert seen == oracle(whole(shared, chain)[:size], replace(query, after=None))


@relaxed
@given(added=events, query=queries(), settled=st.integers(0, 14), place=st.integers(0, 14))
def test_a_page_is_the_same_whatever_is_settled(
    shared: MongoStore, added: list[tuple[int, str, str]], query: Query, settled: int, place: int
) -> None:
    chain = begin(shared, added, 0, [])
    query = replace(query, chain=chain)
    found = oracle(list(pending(shared, chain)), query)[:place]
    after = Position(found[-1].entry.timestamp, found[-1].seq) if found else None
    pages = []
    for count in (0, settled, len(added)):
        settle_first(shared, chain, count)
        page = as_texts_too(shared, replace(query, after=after))
        pages.append((page.events, page.more, page.size))
    assert pages[0] == pages[1] == pages[2]
    assert pages[0][0] == oracle(whole(shared, chain), query)[len(found) :][: query.limit]


@pytest.mark.parametrize(
    "settled",
    [
        pytest.param(0, id="pending"),
        pytest.param(
            1,
            id="settled",
        ),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_made_up_cursor_shows_nothing_that_its_query_does_not_ask_for(
    shared: MongoStore, settled: int, order: Literal["asc", "desc"]
) -> None:
    """A cursor is not signed, so its place can be outside its query's times."""
    chain = begin(shared, [(5, "a", "s")], settled, [])
    after = Position(5, -1 if order == "asc" else 1)
    query = Query(chain=chain, order=order, start_time=1, end_time=4, after=after)
    assert shared.page(query).events == []
