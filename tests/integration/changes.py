"""What is done to a log's database: by honest hands, and by others with what is told of it."""

from collections.abc import Callable
from typing import Any

from bson import Int64
from pymongo.database import Database

from eventlog.store.mongo.indexes import EVENTS, SEARCH
from eventlog.store.mongo.schema import COLLECTIONS

Act = Callable[[Database[dict[str, Any]]], object]
NAME, KEYS = EVENTS[1].name, EVENTS[1].keys
OPTIONS = {declared.name: declared.options for declared in COLLECTIONS}
OTHER_VERSION: dict[str, Any] = {"validator": {"$jsonSchema": {"bsonType": "object", "required": ["something new"]}}}


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


def index_hidden(db: Database[dict[str, Any]]) -> None:
    db.events.create_index(KEYS)
    change_index(db, name=NAME, hidden=True)


def all_indexes_dropped(db: Database[dict[str, Any]]) -> None:
    db.events.create_index(EVENTS[3].keys)
    db.events.drop_indexes()


def another_collection(db: Database[dict[str, Any]]) -> None:
    db.other.insert_one({})
    db.other.rename("more")
    db.more.drop()


def in_transaction(db: Database[dict[str, Any]]) -> None:
    with db.client.start_session() as session, session.start_transaction():
        db.events.update_one({}, {"$set": {"x": 1}}, session=session)


def erased(db: Database[dict[str, Any]], **fields: Any) -> object:
    """What erasing does, with an event that has a payload, a salt and keys."""
    before = {"_id": "main/x", "payload": "{}", "salt": bytes(16), "keys": ["user:secret"], "n": 1}
    db.events.insert_one(before)
    return db.events.update_one({"_id": "main/x"}, {"$set": {"salt": b"", **fields}})


def keys_removed(db: Database[dict[str, Any]]) -> None:
    """The first of the two is what ``make reindex`` does, and is not told."""
    db.events.update_one({}, {"$set": {"keys_version": Int64(2), "keys": ["user:secret"]}})
    db.events.update_one({}, {"$unset": {"keys_version": 1, "keys": 1}})


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
    "a declared index, as older tools make it": lambda db: db.events.create_index(EVENTS[3].keys, background=True),
    "an index that no query uses": lambda db: db.events.create_index("principal", unique=True),
    "an index of an operator's dropped": lambda db: dropped_index(db, [("principal", 1)]),
    "an index that differs dropped": lambda db: db.events.drop_index(EVENTS[2].name),
    "a hidden index shown again": shown_again,
    "pre-images": lambda db: db.command("collMod", "events", changeStreamPreAndPostImages={"enabled": True}),
    "another collection": another_collection,
    "a role": lambda db: db.command("createRole", "r", privileges=[], roles=[]),
    "an index of search fields, and without it": lambda db: dropped_index(db, SEARCH[0].keys),
    "an event that is indexed anew": lambda db: db.events.update_one(
        {}, {"$set": {"keys_version": Int64(2), "keys": ["user:secret"]}}
    ),
    "an event that is erased": lambda db: erased(db, payload=""),
    "an event that is erased, with keys": lambda db: erased(db, payload="", keys=[]),
    "an event that is erased, its payload apart": erased,
    "compact": lambda db: db.command("compact", "events", force=True),
}
WRONG: dict[str, tuple[Act, list[str]]] = {
    "an event that loses its keys": (keys_removed, ["the row 'main/e1' of events was updated"]),
    "an event that is indexed, and more": (
        lambda db: db.events.update_one({}, {"$set": {"keys": ["user:secret"], "principal": "secret"}}),
        ["the row 'main/e1' of events was updated"],
    ),
    "an event that is erased, and more": (
        lambda db: erased(db, payload="", n=2),
        ["the row 'main/x' of events was updated"],
    ),
    "an event that gets another payload and no salt": (
        lambda db: erased(db, payload="secret"),
        ["the row 'main/x' of events was updated"],
    ),
    "an event without a payload that keeps its salt": (
        lambda db: db.events.update_one({}, {"$set": {"payload": ""}}),
        ["the row 'main/e1' of events was updated"],
    ),
    "an event that gets a payload again": (
        lambda db: (erased(db, payload=""), db.events.update_one({"n": 1}, {"$set": {"payload": "secret"}})),
        ["the row 'main/x' of events was updated"],
    ),
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
    "delete of a cosignature": (
        lambda db: (db.cosignatures.insert_one({"_id": "main/1/k"}), db.cosignatures.delete_one({})),
        ["the row 'main/1/k' of cosignatures was deleted"],
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
        all_indexes_dropped,
        [f"events: the index {EVENTS[3].name} was dropped"],
    ),
    "a collection by time": (
        lambda db: remade(db, "checkpoints", timeseries={"timeField": "time"}),
        ["checkpoints: it was made anew with pipeline, viewOn"],
    ),
    "a clustered collection": (
        lambda db: remade(db, "checkpoints", clusteredIndex={"key": {"_id": 1}, "unique": True}),
        ["checkpoints: it was made anew with clusteredIndex"],
    ),
    "an index that is not unique": (
        lambda db: db.events.create_index(EVENTS[0].keys),
        [f"events: the index {EVENTS[0].name} was made, and is none that is declared"],
    ),
    "a sparse index": (
        lambda db: db.events.create_index(EVENTS[3].keys, sparse=True),
        [f"events: the index {EVENTS[3].name} was made, and is none that is declared"],
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
        index_hidden,
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


def fill(db: Database[dict[str, Any]], *, checkpoints: bool) -> None:
    """One row of each collection; those that make a collection anew need one that is not there."""
    db.client.drop_database(db.name)
    db.events.insert_one({"_id": "main/e1", "chain": "main", "seq": 1})
    db.sequences.insert_one({"_id": "main", "size": Int64(1)})
    db.audits.insert_one({"_id": "r"})
    db.events.create_index(EVENTS[2].keys, hidden=True)
    if checkpoints:
        db.checkpoints.insert_one({"_id": "main/1"})
