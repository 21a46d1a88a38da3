"""Figures for pictures: what is counted, in which buckets, and that an index alone answers."""

from itertools import product
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.formats.name_filter import NameFilter
from eventlog.store.interface.counts import Buckets, CountedField
from eventlog.store.mongo import counts
from eventlog.store.mongo.counts import EventCounter
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft

DAY = {"start_time": "2026-11-23T00:00:00Z", "end_time": "2026-11-24T00:00:00Z"}


def append(api: TestClient, *events: tuple[str, str, str]) -> None:
    for kind, source, moment in events:
        event = {"event_type": kind, "source_id": source, "timestamp": f"2026-11-23T{moment}Z", "payload": {}}
        assert api.post("/api/v1/events", json=event).status_code == 201


def ask(api: TestClient, **parameters: Any) -> Any:
    answer = api.get("/api/v1/stats", params=DAY | parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def filled(api: TestClient) -> TestClient:
    append(
        api,
        ("login", "web", "00:00:00.000"),
        ("login", "app", "05:59:59.999"),
        ("logout", "web", "06:00:00.000"),
        ("login", "web", "23:59:59.999"),
    )
    return api


def test_events_are_counted_by_bucket(filled: TestClient) -> None:
    found = ask(filled, bucket=21600)
    assert found["starts"] == [f"2026-11-23T{hour}:00:00.000Z" for hour in ("00", "06", "12", "18")]
    assert found["series"] == [{"value": None, "total": 4, "counts": [2, 1, 0, 1]}]
    assert (found["total"], found["bucket"], found["by"]) == (4, 21600, None)


def test_each_type_gets_a_series_the_most_frequent_first(filled: TestClient) -> None:
    series = ask(filled, bucket=21600, by="event_type")["series"]
    assert [(one["value"], one["counts"]) for one in series] == [("login", [2, 0, 0, 1]), ("logout", [0, 1, 0, 0])]


def test_sources_are_counted_too(filled: TestClient) -> None:
    series = ask(filled, bucket=86400, by="source_id")["series"]
    assert [(one["value"], one["total"]) for one in series] == [("web", 3), ("app", 1)]


def test_start_is_inclusive_and_end_exclusive(filled: TestClient) -> None:
    found = ask(filled, start_time="2026-11-23T05:59:59.999Z", end_time="2026-11-23T23:59:59.999Z")
    assert found["total"] == 2


def test_settled_and_pending_events_count_alike(filled: TestClient, store: MongoStore) -> None:
    before = ask(filled, by="event_type")
    store.settle("main")
    assert ask(filled, by="event_type") == before


def test_rare_values_are_counted_together(api: TestClient) -> None:
    append(api, *(("many", f"s{n:02}", "12:00:00") for n in range(14)), ("many", "s13", "12:00:01"))
    series = ask(api, by="source_id", bucket=86400)["series"]
    assert [one["value"] for one in series] == ["s13", *(f"s{n:02}" for n in range(11)), None]
    assert series[-1]["total"] == 2


def test_pending_events_can_lift_a_value_among_the_most_frequent(api: TestClient, store: MongoStore) -> None:
    append(api, *(("many", f"s{n:02}", "12:00:00") for n in range(13) for _ in range(2)))
    store.settle("main")
    append(api, ("many", "s12", "12:00:01"))
    assert store.unsettled() == {"main": 27}
    first = ask(api, by="source_id", bucket=86400)["series"][0]
    assert (first["value"], first["total"]) == ("s12", 3)


def test_an_empty_chain_has_empty_buckets(api: TestClient) -> None:
    found = ask(api, chain="nothing", bucket=43200)
    assert (found["total"], len(found["starts"])) == (0, 2)
    assert found["series"] == [{"value": None, "total": 0, "counts": [0, 0]}]


def test_the_last_day_is_shown_by_default(api: TestClient) -> None:
    found = api.get("/api/v1/stats").json()
    assert (found["bucket"], len(found["starts"])) in [(3600, 24), (3600, 25), (1800, 49)]


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"bucket": 0}, "/query/bucket"),
        ({"bucket": 60}, "/query/bucket"),
        ({"by": "payload"}, "/query/by"),
        ({"start_time": "soon"}, "/query/start_time"),
        ({"start_time": "2026-11-24T00:00:00Z"}, "/query/end_time"),
        ({"colour": "red"}, "/query/colour"),
        ({"chain": "No Chain"}, "/query/chain"),
    ],
)
def test_what_is_not_allowed_is_named(api: TestClient, parameters: dict[str, Any], pointer: str) -> None:
    answer = api.get("/api/v1/stats", params=DAY | parameters)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_more_events_than_the_limit_are_refused(filled: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MAX_COUNTED", 3)
    answer = filled.get("/api/v1/stats", params=DAY)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/start_time"
    assert ask(filled, end_time="2026-11-23T12:00:00Z")["total"] == 3


def test_what_takes_too_long_to_count_is_refused_and_not_tried_again(
    api: TestClient, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("main", [draft(source_id=f"s{n}", timestamp=1_795_392_000_000) for n in range(1000)])
    store.settle("main")
    monkeypatch.setattr(counts, "MAX_SECONDS", 0.001)
    answer = api.get("/api/v1/stats", params=DAY | {"by": "source_id"})
    assert answer.status_code == 422
    assert "takes more than 0.001 seconds" in answer.json()["errors"][0]["detail"]


@pytest.mark.replica_set  # a router does not explain
@pytest.mark.usefixtures("filled")
def test_no_document_is_read(store: MongoStore) -> None:
    store.settle("main")
    operations = operations_of(store)
    bys: tuple[CountedField | None, ...] = (None, "event_type", "source_id")
    limits: tuple[list[dict[str, Any]], ...] = ([], [{"$limit": 5}])  # of a short chain, and of a long one
    for by, types, sources, limit in product(bys, ([], ["log*"]), ([], ["web", "a*"]), limits):
        buckets = Buckets(
            chain="main",
            start=1_700_000_000_000,
            end=1_900_000_000_000,
            width=86_400_000,
            by=by,
            event_types=NameFilter.of(types),
            source_ids=NameFilter.of(sources),
        )
        assert EventCounter(store).count(buckets, 12).all.total() == 4
        with operations.session() as session:
            match = counts._match(operations, buckets, 4, session)
        command = {
            "aggregate": "events",
            "pipeline": [{"$match": match}, *limit, *counts._groups(buckets, 12, set())],
            "hint": counts._index(buckets),
            "cursor": {},
        }
        explained = operations.events.database.command("explain", command, verbosity="executionStats")
        figures = explained.get("executionStats") or explained["stages"][0]["$cursor"]["executionStats"]
        assert figures["totalDocsExamined"] == 0
        assert figures["totalKeysExamined"] <= 4 + 4, (by, types, sources)  # a seek for each value, or pair of them
