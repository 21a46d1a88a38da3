"""Streams of a log, for tests."""

from collections.abc import Callable

from eventlog.store.mongo.changes import ChangeStreams
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.store import MongoStore
from eventlog.streams.streams import Streams
from eventlog.streams.watcher import Sources


def streams_of(log: Callable[[], MongoStore]) -> Streams:
    """Streams with one change stream, as a function opens them."""
    return Streams(Sources(log, lambda: CheckpointStore(log())), ChangeStreams(log, 1).hints)
