"""One real mongod a test process (or MONGO_URI), a database of its own for each test."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from eventlog.store.mongo.store import MongoStore, connect, open_log
from local.mongod.embedded import EmbeddedMongo


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A replica set's URI."""
    if given := os.environ.get("MONGO_URI"):
        yield given
        return
    mongod = EmbeddedMongo(Path(tmp_path_factory.mktemp("mongo")))
    mongod.start()
    try:
        yield mongod.uri
    finally:
        mongod.stop()


@pytest.fixture(scope="session")
def client(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with connect(mongo_uri) as client:
        yield client


@pytest.fixture
def database(client: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """The name of a fresh database, dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield name
    client.drop_database(name)


@pytest.fixture
def store(client: MongoClient[dict[str, Any]], database: str) -> MongoStore:
    return open_log(client, database, "example.com/log")
