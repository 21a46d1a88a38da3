"""Queries over HTTP against a brute-force filter: filters, orders, cursors while events arrive, exports."""

import csv
import io
import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import orjson
import pytest
from starlette.testclient import TestClient

from eventlog.formats.times import format_time
from eventlog.store.mongo.store import connect
from tests.integration.conftest import MakeApi
from tests.support.each import each

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"
START = 1_700_000_000_000
TYPES, SOURCES = ["a", "b", "c.d", "="], ["x", "/y?z=1&u", "ü"]
Shown = dict[str, Any]


def event(n: int, **fields: Any) -> Shown:
    """An event whose timestamp is one of few."""
    some = random.Random(n)
    return {
        "event_type": some.choice(TYPES),
        "timestamp": format_time(START + some.randrange(20)),
        "source_id": some.choice(SOURCES),
        "payload": {"n": n},
    } | fields


def append(api: TestClient, events: list[Shown]) -> None:
    for first in range(0, len(events), 500):
        assert api.post(BATCH, json=events[first : first + 500]).status_code == 201


def pages(api: TestClient, parameters: dict[str, Any]) -> Iterator[list[Shown]]:
    cursor: dict[str, str] = {}
    while True:
        answer = api.get(EVENTS, params=parameters | cursor)
        assert answer.status_code == 200
        page = answer.json()
        yield page["events"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def walk(api: TestClient, parameters: dict[str, Any]) -> list[Shown]:
    return [shown for page in pages(api, parameters) for shown in page]


def by_hand(stored: list[Shown], wanted: dict[str, Any]) -> list[int]:
    """The seqs a query must give, by the plainest code there is."""
    kept = [
        e
        for e in stored
        if wanted.get("start_time", "") <= e["timestamp"] < wanted.get("end_time", "~")
        and (not wanted.get("event_type") or e["event_type"] in wanted["event_type"])
        and (not wanted.get("source_id") or e["source_id"] in wanted["source_id"])
    ]
    kept.sort(key=lambda e: (e["timestamp"], e["seq"]), reverse=wanted.get("order") != "asc")
    return [e["seq"] for e in kept]


@pytest.fixture(scope="module")
def full(make_api: MakeApi, mongo_uri: str) -> Iterator[TestClient]:
    """300 events in 20 milliseconds, and another chain's beside them."""
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        append(api, [event(n) for n in range(300)])
        append(api, [event(n, chain="other") for n in range(1000, 1050)])
        yield api
    with connect(mongo_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def stored(full: TestClient) -> list[Shown]:
    found: list[Shown] = full.get(EVENTS, params={"sort": "seq", "limit": 1000}).json()["events"]
    assert [e["payload"]["n"] for e in found] == list(range(300))
    return found


TIMES = [(None, None), (5, None), (None, 12), (5, 12), (7, 8), (7, 7), (100, None)]
SOME_TYPES = [[], ["a"], ["c.d", "a"], ["b", "none"], ["none"], ["=", "="]]
SOME_SOURCES = [[], ["x"], ["ü", "/y?z=1&u"], ["none"]]


@each("order", ["asc", "desc", None])
@each("sources", SOME_SOURCES)
@each("types", SOME_TYPES)
def test_every_filter_gives_what_a_plain_filter_gives(
    full: TestClient, stored: list[Shown], types: list[str], sources: list[str], order: str | None
) -> None:
    for (start, end), limit in product(TIMES, (1000, 23)):
        wanted: dict[str, Any] = {"event_type": types, "source_id": sources}
        wanted |= {"start_time": format_time(START + start)} if start is not None else {}
        wanted |= {"end_time": format_time(START + end)} if end is not None else {}
        wanted |= {"order": order} if order else {}
        if limit == 23 and (start, end) not in {(None, None), (5, 12)}:
            continue
        found = [e["seq"] for e in walk(full, wanted | {"limit": limit})]
        assert found == by_hand(stored, wanted)


def test_the_start_is_inclusive_and_the_end_exclusive_to_the_millisecond(api: TestClient) -> None:
    append(api, [event(0, timestamp=format_time(START + n)) for n in range(5)])
    bounds = {"start_time": "2023-11-14T23:13:20.001999+01:00", "end_time": "2023-11-14T22:13:20.003"}
    assert [e["seq"] for e in walk(api, bounds)] == [2, 1]


def test_a_chain_shows_its_own_events_only(full: TestClient, stored: list[Shown]) -> None:
    other = walk(full, {"chain": "other", "order": "asc"})
    assert {e["chain"] for e in stored} == {"main"}
    assert sorted(e["payload"]["n"] for e in other) == list(range(1000, 1050))
    answer = full.get(EVENTS, params={"chain": "nothing"}).json()
    assert answer == {"events": [], "next_cursor": None, "settled_size": 0}


@pytest.mark.parametrize("order", ["asc", "desc", None])
def test_by_seq_the_bounds_are_from_inclusive_to_exclusive(full: TestClient, order: str | None) -> None:
    for low, high, limit in product((None, 0, 100, 299, 300, 2**63 - 1), (None, 0, 101, 300, 2**63 - 1), (1000, 60)):
        if high is not None and (low or 0) > high:
            continue  # which is refused (test_query_strings.py)
        wanted: dict[str, Any] = {"sort": "seq", "limit": limit}
        wanted |= {"order": order} if order else {}
        wanted |= {"from_seq": low} if low is not None else {}
        wanted |= {"to_seq": high} if high is not None else {}
        expected = list(range(low or 0, min(300, 300 if high is None else high)))
        assert [e["seq"] for e in walk(full, wanted)] == (expected[::-1] if order == "desc" else expected)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "wanted", [{}, {"event_type": ["a", "b"], "source_id": ["x", "ü"]}, {"sort": "seq"}], ids=["all", "filters", "seq"]
)
def test_pages_walked_while_events_arrive_give_the_first_pages_events_once(
    api: TestClient, wanted: dict[str, Any], order: str
) -> None:
    append(api, [event(n) for n in range(100)])
    query = wanted | {"order": order}
    expected = [e["seq"] for e in walk(api, query | {"limit": 1000})]
    found = []
    for count, page in enumerate(pages(api, query | {"limit": 7})):
        found += [e["seq"] for e in page]
        append(api, [event(1000 * count + n) for n in range(100, 110)])
        assert len(page) <= 7
    assert found == expected
    assert len(walk(api, query | {"limit": 1000})) > len(expected)


def test_a_cursor_goes_with_its_own_query_only(full: TestClient) -> None:
    query: dict[str, Any] = {"event_type": ["a", "b"], "limit": 5}
    cursor = full.get(EVENTS, params=query).json()["next_cursor"]
    same = full.get(EVENTS, params={"event_type": ["b", "a", "b"], "limit": 7, "cursor": cursor})
    assert (same.status_code, len(same.json()["events"])) == (200, 7)
    for other in (
        {"event_type": ["a"]},
        {"event_type": ["a", "b"], "source_id": ["x"]},
        {"source_id": ["a", "b"]},
        {"event_type": ["a", "b"], "order": "asc"},
        {"event_type": ["a", "b"], "chain": "other"},
        {"event_type": ["a", "b"], "start_time": "2020-01-01T00:00:00Z"},
        {"event_type": ["a", "b"], "end_time": "2030-01-01T00:00:00Z"},
        {"sort": "seq"},
    ):
        answer = full.get(EVENTS, params=other | {"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/cursor")


def test_a_page_ends_early_at_4_mib_and_goes_on(api: TestClient) -> None:
    large = {"x": "a" * 200_000}
    for _ in range(2):
        append(api, [event(n, payload=large) for n in range(16)])
    sizes = [len(orjson.dumps(page)) for page in pages(api, {"limit": 1000})]
    assert len(sizes) == 2
    assert all(size < (4 << 20) + (256 << 10) + 4096 for size in sizes)
    assert sizes[0] > 4 << 20
    assert sorted(e["seq"] for e in walk(api, {"limit": 1000})) == list(range(32))


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
def test_an_export_goes_on_by_its_headers(full: TestClient, stored: list[Shown], accept: str) -> None:
    path, pages_seen = f"{EVENTS}?source_id=%C3%BC&source_id=%2Fy%3Fz%3D1%26u&limit=50", 0
    found: list[Shown] = []
    while path:
        answer = full.get(path, headers={"accept": f"{accept}, application/json;q=0.5"})
        assert (answer.status_code, answer.headers["settled-size"]) == (200, "300")
        assert answer.headers["content-type"].startswith(accept)
        found += rows(answer.text) if accept == "text/csv" else [json.loads(x) for x in answer.text.splitlines()]
        link = answer.headers.get("link", "")
        assert ("next-cursor" in answer.headers) == bool(link)
        path = link.removeprefix("<").partition('>; rel="next"')[0]
        pages_seen += 1
    expected = by_hand(stored, {"source_id": ["ü", "/y?z=1&u"]})
    assert [int(e["seq"]) for e in found] == expected
    assert pages_seen == -(-len(expected) // 50)
    if accept != "text/csv":
        assert found == [stored[seq] for seq in expected]


def rows(text: str) -> list[Shown]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_reads_back_and_runs_nothing_in_a_spreadsheet(api: TestClient) -> None:
    full_width = [f"{sign}SUM(A1)" for sign in "\uff1d\uff0b\uff0d\uff20"]
    blanks = [f"{blank}=1" for blank in " \xa0\u3000\u2028"]
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", *full_width, *blanks, " \u3000 \uff1d1"]
    cells = [*formulas, 'a,"b"', "a;b", "'x", " x", "a=1", "1-1", "\u3000", "ü\u2028"]
    payload = {"a": 'quo"te,\n', "=b": "=1"}
    append(api, [event(0, event_type=c, source_id=c, payload=payload) for c in cells])
    append(api, [event(0, event_id="-1", event_type="t")])
    answer = api.get(f"{EVENTS}?order=asc&sort=seq", headers={"accept": "text/csv"})
    found = rows(answer.text)
    safe = [f"'{c}" if c in formulas else c for c in cells]
    assert [row["event_type"] for row in found] == [*safe, "t"]
    assert [row["source_id"] for row in found][:-1] == safe
    assert found[-1]["event_id"] == "'-1"
    assert json.loads(found[0]["payload"]) == payload
    shown = api.get(EVENTS).json()["events"][0]
    assert list(found[0]) == list(dict.fromkeys(found[0]))
    assert set(found[0]) == set(shown)


def test_an_acknowledged_event_is_in_the_next_page(api: TestClient) -> None:
    for n in range(5):
        append(api, [event(n)])
        answer = api.get(EVENTS).json()
        assert sorted(found["seq"] for found in answer["events"]) == list(range(n + 1))


@pytest.fixture(scope="module")
def busy(make_api: MakeApi, mongo_uri: str) -> Iterator[TestClient]:
    """2,000 events in one millisecond, 500 around it, of 20 types and 20 sources."""
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        for n in range(5):
            at = [START if n else START - 2 + i % 5 for i in range(500)]
            some = random.Random(n)
            kinds = [{"event_type": f"t{some.randrange(20)}", "source_id": f"s{some.randrange(20)}"} for _ in at]
            append(api, [event(0, timestamp=format_time(t)) | kind for t, kind in zip(at, kinds, strict=True)])
        yield api
    with connect(mongo_uri) as client:
        client.drop_database(name)


MANY_TYPES, MANY_SOURCES = tuple(f"t{n}" for n in range(20)), tuple(f"s{n}" for n in range(20))


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_20_types_and_20_sources_give_every_event_in_order(busy: TestClient, order: str) -> None:
    query: dict[str, Any] = {"event_type": MANY_TYPES, "source_id": MANY_SOURCES, "order": order}
    places = [(e["timestamp"], e["seq"]) for e in walk(busy, query | {"limit": 700})]
    assert places == sorted(places, reverse=order == "desc")
    assert sorted(seq for _, seq in places) == list(range(2500))
