"""Databases for tests, used again once they are empty: to make and to drop one costs more than most tests do."""

from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from bson import json_util
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from eventlog.store.mongo.schema import COLLECTIONS

RESTS = 4
"""A database is used again after this many others: what an earlier test left running has ended by then."""

Shape = dict[str, str]
"""What a collection is, by its name: its options and indexes as text."""


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
            if self._is_empty(name):
                return name
            self._client.drop_database(name)
        name = f"test_{uuid4().hex[:12]}"
        if not new:
            self.prepare(name)
        return name

    def give_back(self, name: str) -> None:
        """Empty a database, or drop it."""
        shape = self._shape(name)
        if shape is not None and shape.items() <= self._usual_shape().items():
            for collection in shape:
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
        assert self._usual is not None
        return self._usual

    def _shape(self, name: str) -> Shape | None:
        """What is in a database; None if that can't be read, as of a view whose collection is gone."""
        database = self._client[name]
        try:
            return {
                str(found["name"]): json_util.dumps(
                    [
                        found["type"],
                        found["options"],
                        sorted(map(json_util.dumps, database[found["name"]].list_indexes())),
                    ]
                )
                for found in database.list_collections()
            }
        except PyMongoError:
            return None

    def _is_empty(self, name: str) -> bool:
        return not any(self._client[name][declared.name].find_one() for declared in COLLECTIONS)
