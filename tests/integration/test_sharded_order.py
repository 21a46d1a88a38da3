"""What is read in an index's order comes in that order through a router, too, which asks two shards at once.

The first half of the chain's events is on one shard and the rest on the other. Their values fall while their seqs rise,
so in the order of an index those of the second shard come first.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.audit import scan
from eventlog.audit.auditor import Auditor
from eventlog.formats.search_keys import SearchFields, parse_fields
from eventlog.store.mongo import index_counts, reindex
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.reindex import Progress, Reindexer
from eventlog.store.mongo.store import connect, operations_of
from eventlog.wiring.connection import Connection
from tests.support.searched import FIELDS, SearchServer, event, search_server
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.placing import spread

CHAIN, SIZE = "main", 12
ORIGIN = "localhost/eventlog"


@pytest.fixture(scope="module")
def router(cluster: ShardedCluster) -> Iterator[MongoClient[dict[str, Any]]]:
    with connect(cluster.uri) as client:
        yield client


@pytest.fixture
def database(router: MongoClient[dict[str, Any]], request: pytest.FixtureRequest) -> str:
    name = f"test_{request.node.name.removeprefix('test_')[:20]}"
    spread(router, name, CHAIN, SIZE // 2)
    return name


def append_falling(server: SearchServer) -> None:
    """Append events whose types, sources and users fall, half of them on either shard."""
    for number in range(SIZE):
        named = {"event_type": f"t{SIZE - number:02}", "source_id": f"s{SIZE - number:02}"}
        made = event({"user": f"u-{SIZE - number:02}"}) | named
        server.api.post("/api/v1/events", json=made).raise_for_status()
    log_of(server).log.settle(CHAIN)


def log_of(server: SearchServer) -> Connection:
    connection: Connection = server.app.state.connection
    return connection


def test_a_chain_whose_index_entries_are_counted_by_steps_is_intact(
    cluster: ShardedCluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_counts, "_AT_ONCE", 0)
    with search_server(cluster.uri, database) as server:
        append_falling(server)
        store = log_of(server).log
        for step in (1, 2, 5):
            monkeypatch.setattr(scan, "STEP", step)
            auditor = Auditor(store, AuditStore(store), ORIGIN)
            report = auditor.run(auditor.start(CHAIN, "full"), 60)
            assert (report.status, report.findings) == ("intact", ()), step


def test_suggestions_leave_out_no_value_of_either_shard(cluster: ShardedCluster, database: str) -> None:
    with search_server(cluster.uri, database) as server:
        append_falling(server)
        for limit in (1, 5, SIZE, SIZE + 1):
            found = server.api.get("/api/v1/suggestions", params={"field": "user", "limit": limit}).json()
            expected = [f"u-{number + 1:02}" for number in range(min(limit, SIZE))]
            assert (found["values"], found["more"]) == (expected, limit < SIZE)
        found = server.api.get("/api/v1/suggestions", params={"field": "user", "prefix": "u-1"}).json()
        assert (found["values"], found["more"]) == (["u-10", "u-11", "u-12"], False)


def test_reindexing_goes_through_the_events_of_both_shards_at_once(
    cluster: ShardedCluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second event of each shard can't be indexed: what is behind it is, in the same run."""
    monkeypatch.setattr(reindex, "BATCH", 2)
    with search_server(cluster.uri, database, "", declared=False) as older:
        for number in range(SIZE):
            user = "x" * 300 if number in (1, SIZE // 2 + 1) else f"u-{number}"
            older.api.post("/api/v1/events", json=event({"user": user})).raise_for_status()
        log_of(older).log.settle(CHAIN)
    with search_server(cluster.uri, database) as server:
        store, progress = log_of(server).log, Progress()
        Reindexer(store, SearchFields(parse_fields(FIELDS).fields, 1)).run(CHAIN, progress)
        assert (progress.indexed, sorted(progress.left)) == (SIZE - 2, [1, SIZE // 2 + 1])
        assert operations_of(store).events.count_documents({"chain": CHAIN, "keys_version": 1}) == SIZE - 2
