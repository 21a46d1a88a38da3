"""A log that was used and anchored, for tests that change something in it, look, and put it back."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from tests.support.anchored import ORIGIN, AnchoredLog


@pytest.fixture(scope="module")
def used(client: MongoClient[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoStore]:
    """The log, on a database that was never set up. Tests leave it as it was."""
    name = f"test_{uuid4().hex[:12]}"
    store = open_log(client, name, ORIGIN)
    log = AnchoredLog(store, tmp_path_factory.mktemp("used"))
    log.append(5)
    log.audit_all("full")
    yield store
    client.drop_database(name)


def database_of(store: MongoStore) -> Database[dict[str, Any]]:
    return operations_of(store).events.database


def rows(store: MongoStore, *, whole: bool) -> list[str]:
    """What is said of rows that no version wrote."""
    return list(AuditStore(store).database.odd_rows(whole=whole))
