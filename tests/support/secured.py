"""A mongod with access control and a log's database on it that was set up, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pymongo import MongoClient

from admin.setup import Setup, SetupResult
from eventlog.store.mongo.roles import ROLES
from eventlog.store.mongo.store import MongoStore, connect, open_log
from local.mongod.secured import SecuredMongo

ORIGIN = "example.com/log"
ADMIN_PASSWORD = "the administrator's: @/?%"
PASSWORDS = {role.name: f"password of {role.name}: @/?%" for role in ROLES}


@dataclass
class SecuredLog:
    """One database; ``uri`` is a function's own user's."""

    mongo: SecuredMongo
    database: str = field(default_factory=lambda: f"test_{uuid4().hex[:12]}")

    def uri(self, function: str) -> str:
        name = f"eventlog-{function}"
        return self.mongo.uri_of(name, PASSWORDS[name], self.database)

    @contextmanager
    def client(self, function: str) -> Iterator[MongoClient[dict[str, Any]]]:
        with connect(self.uri(function)) as client:
            yield client

    @contextmanager
    def store(self, function: str) -> Iterator[MongoStore]:
        with self.client(function) as client:
            yield open_log(client, self.database, ORIGIN)

    def set_up(self, *, check: bool = False, passwords: dict[str, str] | None = None) -> list[SetupResult]:
        with self.mongo.client() as client:
            setup = Setup(client, self.mongo.uri, self.database, check=check)
            return [*setup.collections(), *setup.roles(PASSWORDS if passwords is None else passwords)]


@contextmanager
def secured_mongo(folder: Path) -> Iterator[SecuredMongo]:
    with SecuredMongo(folder, ADMIN_PASSWORD, journal_millis=25) as mongo:
        yield mongo
