"""Streams of a log, for tests."""

from collections.abc import Callable

from eventlog.evidence.proofs import Evidence
from eventlog.evidence.served import ServedCheckpoints
from eventlog.store.mongo.changes import ChangeStreams
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import MongoStore
from eventlog.streams.streams import Streams
from eventlog.streams.watcher import Sources


def streams_of(log: Callable[[], MongoStore]) -> Streams:
    """Streams with one change stream, as a function opens them."""
    return Streams(Sources(log, lambda: checkpoints_of(log())), ChangeStreams(log, 1).hints)


def checkpoints_of(log: MongoStore) -> ServedCheckpoints:
    """The checkpoints that a stream may show."""
    return ServedCheckpoints(CheckpointStore(log), Evidence(MongoEvidenceReader(log)))
