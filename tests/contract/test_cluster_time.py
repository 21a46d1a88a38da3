"""A process that reads on from where another has read tells the servers of the time that the other was told."""

from typing import Any

from bson import Timestamp
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from eventlog.audit.segment_worker import Work
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore
from tests.support.factories import draft


class Sent(CommandListener):
    """The cluster times of finds, and those that they wait for."""

    def __init__(self) -> None:
        self.times: list[tuple[Timestamp, Timestamp]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "find" and "afterClusterTime" in event.command["readConcern"]:
            sent = event.command["$clusterTime"]["clusterTime"]
            self.times.append((sent, event.command["readConcern"]["afterClusterTime"]))

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


def test_a_worker_waits_for_no_time_that_a_shard_may_not_have_heard_of(
    store: MongoStore, database: str, mongo_uri: str
) -> None:
    sent = Sent()
    with MongoClient[dict[str, Any]](mongo_uri, event_listeners=[sent]) as client:
        client.admin.command("ping")
        store.append("main", [draft()])
        with AuditStore(store).together("main") as reads:
            assert reads.sequence()
            work = Work("", "", "main", reads.time)
        after = Work.decode(work.encode()).after
        worker = AuditStore(MongoStore(Operations(client, database), "example.com/log"))
        assert list(worker.scan("main", 0, 1, after=after))
    ((told, awaited),) = sent.times
    assert told >= awaited
