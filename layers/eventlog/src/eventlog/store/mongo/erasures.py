"""Erasing on MongoDB: one conditional update an event, and the collection ``erasures``.

{_id: chain, next, open, waiting}

First the event is emptied, then the row of its payload is removed, if that is stored apart. In between, an event that
is erased has a row that nobody reads: the next try removes it, and so would ``make sweep``.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bson import Int64
from pymongo import UpdateOne

from eventlog.formats.event import Event, is_erased
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface.erasures import ErasingState
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import bodies, codec
from eventlog.stored.erased import fields_to_empty
from eventlog.stored.fields import Fields

_TRIES = 5
_BATCH = 100


class MongoErasures:
    """``ErasureStore`` on MongoDB."""

    def __init__(self, log: MongoStore) -> None:
        self._ops = operations_of(log)
        self._states = self._ops.erasures

    def accept(self, chain: str, request: str) -> None:
        """See ``ErasureStore.accept``."""
        fresh = {"next": Int64(0), "waiting": []}
        with mapped():
            self._states.update_one(
                {"_id": chain}, {"$setOnInsert": fresh, "$addToSet": {"open": request}}, upsert=True
            )

    def logged(self, chain: str, request: str) -> None:
        """See ``ErasureStore.logged``."""
        with mapped():
            self._states.update_one({"_id": chain}, {"$pull": {"open": request}})

    def chains(self) -> list[str]:
        """See ``ErasureStore.chains``."""
        with mapped():
            return [found["_id"] for found in self._states.find({"_id": {"$type": "string"}}, {"_id": 1})]

    def state(self, chain: str) -> ErasingState:
        """See ``ErasureStore.state``."""
        with mapped():
            found = self._states.find_one({"_id": chain})
            if found is None:
                return ErasingState(chain)
            fields = Fields(found)
            waiting = tuple(map(int, fields.items("waiting", Int64)))
            return ErasingState(chain, fields.count("next"), waiting, tuple(fields.items("open", str)))

    def reached(self, state: ErasingState) -> None:
        """See ``ErasureStore.reached``."""
        fields = {"next": Int64(state.next), "waiting": list(map(Int64, state.waiting))}
        with mapped():
            self._states.update_one({"_id": state.chain}, {"$set": fields, "$setOnInsert": {"open": []}}, upsert=True)

    def orders(self, chain: str, event_types: Iterable[str], start: int, seqs: Iterable[int] = ()) -> Iterator[Event]:
        """See ``ErasureStore.orders``: from the index on types, whose entries have the seq."""
        places = [{"seq": {"$gte": Int64(start)}}, {"seq": {"$in": list(map(Int64, seqs))}}]
        wanted = {"chain": chain, "event_type": {"$in": list(event_types)}, "$or": places}
        with mapped():
            # Timestamps of orders need not rise with their seqs, and there are few orders: they are sorted here.
            found = [codec.decode_event(bytes(raw.raw)) for raw in self._ops.raw_events.find(wanted)]
            found.sort(key=lambda event: event.seq)
            for events in self._ops.bodies.fill_in_turn([found], None):
                yield from events

    def settled(self, chain: str, seqs: Iterable[int]) -> dict[int, Event]:
        """See ``ErasureStore.settled``."""
        places = {"chain": chain, "seq": {"$in": list(map(Int64, seqs))}}
        with mapped():
            events = (codec.decode_event(bytes(raw.raw)) for raw in self._ops.raw_events.find(places))
            return {event.seq: event for event in events}

    def named(self, chain: str, ids: Iterable[str]) -> dict[str, Event]:
        """See ``ErasureStore.named``."""
        with mapped(), self._ops.session() as session:
            return {event.entry.event_id: event for event in self._ops.read_events(chain, ids, session)}

    def erase(self, events: Iterable[Event]) -> int:
        """See ``ErasureStore.erase``."""
        given, emptied = list(events), 0
        for start in range(0, len(given), _BATCH):
            emptied += self._erase(given[start : start + _BATCH])
        return emptied

    def _erase(self, given: Sequence[Event]) -> int:
        """Erase some events of one chain."""
        # An update applies only to the very event that was read. If its keys were changed since, by ``make reindex``,
        # it is read again: what is emptied must be all that there is. Each event is read once more after its update, so
        # that a lost answer, or a row that came later, never counts as done.
        chain, hashes = given[0].entry.chain, {event.seq: event.hash for event in given}
        emptied = 0
        for _ in range(_TRIES):
            found = {seq: event for seq, event in self.settled(chain, hashes).items() if event.hash == hashes[seq]}
            if left := [event for event in found.values() if not is_erased(event.entry)]:
                with mapped():
                    emptied += self._ops.events.bulk_write(list(map(_emptying, left)), ordered=False).modified_count
                continue
            self._remove_rows(found.values())
            return emptied
        raise StoreUnavailableError("events that are to be erased are being changed all the time; it is tried again")

    def _remove_rows(self, erased: Iterable[Event]) -> None:
        ids = [bodies.body_id(event.entry) for event in erased if event.entry.payload_bytes is not None]
        if ids:
            with mapped():
                self._ops.bodies.rows.delete_many({"_id": {"$in": ids}})


def _emptying(event: Event) -> UpdateOne:
    entry = event.entry
    keys: Any = {"$exists": False} if entry.keys is None else Int64(entry.keys.version)
    place = {
        "_id": codec.document_id(entry.chain, entry.event_id),
        "chain": entry.chain,
        "seq": Int64(event.seq),
        "hash": event.hash,
        "salt": entry.salt,
        "keys_version": keys,
    }
    return UpdateOne(place, {"$set": fields_to_empty(event)})
