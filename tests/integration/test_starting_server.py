"""A connection that was made while its server was neither primary nor secondary: it takes no sessions ever after."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect, ConfigurationError

from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.sessions import causal_session
from eventlog.store.mongo.store import MongoStore, connect, open_log, operations_of
from eventlog.store.mongo.tree import TreeReader
from local.mongod.embedded import EmbeddedMongo, is_primary, wait_until
from tests.support.factories import draft


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MongoStore]:
    """Connected to a server that was starting then, and is the primary now."""
    mongo = EmbeddedMongo(tmp_path)
    mongo.launch()
    try:
        with connect(mongo.uri) as client, mongo.client() as admin:
            store = open_log(client, "eventlog", "example.com/log")
            with pytest.raises(StoreUnavailableError):
                store.ping()
            config = {"_id": mongo.replica_set, "members": [{"_id": 0, "host": mongo.address}]}
            admin.admin.command("replSetInitiate", config)
            wait_until("a primary", lambda: is_primary(admin))
            yield store
    finally:
        mongo.kill()


def test_an_append_with_an_own_id_goes_through(store: MongoStore) -> None:
    (placed,) = store.append("main", [draft("own")])
    assert placed.event.seq == 0
    found = store.get("main", "own")
    assert found == placed.event


def test_a_read_is_refused_once_and_the_next_one_answered(store: MongoStore) -> None:
    with pytest.raises(StoreUnavailableError):
        store.get("main", "own")
    assert store.get("main", "own") is None


def test_an_audit_is_unavailable_once(store: MongoStore) -> None:
    audits = AuditStore(store)
    with pytest.raises(StoreUnavailableError):
        list(audits.scan("main", 0, None, 1))
    assert list(audits.scan("main", 0, None, 1)) == []


def test_other_things_that_are_not_configured_right_are_not_hidden(store: MongoStore) -> None:
    with pytest.raises(ConfigurationError, match="another version"), operations_of(store).session():
        raise ConfigurationError("another version")


def test_another_version_of_the_driver_is_no_failure_of_another_kind(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What drops the connections is the driver's own; without it, it is as unavailable as before."""
    topology = operations_of(store).sequences.database.client._topology
    monkeypatch.setattr(topology, "_servers", {"renamed": object()})
    with pytest.raises(AutoReconnect), causal_session(operations_of(store).sequences.database.client):
        raise ConfigurationError("Sessions are not supported by this MongoDB deployment")


@pytest.mark.parametrize(
    "view",
    [
        lambda store: MongoEvidenceReader(store).view("main", None),
        lambda store: TreeReader(store).view("main"),
        lambda store: AuditStore(store).together("main"),
    ],
    ids=["evidence", "tree", "audit"],
)
def test_who_reads_in_a_session_over_such_a_connection_is_told_that_it_is_for_later(
    store: MongoStore, view: Callable[[MongoStore], AbstractContextManager[object]]
) -> None:
    with pytest.raises(StoreUnavailableError), view(store):
        raise ConfigurationError("Sessions are not supported by this MongoDB deployment")
