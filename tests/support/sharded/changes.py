"""Change streams through our router: those of all shards, merged in order as mongos does.

A mongod's own code for it (``clusterAggregate``) opens such a stream and then ends the process. Each shard's stream is
MongoDB's own; only the merging is done here, by the rule of mongos: an event is passed on once no shard can have an
earlier one. So that nobody waits for a shard on which nothing happens (a mongos waits up to
``periodicNoopIntervalSecs``), each is given a note to write.
"""

import time
from collections.abc import Callable
from random import getrandbits
from threading import Lock

from bson import Int64, Timestamp
from bson.raw_bson import RawBSONDocument

from tests.support.sharded.wire import Command, Document, Peer

_POLL_MILLIS = 20
_AWAIT_MILLIS = 1000
_TIME = 18
"""The beginning of a token that says when: its type and a timestamp, in hexadecimal."""
_NO_EVENT = "2B0229296E04"
"""How a token goes on that is of a time and of no event."""


class ShardStream:
    """One shard's stream, and what of it was not passed on yet."""

    def __init__(self, address: tuple[str, int], command: Command) -> None:
        self._peer = Peer(address)
        self._name = (
            str(command.fields["aggregate"]) if isinstance(command.fields["aggregate"], str) else "$cmd.aggregate"
        )
        self._database = command.database
        self.events: list[RawBSONDocument] = []
        self.seen = ""
        self.opened = self._take(self._peer.run(command), "firstBatch")

    def poll(self) -> Document:
        """Ask for more."""
        note = {"appendOplogNote": 1, "data": {"for": "a change stream"}, "$db": "admin"}
        self._peer.run(Command(note))
        more: Document = {
            "getMore": self._id,
            "collection": self._name,
            "maxTimeMS": _POLL_MILLIS,
            "$db": self._database,
        }
        return self._take(self._peer.run(Command(more)), "nextBatch")

    def close(self) -> None:
        self._peer.close()

    def _take(self, answer: Document, batch: str) -> Document:
        if answer["ok"]:
            cursor = answer["cursor"]
            self._id = Int64(cursor["id"])
            self.events += cursor[batch]
            self.seen = str(cursor["postBatchResumeToken"]["_data"])
        return answer


class MergedStream:
    """What a client sees of it: ``aggregate`` and ``getMore``."""

    def __init__(self, command: Command, addresses: list[tuple[str, int]], now: Timestamp) -> None:
        self._lock = Lock()
        self._after = ""
        self._id = Int64(getrandbits(62))
        spec = dict(command.fields["pipeline"][0]["$changeStream"])
        for name in ("resumeAfter", "startAfter"):
            if (token := spec.pop(name, None)) is not None:
                self._after = str(token["_data"])
                spec["resumeAfter"] = {"_data": self._after[:_TIME] + _NO_EVENT}
        if not self._after and "startAtOperationTime" not in spec:
            spec["startAtOperationTime"] = Timestamp(now.time, now.inc + 1)
        rest = list(command.fields["pipeline"])[1:]
        there = command.change(pipeline=[{"$changeStream": spec}, *rest])
        for field in ("$clusterTime", "lsid", "txnNumber"):
            there.fields.pop(field, None)
        self._namespace = f"{command.database}.{command.fields['aggregate']}"
        self._streams = [ShardStream(address, there) for address in addresses]

    @property
    def id(self) -> int:
        return self._id

    def open(self) -> Document:
        """The answer to ``aggregate``."""
        for stream in self._streams:
            if not stream.opened["ok"]:
                return stream.opened
        return self._answer("firstBatch", self._ready(101))

    def more(self, command: Command) -> Document:
        """The answer to ``getMore``: it waits for an event as long as the client says."""
        size = int(command.fields.get("batchSize") or 101)
        until = time.monotonic() + int(command.fields.get("maxTimeMS", _AWAIT_MILLIS)) / 1000
        with self._lock:
            while True:
                for stream in self._streams:
                    if not stream.events and not (answer := stream.poll())["ok"]:
                        return answer
                found = self._ready(size)
                if found or time.monotonic() >= until:
                    return self._answer("nextBatch", found)

    def close(self) -> None:
        for stream in self._streams:
            stream.close()

    def _ready(self, size: int) -> list[RawBSONDocument]:
        """Events that no shard can have an earlier one of, in order, without those that the client has seen."""
        safe = min(stream.seen for stream in self._streams)
        for stream in self._streams:
            stream.events = [event for event in stream.events if _token(event) > self._after]
        found = sorted(
            (event for stream in self._streams for event in stream.events if _token(event) <= safe), key=_token
        )[:size]
        if found:
            self._after = _token(found[-1])
        else:
            self._after = max(self._after, safe)
        return found

    def _answer(self, batch: str, found: list[RawBSONDocument]) -> Document:
        cursor = {"id": self._id, "ns": self._namespace, batch: found, "postBatchResumeToken": {"_data": self._after}}
        return {"ok": 1.0, "cursor": cursor}


class Streams:
    """The streams that are open, by the ids of their cursors."""

    def __init__(self, addresses: Callable[[], list[tuple[str, int]]]) -> None:
        self._addresses = addresses
        self._open: dict[int, MergedStream] = {}

    def open(self, command: Command, now: Timestamp) -> Document:
        stream = MergedStream(command, self._addresses(), now)
        self._open[stream.id] = stream
        return stream.open()

    def find(self, cursor: int) -> MergedStream | None:
        return self._open.get(cursor)

    def end(self, cursors: list[int]) -> None:
        for cursor in cursors:
            if (stream := self._open.pop(cursor, None)) is not None:
                stream.close()

    def close(self) -> None:
        self.end(list(self._open))


def watches(command: Command) -> bool:
    """Whether an ``aggregate`` opens a change stream."""
    pipeline = list(command.fields.get("pipeline", ()))
    return bool(pipeline) and "$changeStream" in pipeline[0]


def _token(event: RawBSONDocument) -> str:
    return str(event["_id"]["_data"])
