"""Three mongods as one replica set: the primary is killed, stepped down and paused while 8 processes append.

With ``--sharded`` they are a shard, which has the order of the chain, and the processes append through a router.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from pymongo.errors import PyMongoError

from eventlog.store.mongo.store import MongoStore, connect, open_log
from local.mongod.embedded import EmbeddedMongo, replica_set_uri, start_replica_set, wait_until
from tests.integration.writer import CHAIN, Writer, check_chain
from tests.support.failovers import fail_over
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.placing import SHARDS, spread
from tests.support.watched import from_now, told_since

WRITERS = 8
PROGRESS = 40
"""Receipts between two failovers."""
PAUSE = 0.01
"""Seconds between two appends of a writer: an election takes seconds, and meanwhile all of them wait anyway."""


@dataclass(frozen=True)
class Deployment:
    """Where to append, and the nodes that lose their office."""

    uri: str
    database: str
    nodes: list[EmbeddedMongo]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[EmbeddedMongo]]:
    nodes = start_replica_set([tmp_path / name for name in "abc"])
    yield nodes
    for node in nodes:
        node.kill()


@pytest.fixture
def deployment(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    database = f"test_{uuid4().hex[:12]}"
    if request.config.getoption("--sharded"):
        with ShardedCluster(tmp_path, {SHARDS[1]: 3}) as cluster:
            with connect(cluster.uri) as client:
                spread(client, database, CHAIN, 0)
            yield Deployment(f"{cluster.uri}?appname=tests", database, list(cluster.sets[SHARDS[1]]))
        return
    nodes: list[EmbeddedMongo] = request.getfixturevalue("nodes")
    yield Deployment(replica_set_uri(nodes), database, nodes)


def test_failovers_lose_and_double_nothing(deployment: Deployment, tmp_path: Path) -> None:
    uri, database, nodes = deployment.uri, deployment.database, deployment.nodes
    writers = [
        Writer(uri, database, f"w{i}", tmp_path, chosen=i % 2 == 0, batch=1 + i // 4, pause=PAUSE)
        for i in range(WRITERS)
    ]

    def progress() -> None:
        enough = sum(len(writer.receipts()) for writer in writers) + PROGRESS
        wait_until("appends to go on", lambda: sum(len(writer.receipts()) for writer in writers) >= enough)

    with connect(uri) as client:
        start = from_now(open_log(client, database, "example.com/log"))
    for writer in writers:
        writer.go()
    progress()
    for how in ("kill", "step down", "pause", "kill", "pause"):
        fail_over(nodes, how)
        progress()
    for writer in writers:
        writer.stop()
    assert [writer.failures() for writer in writers] == [[]] * WRITERS
    receipts = [given for writer in writers for given in writer.receipts()]
    with connect(f"{uri}&readPreference=primary") as client:
        store = open_log(client, database, "example.com/log")
        wait_until("the set to settle down", lambda: answers(store))
        size = check_chain(store, receipts)
        assert told_since(store, start) == []  # of all that was done meanwhile, what was rolled back included
    acknowledged = {given["id"] for given in receipts}
    tried = {event_id for writer in writers for ids in writer.tried() for event_id in ids}
    assert tried <= acknowledged
    assert len(acknowledged) <= size


def answers(store: MongoStore) -> bool:
    try:
        store.ping()
    except (PyMongoError, OSError):
        return False
    return True
