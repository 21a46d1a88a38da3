"""What an incremental round costs, counted by MongoDB's own profiler, does not depend on how long the log is.

A round over 5 new events in a log of 192, and in one of 1,536 that had four times as many rounds. Equal are the keys
and documents that each kind of query examines, and what is read of the anchors. What may grow is named. (A directory
of anchors is listed whole for each look at it; S3 lists from the key that it is asked for on.)
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.signing import create_key_file
from eventlog.http import audits
from eventlog.settings import Settings
from eventlog.store.interface.audits import POSITION
from eventlog.store.mongo.store import MongoStore
from eventlog.store.mongo.watch import MongoChanges, MongoWatch
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from tests.support.factories import draft
from tests.support.profiled import Cost, profiled

Document = dict[str, Any]
SHORT, LONG = (192, 3), (1536, 12)
"""Events, in so many rounds."""
TREE = "events query {chain: ?, seq: {$in: ?}}"
"""Nodes of the tree, for the proof that it extends the newest anchor: some more each time that the log doubles."""
DOUBLED = 3
LEASES = 2
"""A round that takes long renews its lease: a key and a document each time."""


@dataclass
class Log:
    """One log with its schedule."""

    wiring: AuditWiring
    database: Database[Document]

    @property
    def store(self) -> MongoStore:
        return self.wiring.log

    def append(self, count: int) -> None:
        self.store.append("main", [draft() for _ in range(count)])

    def round(self) -> dict[str, str]:
        """What the round says of each chain in which it found something."""
        answer = audits.run_scheduled(self.wiring, "incremental")
        return {report["chain"]: report["status"] for report in answer["audits"] if report["status"] != "intact"}


@contextmanager
def log_of(events: int, rounds: int, uri: str, client: MongoClient[Document], folder: Path) -> Iterator[Log]:
    folder.mkdir()
    create_key_file(folder / "key")
    name = f"test_{uuid4().hex[:12]}"
    settings = Settings(mongo_uri=uri, mongo_database=name, EVENTLOG_ORIGIN="example.com/log")
    settings.anchors, settings.signing_keys = str(folder / "anchors"), str(folder / "key")
    with closing(Connection(settings)) as connection:
        log = Log(AuditWiring(connection), client[name])
        for _ in range(rounds):
            log.append(events // rounds)
            log.round()
        yield log
    client.drop_database(name)


@pytest.fixture(scope="module")
def logs(
    mongo_uri: str, client: MongoClient[Document], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Log, Log]]:
    """A short log and a long one."""
    folder = tmp_path_factory.mktemp("logs")
    with (
        log_of(*SHORT, mongo_uri, client, folder / "short") as short,
        log_of(*LONG, mongo_uri, client, folder / "long") as long,
    ):
        yield short, long


def cost_of_a_round(log: Log, monkeypatch: pytest.MonkeyPatch) -> tuple[Cost, dict[str, str]]:
    """What is examined for a round over 5 new events, how many anchors are read and listed for it, what it found."""
    anchors, keys, read, watch = Counter[str](), DirectoryAnchors.keys, DirectoryAnchors.read, MongoWatch.open
    watched: list[bytes | None] = []

    def counted_keys(self: DirectoryAnchors, chain: str, after: str = "") -> Iterator[str]:
        for key in keys(self, chain, after):
            anchors["anchors listed"] += 1
            yield key

    def counted_read(self: DirectoryAnchors, chain: str, key: str) -> bytes | None:
        anchors["anchors read"] += 1
        return read(self, chain, key)

    def counted_watch(self: MongoWatch, token: bytes | None, since: int | None) -> AbstractContextManager[MongoChanges]:
        watched.append(token)
        return watch(self, token, since)

    log.append(5)
    reached = log.database["audits"].find_one({"_id": POSITION}) or {}
    with monkeypatch.context() as patch:
        patch.setattr(DirectoryAnchors, "keys", counted_keys)
        patch.setattr(DirectoryAnchors, "read", counted_read)
        patch.setattr(MongoWatch, "open", counted_watch)
        with profiled(log.database) as cost:
            found = log.round()
    assert watched == [reached["token"]]  # the watcher goes on where the last round has stopped
    return cost + anchors, found


def check_equal(short: Cost, long: Cost) -> None:
    assert len(long) > 20
    tree = {short.pop(TREE), long.pop(TREE)}
    # Three proofs, each with two nodes more at most when the log doubles; of each node a document and two keys.
    assert max(tree) - min(tree) <= 3 * 2 * 3 * DOUBLED
    grown = {kind: (short[kind], found) for kind, found in long.items() if found > short[kind] + LEASES}
    assert grown == {}


@pytest.mark.replica_set  # for the names of chains, the router of the tests reads all
def test_a_round_costs_the_same_however_long_the_log_is(logs: tuple[Log, Log], monkeypatch: pytest.MonkeyPatch) -> None:
    (short, found), (long, also) = (cost_of_a_round(log, monkeypatch) for log in logs)
    assert found == also == {}
    check_equal(short, long)


@pytest.mark.replica_set
def test_so_it_does_with_an_array_in_the_place_of_a_chain_which_is_found(
    logs: tuple[Log, Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array in an index keeps MongoDB from skipping from one value to the next when it groups by them."""
    for log in logs:
        log.database["events"].insert_many([{"_id": "text", "chain": ["ghost"]}, {"_id": "number", "chain": [1]}])
    (short, found), (long, also) = (cost_of_a_round(log, monkeypatch) for log in logs)
    for log in logs:
        log.database["events"].delete_many({"_id": {"$in": ["text", "number"]}})
    check_equal(short, long)
    assert found == also == {"": "tampered", "ghost": "tampered"}
