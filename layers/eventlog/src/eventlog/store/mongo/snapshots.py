"""A chain and its events as of one moment: reads of a snapshot, which may be made at the same time."""

from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from pymongo.client_session import ClientSession
from pymongo.database import Database

from eventlog.store.mongo.operations import Operations
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage, decode_sequence

NO_SNAPSHOT = {239, 246}
"""SnapshotTooOld; SnapshotUnavailable, as when an index has just been made."""
_MANY = 100_000
"""More than a caller asks for of an honest log."""


class TooManyRowsError(Exception):
    """A read of a snapshot finds more than one answer has."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a majority had at a moment (``time``), and what the chain's sequence document was then.

    A session of the driver reads a snapshot, too, but one thing after the other.
    """

    image: SequenceImage
    time: Timestamp
    _database: Database[dict[str, Any]]

    def rows(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        """Run a ``find`` or an ``aggregate`` on the snapshot; return all that it finds.

        Raises:
            TooManyRowsError: it is more than one answer has, 16 MiB or ``_MANY`` rows.
            OperationFailure: one of ``NO_SNAPSHOT``, among others.
        """
        concern = {"readConcern": {"level": "snapshot", "atClusterTime": self.time}}
        size = {"cursor": {"batchSize": _MANY}} if "aggregate" in command else {"batchSize": _MANY}
        found = self._database.command(command | size | concern, codec_options=codec.CODEC)["cursor"]
        if found["id"]:
            raise TooManyRowsError
        rows: list[dict[str, Any]] = found["firstBatch"]
        return rows


def read_snapshot(operations: Operations, chain: str, session: ClientSession) -> Snapshot | None:
    """Read a chain's sequence document from a snapshot of now; None if there is no such chain.

    What the session reads from here on is not older than the snapshot.

    Raises:
        NotOursError: as ``decode_sequence``.
    """
    find = {"find": operations.sequences.name, "filter": {"_id": chain}, "limit": 1, "singleBatch": True}
    concern = {"readConcern": {"level": "snapshot"}}
    database = operations.events.database
    found = database.command(find | concern, codec_options=codec.RAW)["cursor"]
    time = found["atClusterTime"]
    session.advance_operation_time(time)
    rows = list(found["firstBatch"])
    return Snapshot(decode_sequence(bytes(rows[0].raw)), time, database) if rows else None
