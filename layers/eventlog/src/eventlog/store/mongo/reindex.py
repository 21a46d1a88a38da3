"""Brings the keys of stored events to the newest declaration of search fields, for operators (``make reindex``).

How far it came is in the events themselves: those of an older version stand first in the index of versions. So it can
end between any two steps and be called again, and appends go on beside it.
"""

from dataclasses import dataclass, field
from typing import Any

from bson import Int64, MinKey
from pymongo import UpdateOne

from eventlog.formats.event import Event, Keys, is_erased
from eventlog.formats.search_keys import SearchFields, UnindexableError
from eventlog.store.errors import CorruptionError
from eventlog.store.mongo.driver_errors import answered
from eventlog.store.mongo.search_index import BY_VERSION, needed_index
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.keys import keys_fields

BATCH = 500


@dataclass(slots=True)
class Progress:
    """What was done to a chain: how many events were indexed anew, and which could not be, by seq, and why."""

    indexed: int = 0
    left: dict[int, str] = field(default_factory=dict)


class Reindexer:
    """Indexes events by one declaration; its user must be allowed to update ``events``, which no function's is."""

    def __init__(self, log: MongoStore, fields: SearchFields) -> None:
        self._ops = operations_of(log)
        self._client = self._ops.client
        self._fields = fields

    def run(self, chain: str, progress: Progress, batches: int | None = None) -> None:
        """Index all settled events of a chain that have no keys or older ones; at most so many batches.

        Raises:
            StoreError: not done to the end; to call it again goes on.
        """
        place: tuple[Any, Any] = (MinKey(), MinKey())
        while batches is None or batches > 0:
            with answered(self._client):
                found = self._older(chain, place)
                if not found:
                    return
                self._index(found, progress)
            # What could not be indexed stays where it is, so the next batch begins behind it.
            version, seq = (codec.decode(found[-1]).get(name) for name in ("keys_version", "seq"))
            place = (version, Int64(seq + 1)) if isinstance(seq, int) else (version, seq)
            if len(found) < BATCH:
                return
            batches = None if batches is None else batches - 1

    def _older(self, chain: str, place: tuple[Any, Any]) -> list[bytes]:
        """Read the next events of an older version, or of none, which stand first."""
        first = [("chain", chain), ("keys_version", place[0]), ("seq", place[1])]
        last = [("chain", chain), ("keys_version", Int64(self._fields.version)), ("seq", MinKey())]
        order = BY_VERSION.order(routed=self._ops.routed)
        cursor = self._ops.raw_events.find({}, hint=BY_VERSION.keys, limit=BATCH, sort=order)
        with needed_index():
            return [bytes(each.raw) for each in cursor.min(first).max(last)]  # type: ignore[arg-type]

    def _index(self, found: list[bytes], progress: Progress) -> None:
        changes: list[UpdateOne] = []
        for raw in found:
            try:
                event = codec.decode_event(raw)
                (event,) = self._ops.read_bodies([event], None)  # a payload that is stored apart
                changes.append(self._change(event))
            except UnindexableError as error:
                progress.left[event.seq] = f"{error.pointer}: {error}"
            except (NotOursError, CorruptionError) as error:
                progress.left[_seq(raw)] = f"damaged, run an audit: {error}"
        if changes:
            progress.indexed += self._ops.events.bulk_write(changes, ordered=False).modified_count

    def _change(self, event: Event) -> UpdateOne:
        """Build the update of one event: only if its keys are still those that were read, and it was not erased since.

        An erased event has no keys by any version. It gets the newest one, so that its chain counts as indexed.
        """
        before = {"$exists": False} if event.entry.keys is None else Int64(event.entry.keys.version)
        entry = event.entry
        place = {"chain": entry.chain, "seq": Int64(event.seq), "keys_version": before, "salt": entry.salt}
        keys = Keys(self._fields.version, ()) if is_erased(entry) else self._fields.keys_of(entry.payload)
        return UpdateOne(place, {"$set": keys_fields(keys)})


def _seq(raw: bytes) -> int:
    seq = codec.decode(raw).get("seq")
    return seq if isinstance(seq, int) else -1
