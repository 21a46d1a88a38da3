"""What the database users are refused: to change or remove an event, to drop, to reach what is not theirs."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import IndexModel, InsertOne, MongoClient, UpdateOne
from pymongo.database import Database
from pymongo.errors import OperationFailure

from tests.support.each import each
from tests.support.secured import SecuredLog

Db = Database[dict[str, Any]]
FUNCTIONS = ("ingest", "query", "audit", "erase")
NOT_AUTHORIZED = 13


@pytest.fixture(scope="module")
def full(secured_log: SecuredLog) -> SecuredLog:
    """One that holds something in each collection; none of the tests below can change it."""
    with secured_log.mongo.client() as client:
        for name in COLLECTIONS:
            held = client[secured_log.database][name]
            held.insert_one({"_id": "there", "n": 1}, bypass_document_validation=True)
    return secured_log


def update(db: Db, name: str) -> object:
    return db[name].update_one({"_id": "there"}, {"$set": {"n": 2}})


def replace(db: Db, name: str) -> object:
    return db[name].find_one_and_replace({"_id": "there"}, {"n": 2})


def upsert(db: Db, name: str) -> object:
    return db[name].bulk_write([UpdateOne({"_id": uuid4().hex}, {"$set": {"n": 2}}, upsert=True)])


def delete(db: Db, name: str) -> object:
    return db[name].delete_one({"_id": "there"})


def take_out(db: Db, name: str) -> object:
    return db[name].find_one_and_delete({"_id": "there"})


def insert(db: Db, name: str) -> object:
    return db[name].insert_one({"_id": uuid4().hex})


def insert_unvalidated(db: Db, name: str) -> object:
    return db[name].bulk_write([InsertOne({"_id": uuid4().hex})], bypass_document_validation=True)


def find(db: Db, name: str) -> object:
    return db[name].find_one()


def count(db: Db, name: str) -> object:
    return db[name].count_documents({})


def drop(db: Db, name: str) -> object:
    return db.command("drop", name)


def drop_indexes(db: Db, name: str) -> object:
    return db.command("dropIndexes", name, index="*")


def create_index(db: Db, name: str) -> object:
    return db[name].create_indexes([IndexModel("n", expireAfterSeconds=1)])


def unvalidate(db: Db, name: str) -> object:
    return db.command("collMod", name, validationLevel="off")


def rename(db: Db, name: str) -> object:
    return db[name].rename(f"{name}_old")


def overwrite(db: Db, name: str) -> object:
    return list(db["sequences"].aggregate([{"$out": name}]))


def merge(db: Db, name: str) -> object:
    return list(db["sequences"].aggregate([{"$merge": {"into": name, "whenMatched": "replace"}}]))


def compact(db: Db, name: str) -> object:
    return db.command("convertToCapped", name, size=4096)


Act = Callable[[Db, str], object]
REMOVES: list[Act] = [delete, take_out, drop, drop_indexes, create_index, unvalidate, rename, overwrite, compact]
CHANGES: list[Act] = [update, replace, upsert, merge]
WRITES: list[Act] = [insert, *CHANGES, *REMOVES]
READS: list[Act] = [find, count]
COLLECTIONS = ("events", "bodies", "sequences", "audits", "checkpoints", "cosignatures", "quotas", "heads", "erasures")
FORBIDDEN: dict[tuple[str, str], list[Act]] = {
    ("ingest", "events"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("ingest", "bodies"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("ingest", "sequences"): [insert_unvalidated, *REMOVES],
    ("ingest", "audits"): [*READS, *WRITES],
    ("ingest", "checkpoints"): [*READS, *WRITES],
    ("ingest", "cosignatures"): [*READS, *WRITES],
    ("ingest", "quotas"): [insert_unvalidated, *REMOVES],
    **{("query", name): WRITES for name in COLLECTIONS if name != "erasures"},
    ("query", "quotas"): [*READS, *WRITES],
    ("audit", "quotas"): [*WRITES],
    ("audit", "events"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("audit", "bodies"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("audit", "sequences"): [insert_unvalidated, *REMOVES],
    ("audit", "audits"): [insert_unvalidated, *REMOVES],
    ("audit", "checkpoints"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("audit", "cosignatures"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("ingest", "heads"): [*READS, *WRITES],
    ("audit", "heads"): [insert_unvalidated, *REMOVES],
    ("ingest", "erasures"): [*READS, *WRITES],
    ("query", "erasures"): [*READS, *WRITES],
    ("audit", "erasures"): [*WRITES],
    ("erase", "events"): [insert_unvalidated, *REMOVES],
    ("erase", "sequences"): [insert, upsert, insert_unvalidated, *REMOVES],
    ("erase", "bodies"): [insert_unvalidated, *CHANGES, drop, drop_indexes, create_index, unvalidate, rename, compact],
    ("erase", "checkpoints"): [*WRITES],
    ("erase", "erasures"): [insert_unvalidated, *REMOVES],
    **{("erase", name): [*READS, *WRITES] for name in ("audits", "cosignatures", "quotas", "heads", "others")},
    ("ingest", "others"): [*READS, *WRITES],
    ("query", "others"): [*READS, *WRITES],
    ("audit", "others"): WRITES,  # whoever watches the database may read all of it
}
CASES = [(*place, act) for place, acts in FORBIDDEN.items() for act in acts]


@pytest.fixture(scope="module")
def users(full: SecuredLog) -> Iterator[dict[str, MongoClient[dict[str, Any]]]]:
    clients = {name: MongoClient[dict[str, Any]](full.uri(name)) for name in FUNCTIONS}
    yield clients
    for client in clients.values():
        client.close()


@each("function, collection, act", CASES)
def test_the_user_is_refused(
    full: SecuredLog, users: dict[str, MongoClient[dict[str, Any]]], function: str, collection: str, act: Act
) -> None:
    with pytest.raises(OperationFailure) as raised:
        act(users[function][full.database], collection)
    assert raised.value.code == NOT_AUTHORIZED


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_user_can_neither_drop_the_database_nor_read_another_nor_make_users(
    full: SecuredLog, users: dict[str, MongoClient[dict[str, Any]]], function: str
) -> None:
    client = users[function]
    role = [{"role": "root", "db": "admin"}]
    acts: list[Callable[[], object]] = [
        lambda: client.drop_database(full.database),
        client["another"]["events"].find_one,
        client.local["oplog.rs"].find_one,
        lambda: client[full.database].command("createUser", "me", pwd="mine", roles=role),
        lambda: client[full.database].command("grantRolesToUser", f"eventlog-{function}", roles=role),
        lambda: client[full.database].command("updateUser", f"eventlog-{function}", pwd="another"),
    ]
    for act in acts:
        with pytest.raises(OperationFailure) as raised:
            act()
        assert raised.value.code == NOT_AUTHORIZED


def test_what_was_refused_changed_nothing(full: SecuredLog) -> None:
    with full.mongo.client() as client:
        for name in COLLECTIONS:
            assert list(client[full.database][name].find()) == [{"_id": "there", "n": 1}]


def test_nobody_without_a_password_gets_in(full: SecuredLog) -> None:
    uri = f"mongodb://{full.mongo.address}/?directConnection=true"
    with MongoClient[dict[str, Any]](uri) as client, pytest.raises(OperationFailure) as raised:
        client[full.database]["events"].find_one()
    assert raised.value.code == NOT_AUTHORIZED
