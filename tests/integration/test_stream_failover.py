"""A live stream over failovers: whoever follows sees each event once, in order, on one connection."""

import itertools
from pathlib import Path
from uuid import uuid4

from eventlog.settings import Settings
from local.mongod.embedded import EmbeddedMongo, replica_set_uri
from local.server import build_app
from tests.integration.test_failover import nodes
from tests.integration.writer import Writer
from tests.support.event_source import Subscriber
from tests.support.failovers import fail_over
from tests.support.serving import served

__all__ = ["nodes"]
PROGRESS = 20
"""Events between two failovers."""


def test_a_stream_goes_on_over_failovers(nodes: list[EmbeddedMongo], tmp_path: Path) -> None:
    uri, database = replica_set_uri(nodes), f"test_{uuid4().hex[:12]}"
    app = build_app(Settings(mongo_uri=uri, mongo_database=database))
    writers = [Writer(uri, database, f"w{n}", tmp_path, chosen=True, batch=1 + n, pause=0.01) for n in range(2)]
    with served(app) as url:
        subscriber = Subscriber(url)
        subscriber.until("head")
        for writer in writers:
            writer.go()
        ids = [event["event_id"] for event in subscriber.events(PROGRESS)]
        for how in ("kill", "step down", "pause"):
            fail_over(nodes, how)
            ids += [event["event_id"] for event in subscriber.events(PROGRESS)]
        for writer in writers:
            writer.stop()
        acknowledged = {given["id"] for writer in writers for given in writer.receipts()}
        while not acknowledged <= {event_id for _, event_id in seen(subscriber)}:
            subscriber.receive()
        found = seen(subscriber)
    app.state.connection.close()
    assert [seq for seq, _ in found] == list(range(len(found)))
    assert len({event_id for _, event_id in found}) == len(found)
    assert ids == [event_id for _, event_id in itertools.islice(found, len(ids))]


def seen(subscriber: Subscriber) -> list[tuple[int, str]]:
    """What came so far, by seq and event id."""
    return [(int(m.id), m.value["event_id"]) for m in subscriber.source.messages if m.type == "message"]
