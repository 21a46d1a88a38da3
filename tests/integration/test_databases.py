"""Which databases of earlier tests are used again: those alone that are as a log makes them, and empty."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from eventlog.store.mongo.store import open_log
from tests.support.databases import RESTS, Databases
from tests.support.factories import draft

Mongo = MongoClient[dict[str, Any]]


@pytest.fixture
def lent(client: Mongo, databases: Databases) -> Iterator[Databases]:
    """Of this test alone."""
    lent = Databases(client)
    lent.prepare = databases.prepare
    yield lent
    lent.close()


def test_a_log_is_empty_when_it_is_used_again(client: Mongo, lent: Databases) -> None:
    name = logged(client, lent)
    lent.give_back(name)
    assert name in taken(lent)
    assert all(client[name][made].find_one() is None for made in client[name].list_collection_names())


def change_nothing(_: Database[Any]) -> None:
    """A database that nobody has written to."""


def add_a_collection(database: Database[Any]) -> None:
    database.create_collection("others")


def add_a_validator(database: Database[Any]) -> None:
    database.command("collMod", "quotas", validator={"day": {"$type": "date"}})


def add_an_index(database: Database[Any]) -> None:
    database["quotas"].create_index("day")


def make_an_index_another(database: Database[Any]) -> None:
    database["audits"].drop_index("chain_1__id_1")
    database["audits"].create_index([("chain", 1), ("_id", 1)], sparse=True)


def hide_an_index(database: Database[Any]) -> None:
    database.command("collMod", "audits", index={"name": "chain_1__id_1", "hidden": True})


def add_a_view_of_nothing(database: Database[Any]) -> None:
    database.command("create", "erasures", viewOn="gone", pipeline=[])


def cap_a_collection(database: Database[Any]) -> None:
    database.create_collection("erasures", capped=True, size=4096)


CHANGES = (
    add_a_collection,
    add_a_validator,
    add_an_index,
    make_an_index_another,
    hide_an_index,
    add_a_view_of_nothing,
    cap_a_collection,
)


@pytest.mark.parametrize("change", [change_nothing, *CHANGES])
def test_what_a_test_has_changed_is_not_used_again(
    client: Mongo, lent: Databases, change: Callable[[Database[Any]], None]
) -> None:
    name = logged(client, lent)
    client[name].create_collection("quotas")
    change(client[name])
    lent.give_back(name)
    kept = change is change_nothing
    assert bool(client[name].list_collection_names()) is kept
    assert (name in taken(lent)) is kept


def test_what_is_written_to_after_its_test_is_not_used_again(client: Mongo, lent: Databases) -> None:
    name = logged(client, lent)
    lent.give_back(name)
    client[name]["erasures"].insert_one({"_id": "main"})
    assert name not in taken(lent)
    assert client[name].list_collection_names() == []


def logged(client: Mongo, lent: Databases) -> str:
    """A database with one event."""
    name = lent.take()
    store = open_log(client, name, "example.com/log")
    store.append("main", [draft(chain="main")])
    store.settle("main")
    return name


def taken(lent: Databases) -> list[str]:
    """The databases of tests that come next, more than rest before one is used again."""
    names = [lent.take() for _ in range(2)]
    for _ in range(RESTS):
        lent.give_back(lent.take(new=True))
        names.append(lent.take())
    for name in names:
        lent.give_back(name)
    return names
