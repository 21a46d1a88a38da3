"""Keys that were edited, older events that are indexed anew, and what is stored where nothing is declared."""

from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson import Int64
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from admin.command import CommandError
from admin.reindex import reindex
from eventlog.formats.search_keys import SearchFields, parse_fields
from eventlog.store.mongo import reindex as steps
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.push import push_command
from eventlog.store.mongo.reindex import Progress, Reindexer
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from eventlog.stored.bodies import APART_FROM
from eventlog.verify.fast_path import verify_segment
from tests.support.factories import draft
from tests.support.profiled import counted
from tests.support.searched import SearchServer, event, search_server
from tests.support.watched import from_now, told_since

NEWER = "user=/user,/actor/id; ip=/ip,/from"


@pytest.fixture
def server(mongo_uri: str, database: str) -> Iterator[SearchServer]:
    with search_server(mongo_uri, database) as server:
        yield server


@pytest.fixture
def newer(mongo_uri: str, database: str, server: SearchServer) -> Iterator[SearchServer]:
    """The same log after another deployment, with five events from before it, one of them without keys."""
    with search_server(mongo_uri, database, "", declared=False) as older:
        older.append({"user": "u-1", "from": "10.0.0.1"})
    for number in range(1, 5):
        server.append({"user": f"u-{number % 2}", "from": "10.0.0.1"}, number)
    with search_server(mongo_uri, database, NEWER) as newer:
        yield newer


def findings(reports: list[dict[str, Any]], server: SearchServer) -> list[tuple[str, int | None]]:
    shown = [server.api.get(f"/api/v1/audits/{report['audit_id']}").json() for report in reports]
    return [(found["kind"], found["seq"]) for report in shown for found in report["findings"]]


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_key_edited_away_is_found_at_its_event_by_both_audits(
    server: SearchServer, store: MongoStore, client: MongoClient[dict[str, Any]], database: str, mode: str
) -> None:
    for number in range(4):
        server.append({"user": "u-17", "ip": "10.0.0.1"}, number)
    store.settle("main")
    assert findings(server.audit("full"), server) == []
    for number in range(4):
        server.append({"user": "u-17", "ip": "10.0.0.1"}, number)
    store.settle("main")
    events = client[database].events
    events.update_one({"chain": "main", "seq": 6}, {"$set": {"keys": ["ip:10.0.0.1"]}})
    assert server.seqs("user:u-17", order="asc") == [0, 4, 1, 5, 2, 3, 7]
    audits = AuditStore(store)  # a worker leaves the segment to the audit
    assert verify_segment("main", 4, 8, audits.scan("main", 4, 8), audits.rules) is None
    assert findings(server.audit(mode), server) == [("index_mismatch", 6)]
    assert "10.0.0.1" not in server.api.get("/api/v1/audits").text


