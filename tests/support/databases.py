"""Databases for tests, used again once they are empty: to make and to drop one costs more than most tests do."""

from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from bson import json_util
from pymongo import MongoClient

from eventlog.store.mongo.schema import COLLECTIONS

RESTS = 4
"""A database is used again after this many others: what an earlier test left running has ended by then."""

Shape = frozenset[str]
"""What a database's collections are: the name, options and indexes of each as text."""


class Databases:
    """Gives each test an empty database, and drops in the end what it made.

    Used again is only what looks as a log makes it by itself. A test that adds validators, or changes an index or a
    collection, leaves a database that is dropped, as does one in which something still writes after it has ended.
    """

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self._client = client
        self.prepare: Callable[[str], None] = lambda _: None
        """What is done with each that is made and may have collections."""
        self._resting: deque[str] = deque()
        self._usual: Shape | None = None

    def take(self, *, new: bool = False) -> str:
        """The name of an empty database; a new one has no collections either."""
        while len(self._resting) > RESTS and not new:
            name = self._resting.popleft()
            if not self._filled(name):
                return name
            self._client.drop_database(name)
        name = f"test_{uuid4().hex[:12]}"
        if not new:
            self.prepare(name)
        return name

    def give_back(self, name: str) -> None:
        """Empty a database, or drop it."""
        if self._shape(name) <= self._usual_shape():
            for collection in self._filled(name):
                self._client[name][collection].delete_many({})
            self._resting.append(name)
        else:
            self._client.drop_database(name)

    def close(self) -> None:
        """Drop those that are left."""
        for name in self._resting:
            self._client.drop_database(name)

    def _usual_shape(self) -> Shape:
        """How a log looks that nobody set up: what ``ensure_indexes`` and first writes make."""
        if self._usual is None:
            name = f"test_{uuid4().hex[:12]}"
            self.prepare(name)
            database = self._client[name]
            for declared in COLLECTIONS:
                if declared.name not in database.list_collection_names():
                    database.create_collection(declared.name)
                for index in declared.indexes:
                    database[declared.name].create_index(index.keys, unique=index.unique)
            self._usual = self._shape(name)
            self._resting.append(name)
        return self._usual

    def _shape(self, name: str) -> Shape:
        """What is in a database, by one command."""
        found = self._client.admin.aggregate([{"$listCatalog": {}}, {"$match": {"db": name}}])
        return frozenset(json_util.dumps(_described(collection)) for collection in found)

    def _filled(self, name: str) -> list[str]:
        """Which collections are not empty, by one command; there may be others than a log's."""
        first, *others = (declared.name for declared in COLLECTIONS)
        looks = [{"$unionWith": {"coll": other, "pipeline": _look(other)}} for other in others]
        return [found["_id"] for found in self._client[name][first].aggregate([*_look(first), *looks])]


def _look(collection: str) -> list[dict[str, Any]]:
    """The stages that leave a collection's name if there is anything in it."""
    return [{"$limit": 1}, {"$project": {"_id": collection}}]


def _described(collection: dict[str, Any]) -> list[Any]:
    """A collection as the catalog has it, without what differs each time that one is made."""
    stored = collection.get("md", {"indexes": [], "options": {}})
    indexes = sorted(json_util.dumps([index["spec"], index["ready"]]) for index in stored["indexes"])
    options = {name: value for name, value in stored["options"].items() if name != "uuid"}
    return [collection["name"], collection["type"], options, indexes]
