"""What a page examines, by explain of the finds it really sent: every combination of filters, orders and two pages."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import Any, get_args
from uuid import uuid4

import pytest

from eventlog.formats.event import Entry, Keys, make_entry
from eventlog.formats.name_filter import NameFilter
from eventlog.store.interface import Draft, Order, Position, Query
from eventlog.store.mongo.store import MongoStore, connect, open_log
from eventlog.store.mongo.suggestions import Suggestions
from tests.support.each import each
from tools.benchmarks.plans import Explainer

COUNT, LIMIT, START = 3000, 20, 1_700_000_000_000
TYPES, SOURCES = tuple(f"t{n}" for n in range(20)), tuple(f"s{n}" for n in range(20))


def entry(n: int) -> Entry:
    """Tens of events in each millisecond; the first types and sources are frequent, the last ones rare."""
    some = random.Random(n)
    return make_entry(
        chain="main",
        event_id=f"e{n}",
        event_type=TYPES[int(20 * some.random() ** 3)],
        source_id=SOURCES[int(20 * some.random() ** 3)],
        timestamp=START + some.randrange(60),
        received_at=START,
        principal="p",
        payload="{}",
        salt=bytes(16),
    )._replace(keys=keys_of(n, some))


def keys_of(n: int, some: random.Random) -> Keys:
    """A key that half of the events have, one of their own, and two that few have or many."""
    frequent, rare = (int(20 * some.random() ** 3) for _ in range(2))
    return Keys(1, (f"even:{n % 2}", f"order:{n}", f"user:{frequent}", f"zone:{rare}"))


@pytest.fixture(scope="module")
def explainer(mongo_uri: str) -> Iterator[Explainer]:
    """Sees the pages of a chain of 3,000 events."""
    name = f"test_{uuid4().hex[:12]}"
    with connect(mongo_uri) as client:
        store = open_log(client, name, "example.com/log")
        store.make_search_indexes()
        for first in range(0, COUNT, 500):
            store.append("main", [Draft(entry(n)) for n in range(first, first + 500)])
        assert store.settle("main") == COUNT
        with closing(Explainer(mongo_uri, name)) as explainer:
            yield explainer
        client.drop_database(name)


TIMES: dict[str, dict[str, Any]] = {
    "any time": {},
    "from": {"start_time": START + 15},
    "until": {"end_time": START + 45},
    "between": {"start_time": START + 15, "end_time": START + 45},
    "one millisecond": {"start_time": START + 30, "end_time": START + 31},
}
SOME = (0, 1, 3, 20)
FILTERS = {
    f"{name}, {types} types, {sources} sources": Query(
        chain="main",
        event_types=NameFilter.of(TYPES[:types]),
        source_ids=NameFilter.of(SOURCES[:sources]),
        limit=LIMIT,
        **TIMES[name],
    )
    for name, types, sources in product(TIMES, SOME, SOME)
}
FILTERS |= {
    "by seq": Query(chain="main", sort="seq", limit=LIMIT),
    "by seq, a range": Query(chain="main", sort="seq", from_seq=100, to_seq=2900, limit=LIMIT),
}
PAGES = {"first": None, "in the middle of a millisecond": Position(START + 30, COUNT // 2)}


@each("order", get_args(Order))
@each("page", PAGES)
@each("filters", FILTERS)
def test_a_page_examines_what_it_shows_and_little_more(
    explainer: Explainer, filters: str, page: str, order: Order
) -> None:
    """One key and one document for each event, and one to see whether more follow.

    Several types or sources are one index scan for each combination, and after a cursor two: the rest of its
    millisecond, and what comes after. MongoDB merges the scans in order, and each beyond the first takes one key more,
    to know where it starts: the least that a merge can do. It takes no document more.
    """
    query = replace(FILTERS[filters], order=order, after=PAGES[page])
    examined = explainer.examined(explainer.finds(query))
    scans = max(1, len(query.event_types.exact)) * max(1, len(query.source_ids.exact)) * (2 if query.after else 1)
    assert examined.keys <= LIMIT + max(10, scans)
    assert examined.documents <= LIMIT + 1
    assert examined.sorts == 0


PREFIXES = {
    "a type": {"event_types": ["t1*"]},
    "a rare one": {"event_types": ["t19*"]},
    "sources": {"source_ids": ["s18*", "s19", "s1"]},
    "a type and a source": {"event_types": ["t18*"], "source_ids": ["s1"]},
    "both": {"event_types": ["t18*", "t1"], "source_ids": ["s19*"]},
    "nothing": {"event_types": ["u*"]},
}


def test_a_prefix_examines_one_key_for_each_name_and_no_event_that_is_not_shown(explainer: Explainer) -> None:
    """A name takes two keys to find (its first one, and with times the first one in them), and one to merge.

    A scan would examine all 3,000 events, or all that begin so. At most three names fit: so it is a page's own events,
    and ten keys.
    """
    for (case, given), page, order in product(PREFIXES.items(), PAGES.values(), get_args(Order)):
        if case == "a type":  # eleven names
            continue
        filters: dict[str, Any] = {name: NameFilter.of(texts) for name, texts in given.items()}
        query = Query(chain="main", limit=LIMIT, order=order, after=page, **filters)
        examined = explainer.examined(explainer.finds(query))
        assert examined.keys <= LIMIT + 10, (case, page, order, examined)
        assert examined.documents <= LIMIT + 1, (case, page, order)
        assert examined.sorts == 0, (case, page, order)


def test_a_prefix_of_many_names_takes_a_few_keys_for_each(explainer: Explainer) -> None:
    for times, page, order in product(TIMES.values(), PAGES.values(), get_args(Order)):
        query = Query(chain="main", event_types=NameFilter.of(["t1*"]), limit=LIMIT, order=order, after=page, **times)
        examined = explainer.examined(explainer.finds(query))
        assert examined.keys <= LIMIT + 4 * 11 + 1, (times, page, order, examined)
        assert (examined.documents <= LIMIT + 1, examined.sorts) == (True, 0), (times, page, order)


def test_a_search_by_a_field_examines_what_it_shows_and_little_more(explainer: Explainer) -> None:
    """One entry of the index of keys for each event, and one for how far the chain is indexed."""
    keys = ("user:0", "user:19", "order:7")
    for key, times, page, order in product(keys, TIMES.values(), PAGES.values(), get_args(Order)):
        query = Query(chain="main", keys=frozenset({key}), limit=LIMIT, order=order, after=page, **times)
        examined = explainer.examined(explainer.finds(query))
        assert examined.keys <= LIMIT + 10, (key, times, page, order, examined)
        assert examined.documents <= LIMIT + 1, (key, times, page, order, examined)
        assert examined.sorts == 0, (key, times, page, order)


@cache
def entries() -> list[Entry]:
    return [entry(n) for n in range(COUNT)]


def fitting(query: Query) -> list[int]:
    """The seqs of a page by going over all events."""
    found = [
        (each.timestamp, seq)
        for seq, each in enumerate(entries())
        if each.keys is not None
        and query.keys <= set(each.keys.values)
        and (query.start_time or 0) <= each.timestamp < (query.end_time or 2 * START)
        and query.event_types.fits(each.event_type)
        and query.source_ids.fits(each.source_id)
    ]
    if query.after is not None:
        place = (query.after.timestamp, query.after.seq)
        found = [each for each in found if (each > place if query.order == "asc" else each < place)]
    return [seq for _, seq in sorted(found, reverse=query.order == "desc")][:LIMIT]


def test_of_several_keys_and_types_what_the_fewest_events_have_is_walked(explainer: Explainer) -> None:
    """However frequent what is beside it, and in order; found is what fits. A prefix's types take two keys each.

    ``most``: how many events have the rarest of them. Where all are frequent, no more is walked than one of them has.
    """
    named: dict[str, tuple[dict[str, Any], int]] = {
        "another key": ({"keys": {"user:0"}}, COUNT // 2),
        "a key that sorts before": ({"keys": {"user:0", "even:1"}}, COUNT // 2),
        "a frequent type": ({"event_types": ["t0"]}, COUNT // 2),
        "a rare type": ({"event_types": ["t19"]}, 3 * LIMIT),
        "a rare source": ({"source_ids": ["s19"]}, 3 * LIMIT),
        "a prefix": ({"event_types": ["t1*"]}, COUNT // 2),
        "a rare prefix and a source": ({"event_types": ["t19*"], "source_ids": ["s0"]}, 2 * LIMIT),
    }
    some = (TIMES["any time"], TIMES["between"])
    cases = product(named.items(), some, PAGES.values(), get_args(Order))
    for (case, (given, has)), times, page, order in cases:
        filters: dict[str, Any] = {n: NameFilter.of(texts) for n, texts in given.items() if n != "keys"}
        query = Query(chain="main", limit=LIMIT, order=order, after=page, **filters, **times)
        names = 23 * sum(len(texts.prefixes) for texts in filters.values())
        for key, own in (("order:7", 1), ("zone:19", 3 * LIMIT), ("user:0", COUNT // 2)):
            asked = replace(query, keys=frozenset({key, *given.get("keys", ())}))
            examined = explainer.examined(explainer.finds(asked))
            words = (case, key, times, page, order, examined)
            assert [event.seq for event in explainer.page(asked).events] == fitting(asked), words
            assert examined.keys <= LIMIT + 10 + names + min(has, own), words
            assert examined.documents <= LIMIT + 1 + min(has, own), words
            assert examined.sorts == 0, words


def suggested(store: MongoStore, name: str, prefix: str) -> object:
    return Suggestions(store).values("main", name, prefix, 10)


@pytest.mark.replica_set  # a router has each shard read all keys that begin so
def test_a_suggestion_examines_one_entry_for_each_value(explainer: Explainer) -> None:
    for name, prefix in (("user", ""), ("user", "1"), ("order", "1")):
        finds = explainer.finds_of(partial(suggested, name=name, prefix=prefix))
        examined = explainer.examined(finds)
        assert len(finds) <= 11
        assert examined.keys <= 2 * 11, (name, prefix, examined)
