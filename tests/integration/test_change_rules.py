"""What MongoDB really tells of each change, and which of them are wrong. Rows name what is done; nothing is simulated.

Only what a cluster that is not sharded can't do is given as MongoDB's documentation has it.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64, Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from admin.setup import Setup
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.change_rules import judge
from eventlog.store.mongo.indexes import EVENTS
from eventlog.store.mongo.leases import Leases
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.watch import MongoWatch
from tests.support.factories import draft

Act = Callable[[Database[dict[str, Any]]], object]
NAME, KEYS = EVENTS[1].name, EVENTS[1].keys
OPTIONS = {declared.name: declared.options for declared in COLLECTIONS}
OTHER_VERSION = {"validator": {"$jsonSchema": {"bsonType": "object", "required": ["something new"]}}}


def remade(db: Database[dict[str, Any]], name: str, **options: Any) -> None:
    """Makes a collection that was not there."""
    db.create_collection(name, **options)


def dropped_index(db: Database[dict[str, Any]], keys: Any, **options: Any) -> None:
    db.events.drop_index(db.events.create_index(keys, **options))


def change_index(db: Database[dict[str, Any]], **change: Any) -> None:
    db.command("collMod", "events", index=change)


def shown_again(db: Database[dict[str, Any]]) -> None:
    db.events.create_index("principal", name="p", hidden=True)
    change_index(db, name="p", hidden=False)


def in_transaction(db: Database[dict[str, Any]]) -> None:
    with db.client.start_session() as session, session.start_transaction():
        db.events.update_one({}, {"$set": {"x": 1}}, session=session)


HONEST: dict[str, Act] = {
    "insert": lambda db: db.events.insert_one({"_id": "main/e2"}),
    "insert of a report": lambda db: db.audits.insert_one({"_id": "r2"}),
    "update of a sequence document": lambda db: db.sequences.update_one({}, {"$set": {"size": Int64(2)}}),
    "replacement of a sequence document": lambda db: db.sequences.replace_one({}, {"n": 1}),
    "update of a report": lambda db: db.audits.update_one({}, [{"$replaceWith": {"_id": "$_id", "n": 1}}]),
    "the declared rules again": lambda db: db.command("collMod", "events", **OPTIONS["events"]),
    "a collection as declared": lambda db: remade(db, "checkpoints", **OPTIONS["checkpoints"]),
    "a collection by its first insert": lambda db: remade(db, "checkpoints"),
    "a declared index": lambda db: db.events.create_index(KEYS),
    "a declared index under another name": lambda db: db.events.create_index(EVENTS[3].keys, name="mine"),
    "an index that no query uses": lambda db: db.events.create_index("principal", unique=True),
    "an index of an operator's dropped": lambda db: dropped_index(db, [("principal", 1)]),
    "an index that differs dropped": lambda db: db.events.drop_index(EVENTS[2].name),
    "a hidden index shown again": shown_again,
    "pre-images": lambda db: db.command("collMod", "events", changeStreamPreAndPostImages={"enabled": True}),
    "another collection": lambda db: (db.other.insert_one({}), db.other.rename("more"), db.more.drop()),
    "a role": lambda db: db.command("createRole", "r", privileges=[], roles=[]),
    "compact": lambda db: db.command("compact", "events", force=True),
}
WRONG: dict[str, tuple[Act, list[str]]] = {
    "update": (
        lambda db: db.events.update_one({}, {"$set": {"payload": "secret"}}),
        ["the row 'main/e1' of events was updated"],
    ),
    "replace": (
        lambda db: db.events.replace_one({}, {"chain": "main", "seq": 7, "payload": "secret"}),
        ["the row 'main/e1' of events was replaced"],
    ),
    "delete": (lambda db: db.events.delete_one({}), ["the row 'main/e1' of events was deleted"]),
    "find and modify": (
        lambda db: db.checkpoints.find_one_and_update({}, {"$set": {"note": "secret"}}),
        ["the row 'main/1' of checkpoints was updated"],
    ),
    "merge": (
        lambda db: db.events.aggregate([{"$set": {"x": 1}}, {"$merge": "events"}]),
        ["the row 'main/e1' of events was updated"],
    ),
    "in a transaction": (in_transaction, ["the row 'main/e1' of events was updated"]),
    "delete of a sequence document": (
        lambda db: db.sequences.delete_one({}),
        ["the row 'main' of sequences was deleted"],
    ),
    "delete of a report": (lambda db: db.audits.delete_one({"_id": "r"}), ["the row 'r' of audits was deleted"]),
    "out": (
        lambda db: db.sequences.aggregate([{"$out": "events"}]),
        ["the collection tmp.agg_out.* was renamed to *.events"],
    ),
    "drop": (lambda db: db.events.drop(), ["the collection events was dropped"]),
    "rename": (
        lambda db: (db.events.rename("away"), db.away.rename("events")),
        ["the collection events was renamed to *.away", "the collection away was renamed to *.events"],
    ),
    "capped": (
        lambda db: db.command("convertToCapped", "audits", size=9999),
        ["the collection tmp* was renamed to *.audits"],
    ),
    "a view": (
        lambda db: remade(db, "checkpoints", viewOn="events", pipeline=[]),
        ["checkpoints: it was made anew with pipeline, viewOn"],
    ),
    "a collation": (
        lambda db: remade(db, "checkpoints", collation={"locale": "en", "strength": 2}),
        ["checkpoints: it was made anew with collation"],
    ),
    "a limited size": (
        lambda db: remade(db, "checkpoints", capped=True, size=9999),
        ["checkpoints: it was made anew with capped, size"],
    ),
    "a declared index dropped": (
        lambda db: dropped_index(db, EVENTS[3].keys),
        [f"events: the index {EVENTS[3].name} was dropped"],
    ),
    "all indexes dropped": (
        lambda db: (db.events.create_index(EVENTS[3].keys), db.events.drop_indexes()),
        [f"events: the index {EVENTS[3].name} was dropped"],
    ),
    "a partial index": (
        lambda db: db.events.create_index(EVENTS[4].keys, partialFilterExpression={"seq": {"$lt": 3}}),
        [f"events: the index {EVENTS[4].name} was made, and is none that is declared"],
    ),
    "a declared name": (
        lambda db: db.events.create_index("principal", name=EVENTS[4].name),
        [f"events: the index {EVENTS[4].name} was made, and is none that is declared"],
    ),
    "an expiry": (
        lambda db: db.events.create_index("received_at", name="ttl", expireAfterSeconds=1_000_000),
        ["events: the index ttl was made, and is none that is declared"],
    ),
    "an index hidden": (
        lambda db: (db.events.create_index(KEYS), change_index(db, name=NAME, hidden=True)),
        [f"events: the index {NAME} was changed (hidden)"],
    ),
    "no rules": (
        lambda db: db.command("collMod", "audits", validator={}),
        ["audits: its validator was removed or changed to one that no version declares"],
    ),
    "rules that refuse findings": (
        lambda db: db.command("collMod", "audits", validator={"status": {"$ne": "tampered"}}),
        ["audits: its validator was removed or changed to one that no version declares"],
    ),
    "rules that are not enforced": (
        lambda db: db.command("collMod", "events", **OPTIONS["events"] | {"validationAction": "warn"}),
        ["events: its validator was removed or changed to one that no version declares"],
    ),
}


def told(store: MongoStore, act: Callable[[], object]) -> list[tuple[bool, str]]:
    """What comes of an act, up to a mark after it."""
    watch = MongoWatch(store)
    with watch.open(None) as changes:
        act()
        mark, found = watch.put_mark(), changes.read(10)
        while changes.mark != mark:
            found += changes.read(10)
    assert not any("secret" in str(change) for change in found)
    return [(change.wrong, change.what) for change in found]


def fill(db: Database[dict[str, Any]], *, checkpoints: bool) -> None:
    """One row of each collection; those that make a collection anew need one that is not there."""
    db.client.drop_database(db.name)
    db.events.insert_one({"_id": "main/e1", "chain": "main", "seq": 1})
    db.sequences.insert_one({"_id": "main", "size": Int64(1)})
    db.audits.insert_one({"_id": "r"})
    db.events.create_index(EVENTS[2].keys, hidden=True)
    if checkpoints:
        db.checkpoints.insert_one({"_id": "main/1"})


def same(found: list[str], expected: list[str]) -> bool:
    """``*`` stands for what MongoDB or the test chose."""
    patterns = [re.escape(text).replace(r"\*", ".*") for text in expected]
    return len(found) == len(patterns) and all(map(re.fullmatch, patterns, found))


@pytest.fixture
def db(client: MongoClient[dict[str, Any]], database: str) -> Database[dict[str, Any]]:
    return client[database]


def test_what_the_log_and_its_operators_do_is_never_told(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    for name, act in HONEST.items():
        fill(db, checkpoints=not name.startswith("a collection"))
        assert told(store, lambda act=act: act(db)) == [], name  # type: ignore[misc]


def test_what_nobody_should_do_is_told_without_a_payload(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    for name, (act, expected) in WRONG.items():
        fill(db, checkpoints=not any("anew" in text for text in expected))
        found = told(store, lambda act=act: act(db))  # type: ignore[misc]
        assert all(wrong for wrong, _ in found), name
        assert same([what for _, what in found], expected), (name, found)


def test_rules_of_another_version_accuse_nobody(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    """While a new version is brought in, its rules are there and the audit is still the old one."""
    fill(db, checkpoints=True)
    text = "events: its validator was changed to one that this version does not declare"
    assert told(store, lambda: db.command("collMod", "events", **OTHER_VERSION)) == [(False, text)]


def test_setting_a_database_up_is_never_told(store: MongoStore, db: Database[dict[str, Any]], mongo_uri: str) -> None:
    """A new one, one that is in use, and one whose rules were never declared."""
    setup = Setup(db.client, mongo_uri, db.name, check=False)

    def twice() -> None:
        for _ in range(2):
            assert all(result.state != "refused" for result in setup.collections())

    assert told(store, twice) == []
    db.client.drop_database(db.name)
    store.append("main", [draft() for _ in range(3)])
    assert told(store, twice) == []


def test_the_logs_own_work_is_never_told(store: MongoStore) -> None:
    audits, leases = AuditStore(store), Leases(store)

    def work() -> None:
        for _ in range(120):
            store.append("main", [draft()])
        store.append("main", [draft() for _ in range(300)])
        store.settle("main")
        assert leases.take("schedule/full", "me")
        leases.renew("schedule/full", "me")
        leases.release("schedule/full", "me")
        audits.forget_verified("main", 3)
        assert audits.take_running() is None
        operations_of(store).ensure_indexes()

    assert told(store, work) == []


def test_the_chain_and_the_seq_come_from_the_row_or_its_id(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    fill(db, checkpoints=True)
    watch = MongoWatch(store)
    with watch.open(None) as changes:
        db.events.update_one({}, {"$set": {"x": 1}})
        db.events.replace_one({}, {"chain": "other", "seq": Int64(9)})
        db.sequences.delete_one({})
        db.audits.delete_one({"_id": "r"})
        db.checkpoints.delete_one({})
        found = changes.read(10)
        while len(found) < 5:
            found += changes.read(10)
    assert [(change.chain, change.seq) for change in found] == [
        ("main", None),
        ("other", 9),
        ("main", None),
        (None, None),
        ("main", None),
    ]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("shardCollection", None),
        ("refineCollectionShardKey", None),
        ("reshardCollection", None),
        ("invalidate", None),
        ("somethingNew", False),
    ],
)
def test_what_a_sharded_cluster_or_a_later_server_tells(operation: str, expected: bool | None) -> None:
    event = {
        "operationType": operation,
        "ns": {"db": "log", "coll": "events"},
        "clusterTime": Timestamp(1, 1),
        "operationDescription": {"shardKey": {"chain": 1, "seq": 1}},
    }
    found = judge(event)
    assert (found and found.wrong) == expected