def test_reindexing_brings_all_to_the_newest_version_whatever_ends_it_and_no_audit_minds(
    newer: SearchServer, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.settle("main")
    assert newer.search("ip:10.0.0.1")["search"] == {"version": 2, "indexed_version": 0, "complete": False}
    monkeypatch.setattr(steps, "BATCH", 2)
    fields = SearchFields(parse_fields(NEWER).fields, 2)
    before = from_now(store)
    lowest = []
    for number in range(3):  # each time it ends after a batch; another process appends meanwhile
        progress = Progress()
        Reindexer(store, fields).run("main", progress, batches=1)
        lowest.append((progress.indexed, newer.search("ip:10.0.0.1")["search"]["indexed_version"]))
        newer.append({"user": "u-9", "from": "10.0.0.1"}, 5 + number)
    assert lowest == [(2, 1), (2, 1), (1, 2)]
    assert reindex(store, "") == 0
    assert newer.search("ip:10.0.0.1")["search"] == {"version": 2, "indexed_version": 2, "complete": True}
    assert len(newer.seqs("ip:10.0.0.1")) == 8
    assert told_since(store, before) == []
    assert findings(newer.audit("full"), newer) == []
    assert newer.seqs("user:u-1", order="asc") == [0, 1, 3]


def test_a_row_that_was_indexed_anew_is_no_other_event_to_who_settles_it_again(
    server: SearchServer, newer: SearchServer, store: MongoStore
) -> None:
    operations = operations_of(store)
    server.append({"from": "10.0.0.1"}, 6)  # by the older declaration
    image = operations.read_sequence("main")
    assert image is not None
    pending = list(image.events())
    store.settle("main")
    assert reindex(store, "main") == 0
    with operations.session() as session:
        operations.insert(pending, session)  # a settler that was slow
    assert newer.search("ip:10.0.0.1")["search"]["complete"]


def test_what_can_not_be_indexed_is_named_and_searches_go_on_to_say_so(
    server: SearchServer, newer: SearchServer, store: MongoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    server.append({"from": "x" * 257}, 6)
    store.settle("main")
    assert reindex(store, "main") == 3
    shown = capsys.readouterr().out
    assert "main: 5 events indexed" in shown
    assert "event 5 is left as it is: /from: the search field 'ip' takes a text of 256 characters at most" in shown
    assert newer.search("ip:10.0.0.1")["search"] == {"version": 2, "indexed_version": 1, "complete": False}


def test_nothing_is_reindexed_where_nothing_is_declared(store: MongoStore) -> None:
    with pytest.raises(CommandError, match="No search fields are declared"):
        reindex(store, "")


def test_payloads_that_are_stored_apart_are_indexed_anew_too_and_one_that_is_gone_is_named(
    server: SearchServer, newer: SearchServer, store: MongoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # by the older declaration
        server.append({"from": "10.0.0.1", "text": "x" * APART_FROM}, 6)
    store.settle("main")
    bodies = operations_of(store).bodies.rows
    assert bodies.count_documents({}) == 2
    last = bodies.find_one({})
    assert last is not None
    bodies.delete_one({"_id": last["_id"]})
    assert reindex(store, "main") == 3
    assert "main: 6 events indexed" in capsys.readouterr().out
    bodies.insert_one(last)
    assert reindex(store, "main") == 0
    assert newer.search("ip:10.0.0.1")["search"]["complete"]
    assert len(newer.seqs("ip:10.0.0.1")) == 7
    assert findings(newer.audit("full"), newer) == []


FIELDS_OF_THREE = "user=/user; ip=/ip; order=/order"


@pytest.mark.replica_set  # a router has no profiler
def test_three_fields_cost_an_append_no_command_and_the_bytes_of_their_keys_alone(
    mongo_uri: str, database: str, client: MongoClient[dict[str, Any]]
) -> None:
    """The same five events, in a log that declares three fields and in one that declares none."""
    payload = {"user": "u-17", "ip": "203.0.113.77", "order": 12}
    keys = ["ip:203.0.113.77", "order:12", "user:u-17"]
    costs, stored, pushed = [], [], []
    for name, fields in ((database, ""), (f"{database}_f", FIELDS_OF_THREE)):
        with search_server(mongo_uri, name, fields) as server:
            server.append(payload)  # what a first append makes
            with counted(client[name]) as cost:
                for _ in range(3):
                    server.append(payload)
                made = [event(payload), event(payload)]
                server.api.post("/api/v1/events/batch", json=made).raise_for_status()
            costs.append(cost)
            pending = (client[name].sequences.find_one({"_id": "main"}) or {})["pending"]
            pushed.append((len(raw(client[name].sequences, {"_id": "main"})), len(pending)))
            open_log(client, name, "").settle("main")
            (one, *_) = client[name].events.find({"chain": "main"}, {"keys": 1, "keys_version": 1})
            stored.append((len(raw(client[name].events, {"chain": "main", "seq": 3})), one.get("keys")))
    client.drop_database(f"{database}_f")
    assert costs[0] == costs[1]
    assert sum(costs[0].values()) >= 4
    extra = len(bson.encode({"keys_version": Int64(1), "keys": keys})) - len(bson.encode({}))
    assert (stored[1][0] - stored[0][0], stored[0][1], stored[1][1]) == (extra, None, keys)
    assert (pushed[1][0] - pushed[0][0], pushed[0][1]) == (pushed[1][1] * extra, pushed[1][1])
    assert pushed[0][1] >= 5


def raw(rows: Any, query: dict[str, Any]) -> bytes:
    """A document as it is stored."""
    found = rows.with_options(codec_options=CodecOptions(RawBSONDocument)).find_one(query)
    return bytes(found.raw)


def test_without_declared_fields_nothing_is_sent_or_stored_for_them(
    mongo_uri: str, database: str, client: MongoClient[dict[str, Any]], store: MongoStore
) -> None:
    entry = draft().entry
    assert entry.keys is None
    pushed = push_command("main", [entry], None, 0)[0]["update"]["$push"]["pending"]["$each"][0]
    assert list(pushed) == [
        *("event_id", "event_type", "source_id", "timestamp", "received_at", "principal"),
        *("payload", "salt", "payload_hash", "content_hash"),
    ]
    with search_server(mongo_uri, database, "") as server:
        server.append({"user": "u-17"})
        store.settle("main")
    (row,) = client[database].events.find({"chain": "main"})
    assert list(row)[-1] == "nodes"
    assert not any("keys" in str(index["key"]) for index in client[database].events.list_indexes())
    assert client[database].sequences.count_documents({"_id": "eventlog.registry"}) == 0
    assert Int64(0) == row["seq"]
