"""Searches by declared fields over HTTP: from the declaration to pages, figures, streams and suggestions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.store.mongo.store import MongoStore
from eventlog_client import EventLog
from tests.support.searched import SearchServer as Server
from tests.support.searched import event, search_server
from tests.support.serving import served

EVENTS, STATS = "/api/v1/events", "/api/v1/stats"
PAYLOADS: list[dict[str, Any]] = [
    {"user": "u-17", "ip": "10.0.0.1"},
    {"actor": {"id": "u-17"}, "ip": "10.0.0.2"},
    {"user": "u-18", "ip": "10.0.0.1", "targets": [{"id": 1}, {"id": True}]},
    {"note": "no field"},
]
ALL_TIMES = {"start_time": "1970-01-01T00:00:00Z", "end_time": "10000-01-01T00:00:00Z"}


def search(api: TestClient, *keys: str, **others: Any) -> dict[str, Any]:
    answer = api.get(EVENTS, params={"key": list(keys), **others})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def seqs(api: TestClient, *keys: str, **others: Any) -> list[int]:
    return [each["seq"] for each in search(api, *keys, **others)["events"]]


@pytest.fixture
def server(mongo_uri: str, database: str) -> Iterator[Server]:
    with search_server(mongo_uri, database) as server:
        yield server


@pytest.fixture(params=["pending", "settled"])
def api(request: pytest.FixtureRequest, server: Server, store: MongoStore) -> TestClient:
    for number, payload in enumerate(PAYLOADS):
        server.api.post(EVENTS, json=event(payload, number)).raise_for_status()
    if request.param == "settled":
        assert store.settle("main") == len(PAYLOADS)
    return server.api


def test_events_are_found_by_their_keys_in_every_route(api: TestClient) -> None:
    assert seqs(api, "user:u-17") == [1, 0]
    assert seqs(api, "user:u-17", order="asc") == [0, 1]
    assert seqs(api, "user:u-17", "ip:10.0.0.1") == [0]
    assert seqs(api, "user:u-17", event_type="user.logo*") == [1]
    assert seqs(api, "user:u-17", source_id="none") == []
    assert seqs(api, "user:u-17", start_time="2026-11-21T00:00:00Z") == [1]
    assert seqs(api, "target:true") == seqs(api, "target:1") == [2]
    assert seqs(api, "user:none") == seqs(api, "user:u-1") == []
    first = search(api, "user:u-17", limit=1)
    assert first["search"] == {"version": 1, "indexed_version": 1, "complete": True}
    api.post(EVENTS, json=event({"user": "u-17"}, 0)).raise_for_status()  # a walk gives each once, whatever comes
    second = search(api, "user:u-17", limit=1, cursor=first["next_cursor"])
    assert ([each["seq"] for each in second["events"]], second["next_cursor"]) == ([0], None)
    assert seqs(api, "user:u-17", order="asc") == [0, 4, 1]
    other = api.get(EVENTS, params={"key": "user:u-18", "limit": 1, "cursor": first["next_cursor"]})
    assert other.status_code == 422  # a cursor belongs to its keys
    for form in ("application/x-ndjson", "text/csv"):
        lines = api.get(EVENTS, params={"key": "user:u-17", "order": "asc"}, headers={"Accept": form})
        rows = lines.text.splitlines()[form == "text/csv" :]
        found = [each["event_id"] for each in search(api, "user:u-17", order="asc")["events"]]
        assert [one in row for one, row in zip(found, rows, strict=True)] == [True] * 3
        assert lines.headers["Search-Index"] == "version=1, indexed_version=1, complete=true"
    figures = api.get(STATS, params={"key": "user:u-17", "by": "event_type", **ALL_TIMES}).json()
    assert (figures["total"], len(figures["series"])) == (3, 2)
    assert figures["search"]["complete"]
    assert "search" not in api.get(STATS).json()
    assert "search" not in api.get(EVENTS).json()


def test_what_can_be_searched_for_is_said_from_an_index(api: TestClient) -> None:
    fields = api.get("/api/v1/search-fields").json()
    assert fields["fields"] == {"ip": ["/ip"], "target": ["/targets/*/id"], "user": ["/actor/id", "/user"]}
    assert (fields["version"], fields["indexed_version"], len(fields["versions"])) == (1, 1, 1)

    def suggest(**given: Any) -> tuple[list[str], bool]:
        found = api.get("/api/v1/suggestions", params=given).json()
        return found["values"], found["more"]

    assert suggest(field="user") == (["u-17", "u-18"], False)
    assert suggest(field="user", prefix="u-1", limit=1) == (["u-17"], True)
    assert suggest(field="ip", prefix="10.0.0.2") == (["10.0.0.2"], False)
    assert suggest(field="user", prefix="v") == ([], False)
    assert suggest(field="event_type", prefix="user.logi") == (["user.login"], False)
    assert suggest(field="source_id") == (["web"], False)
    assert suggest(field="user", chain="none") == ([], False)
    unknown = api.get("/api/v1/suggestions", params={"field": "nobody"})
    assert unknown.json()["errors"][0]["detail"] == "is no field; known: event_type, source_id, ip, target, user"


def test_a_stream_brings_what_has_the_keys_pending_settled_and_to_come(server: Server, store: MongoStore) -> None:
    """Of one key, of two beside a type, and of a value that is no text."""
    for number, payload in enumerate(PAYLOADS * 2):
        server.append(payload, number)
        if number == 5:
            assert store.settle("main") == 6
    with served(server.app) as url, EventLog(url) as log:
        of_user = log.tail(from_seq=0, key="user:u-17")
        assert [next(of_user).seq for _ in range(4)] == [0, 1, 4, 5]
        server.append({"user": "u-18"})
        server.append({"actor": {"id": "u-17"}})
        assert next(of_user).seq == 9
        of_both = log.tail(from_seq=0, key=["user:u-17", "ip:10.0.0.1"], event_type="user.login")
        assert [next(of_both).seq for _ in range(2)] == [0, 4]
        other = log.tail(from_seq=0, key="target:true")
        assert [next(other).seq for _ in range(2)] == [2, 6]


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("nobody:x", "'nobody' is no search field of this log; known: ip, target, user"),
        ("user", "must be a field and its value with a colon between"),
        (":x", "must be a field and its value with a colon between"),
        (f"user:{'x' * 257}", "has a value of more than 256 characters"),
    ],
)
@pytest.mark.parametrize("path", [EVENTS, STATS, f"{EVENTS}/stream"])
def test_a_key_of_no_declared_field_is_refused(server: Server, path: str, key: str, detail: str) -> None:
    refused = server.api.get(path, params={"key": key})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"].startswith("/query/key")
    assert detail in error["detail"]


def test_an_event_that_does_not_fit_is_refused_at_its_place_but_a_replay_never(
    mongo_uri: str, database: str, server: Server
) -> None:
    api, long = server.api, event({"actor": {"id": "x" * 257}})
    refused = api.post(EVENTS, json=long)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/payload/actor/id"
    batch = api.post(f"{EVENTS}/batch", json=[event({"user": "u"}), event({"targets": [{"id": n} for n in range(33)]})])
    assert [each["pointer"] for each in batch.json()["errors"]] == ["/1/payload/targets/32/id"]
    cloudevent = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "user": "x" * 257}
    as_cloudevent = {"content-type": "application/cloudevents+json"}
    refused = api.post(EVENTS, content=json.dumps(cloudevent), headers=as_cloudevent)
    assert refused.json()["errors"][0]["pointer"] == "/user"
    assert api.get(EVENTS).json()["events"] == []
    older = Server(mongo_uri, database, "")
    assert older.api.post(EVENTS, json=long | {"event_id": "mine"}).status_code == 201
    assert api.post(EVENTS, json=long | {"event_id": "mine"}).status_code == 200
    older.app.state.connection.close()


def test_an_older_writer_beside_a_newer_one_is_no_finding_and_searches_say_what_is_not_indexed(
    mongo_uri: str, database: str, server: Server, store: MongoStore
) -> None:
    older = Server(mongo_uri, database, "")
    for number, writer in enumerate((older, server, older, server)):
        writer.api.post(EVENTS, json=event({"user": "u-17"}, number)).raise_for_status()
    found = search(server.api, "user:u-17")
    assert [each["seq"] for each in found["events"]] == [3, 1]
    assert found["search"] == {"version": 1, "indexed_version": 0, "complete": False}
    store.settle("main")
    assert search(server.api, "user:u-17")["search"] == found["search"]
    assert server.api.get("/api/v1/search-fields").json()["indexed_version"] == 0
    reports = server.audit("full")
    assert {each["status"] for each in reports} == {"intact"}
    older.app.state.connection.close()


def test_another_declaration_is_another_version_and_what_has_the_same_rule_is_complete(
    mongo_uri: str, database: str, server: Server
) -> None:
    server.api.post(EVENTS, json=event({"user": "u-17", "ip": "10.0.0.1"})).raise_for_status()
    changed = Server(mongo_uri, database, "user=/user,/actor/id; ip=/ip,/from")
    changed.audit()
    changed.audit()  # declared once
    changed.api.post(EVENTS, json=event({"user": "u-17", "from": "10.0.0.1"}, 1)).raise_for_status()
    kept = search(changed.api, "user:u-17")
    assert [each["seq"] for each in kept["events"]] == [1, 0]
    assert kept["search"] == {"version": 2, "indexed_version": 1, "complete": True}
    assert not search(changed.api, "ip:10.0.0.1")["search"]["complete"]
    fields = changed.api.get("/api/v1/search-fields").json()
    assert [each["version"] for each in fields["versions"]] == [1, 2]
    declared = changed.api.get(EVENTS, params={"chain": "eventlog.registry", "event_type": "eventlog.search_fields"})
    assert [each["payload"] for each in declared.json()["events"]][::-1] == fields["versions"]
    withdrawn = Server(mongo_uri, database, "")
    withdrawn.audit()
    refused = withdrawn.api.get(EVENTS, params={"key": "user:u-17"})
    assert "it has declared none" in refused.json()["errors"][0]["detail"]
    for one in (changed, withdrawn):
        one.app.state.connection.close()
