"""Prefixes of types and sources in every route that filters, pending and settled, on a server and behind a gateway."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.mongo import names
from eventlog.store.mongo.store import MongoStore
from local.machine import wait_until
from tests.support.access import ROUTERS, SCOPES
from tests.support.callers import by_jwt
from tests.support.event_source import Interpreter
from tests.support.factories import draft
from tests.support.gateway import BehindGateway

EVENTS, STATS, STREAM = "/api/v1/events", "/api/v1/stats", "/api/v1/events/stream"
START = 1_795_392_000_000
ALL_TIMES = {"start_time": "1970-01-01T00:00:00Z", "end_time": "10000-01-01T00:00:00Z"}
KINDS = [
    ("user.login", "web-1"),
    ("user.login.failed", "web-2"),
    ("user.logout", "web"),
    ("user.*", "CORP\\alice"),
    ("user.", "CORP*"),
    ("order.paid", "web-1"),
    ("\u00fcser.login", "web-\U0001f600"),
    ("user.login", "shop/web-1"),
]
Filters = dict[str, Any]
CASES: list[tuple[Filters, list[int]]] = [
    ({"event_type": ["user.login*"]}, [0, 1, 7]),
    ({"event_type": ["user.*"]}, [0, 1, 2, 3, 4, 7]),
    ({"event_type": ["user.\\*"]}, [3]),
    ({"event_type": ["user.**"]}, [3]),
    ({"event_type": ["*.login"]}, []),
    ({"event_type": ["user.logi*n"]}, []),
    ({"event_type": ["none*"]}, []),
    ({"event_type": ["\u00fc*"]}, [6]),
    ({"event_type": ["order.paid", "user.login*", "user.login"]}, [0, 1, 5, 7]),
    ({"event_type": ["o*", "user.lo*", "user.login*"]}, [0, 1, 2, 5, 7]),
    ({"source_id": ["web-*"]}, [0, 1, 5, 6]),
    ({"source_id": ["web*", "shop/web-1"]}, [0, 1, 2, 5, 6, 7]),
    ({"source_id": ["CORP\\*"]}, [4]),
    ({"source_id": ["CORP\\\\*"]}, [3]),
    ({"source_id": ["CORP\\alice"]}, [3]),
    ({"source_id": ["CORP*"]}, [3, 4]),
    ({"event_type": ["user.l*"], "source_id": ["web*"]}, [0, 1, 2]),
    ({"event_type": ["user.login"], "source_id": ["web-*"]}, [0]),
    ({"event_type": ["none*"], "source_id": ["web-1"]}, []),
]


def newest_first(api: TestClient, given: Filters) -> list[int]:
    return [event["seq"] for event in api.get(EVENTS, params=given).json()["events"]]


def by_cursors(api: TestClient, given: Filters) -> list[int]:
    found, cursor = [], None
    while True:
        page = api.get(EVENTS, params={**given, "limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        found += [event["seq"] for event in page["events"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def as_ndjson(api: TestClient, given: Filters) -> list[int]:
    """By the addresses of ``Link``, which have the filters in them."""
    found, address = [], f"{EVENTS}?{urlencode({**given, 'limit': 2}, doseq=True)}"
    while address:
        answer = api.get(address, headers={"Accept": "application/x-ndjson"})
        found += [json.loads(line)["seq"] for line in answer.text.splitlines()]
        address = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
    return found


def as_csv(api: TestClient, given: Filters) -> list[int]:
    text = api.get(EVENTS, params=given, headers={"Accept": "text/csv"}).text
    return [int(row["seq"]) for row in csv.DictReader(io.StringIO(text))]


def streamed(api: TestClient, given: Filters) -> list[int]:
    """In parts, up to the last event, whether it was asked for or not."""
    source = Interpreter()
    wait_until("the stream to come to the end", lambda: _part(api, given, source) == len(KINDS) - 1)
    return [json.loads(one.data)["seq"] for one in source.messages if one.type == "message"]


def _part(api: TestClient, given: Filters, source: Interpreter) -> int:
    source.feed(api.get(STREAM, params=given, headers={"Last-Event-ID": source.last_id or "-1"}).text)
    return int(source.last_id or "-1")


FORMS: list[Callable[[TestClient, Filters], list[int]]] = [newest_first, by_cursors, as_ndjson, as_csv]


@pytest.fixture
def gateway(api: TestClient) -> Iterator[TestClient]:
    """The same log behind API Gateway."""
    settings: Settings = api.app.state.connection.settings  # type: ignore[attr-defined]
    app = create_app(*ROUTERS, title="function", settings=settings.model_copy(update={"stream_seconds": 0.01}))
    behind = BehindGateway(app, by_jwt(sub="someone", scope=" ".join(SCOPES)))
    yield TestClient(behind)
    behind.close()
    app.state.connection.close()


def append(store: MongoStore) -> None:
    places = count()
    store.append(
        "main",
        [draft(event_type=kind, source_id=source, timestamp=START + next(places)) for kind, source in KINDS],
    )


def test_every_route_that_filters_takes_prefixes(api: TestClient, gateway: TestClient, store: MongoStore) -> None:
    """While all is pending, when half is settled, and when all is; the stream reads by seq and is asked once."""
    append(store)
    for settled in (0, 8):
        if settled:
            assert store.settle("main") == settled
        for given, wanted in CASES:
            for form in FORMS:
                assert form(api, given) == wanted[::-1], (settled, given, form)
            assert newest_first(gateway, given) == wanted[::-1], (settled, given)
            for way in (api, gateway):
                figures = way.get(STATS, params=given | ALL_TIMES | {"by": "source_id"}).json()
                assert figures["total"] == len(wanted), (settled, given)
                shown = {one["value"]: one["total"] for one in figures["series"]}
                sources = [KINDS[seq][1] for seq in wanted]
                assert shown == {source: sources.count(source) for source in sources}, (settled, given)
    for given, wanted in CASES:
        assert streamed(gateway, given) == wanted, given


def test_a_cursor_goes_with_its_prefixes_alone(api: TestClient, store: MongoStore) -> None:
    append(store)
    cursor = api.get(EVENTS, params={"event_type": ["user.login*"], "limit": 1}).json()["next_cursor"]
    for other in (["user.login"], ["user.login\\*"], ["user.login.*"], ["user.login*", "x"], []):
        answer = api.get(EVENTS, params={"event_type": other, "limit": 1, "cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/cursor"), other
    twice = {"event_type": ["user.login*", "user.login*"], "limit": 1, "cursor": cursor}
    assert api.get(EVENTS, params=twice).status_code == 200


def test_what_is_no_filter_is_named_in_every_route(api: TestClient, gateway: TestClient) -> None:
    for route in (EVENTS, STATS, STREAM):
        for way in (api, gateway):
            for text in ("*", "x" * 257, "x" * 513, "a\nb*"):
                answer = way.get(route, params={"source_id": ["x", text]})
                problem = answer.json()["errors"][0]
                assert (answer.status_code, problem["pointer"]) == (422, "/query/source_id/1"), (route, text)
    assert "before the '*'" in api.get(EVENTS, params={"event_type": "*"}).json()["errors"][0]["detail"]


def test_more_names_than_a_page_merges_are_refused(
    api: TestClient, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store)
    store.settle("main")
    monkeypatch.setattr(names, "MAX_NAMES", 3)
    one: Filters = {"event_type": ["user.*"]}
    many: Filters = {"event_type": ["user.login*"], "source_id": ["web-*"]}
    for route in (EVENTS, STATS):
        for asked, field in ((one, "event_type"), (many, "source_id")):
            answer = api.get(route, params=asked | ALL_TIMES)
            (problem,) = answer.json()["errors"]
            assert (answer.status_code, problem["pointer"]) == (422, f"/query/{field}")
            assert "longer prefix" in problem["detail"]
    # A shorter range of times has fewer of them.
    early: Filters = one | {"end_time": "2026-11-23T00:00:00.002Z"}
    assert newest_first(api, early) == [1, 0]


def test_names_that_take_too_long_to_find_are_refused(
    api: TestClient, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store)
    store.settle("main")
    monkeypatch.setattr(names, "MAX_SECONDS", 0.0)
    late: Filters = {"source_id": ["web-*"], "start_time": "2026-12-01T00:00:00Z"}
    answer = api.get(EVENTS, params=late)
    (problem,) = answer.json()["errors"]
    assert (answer.status_code, problem["pointer"]) == (422, "/query/source_id")
    assert "takes more than 0 seconds" in problem["detail"]


def test_a_name_that_ends_in_a_star_is_stored_as_it_is_and_asked_for_with_a_backslash(api: TestClient) -> None:
    event: dict[str, Any] = {"event_type": "a*", "source_id": "\\*", "timestamp": "2026-11-23T00:00:00Z", "payload": {}}
    assert api.post(EVENTS, json=event).status_code == 201
    assert api.post(EVENTS, json=event | {"event_type": "ab"}).status_code == 201
    assert newest_first(api, {"event_type": ["a\\*"]}) == [0]
    assert newest_first(api, {"event_type": ["a*"]}) == [1, 0]
    assert newest_first(api, {"source_id": ["\\\\\\*"]}) == [1, 0]
