"""Looking up which events of an append are there already, before it pushes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError

from eventlog.formats.event import Entry, Event, is_erased
from eventlog.store.errors import IdConflictError, IdErasedError
from eventlog.store.interface import Draft
from eventlog.store.mongo.last_pushes import LastPushes
from eventlog.store.mongo.operations import Operations
from eventlog.stored.sequences import SequenceImage


@dataclass(frozen=True, slots=True)
class Known:
    """What a look-up found.

    ``bound`` is the chain's size before it, ``image`` the sequence document if it was read, ``events`` are those found
    by id.
    """

    bound: int
    image: SequenceImage | None
    events: dict[str, Event]


class LookUp:
    """Finds the events of one append, by their ids."""

    def __init__(
        self, operations: Operations, last_pushes: LastPushes, chain: str, drafts: Mapping[str, Draft]
    ) -> None:
        self._ops = operations
        self._last_pushes = last_pushes
        self._chain = chain
        self._drafts = drafts

    def after_last_push(self) -> Known | None:
        """Look up the ids in the image of our last push and then, by one read, in ``events``.

        The image is of a majority-committed state and older than the read, so this keeps rule 4 as a whole look-up
        does. None if one of the ids may exist, or nothing is known: then the whole look-up decides.
        """
        last = self._last_pushes.get(self._chain)
        if last is None or last[0].ids is None or not last[0].ids.isdisjoint(self._drafts):
            return None
        image = last[0]
        if image.time is None:
            return None
        try:
            found = self._ops.any_settled(self._chain, self._drafts, image.time)
        except PyMongoError:  # the look-up with all its reads decides
            return None
        return None if found else Known(image.size, None, {})

    def all(self, pause: Callable[[], None]) -> Known:
        """Find the drafts' ids: ``sequences`` first, then ``events``, majority reads in one causal session (rule 4).

        An entry leaves the sequence document only after it is in ``events``, so in this order none can be missed.
        ``pause`` waits before the reads are tried again, or raises what ends this.

        Raises:
            IdErasedError: an id is that of an erased event.
            IdConflictError: an id exists with other content.
        """
        while True:
            try:
                with self._ops.session() as session:
                    image = self._ops.read_sequence(self._chain, session)
                    events = {e.entry.event_id: e for e in (image.events() if image else ())}
                    ids = [i for i in self._drafts if i not in events]
                    settled = self._ops.read_events(self._chain, ids, session) if ids else []
                    events.update((e.entry.event_id, e) for e in settled)
                    there = [events[i] for i in self._drafts if i in events]
                    if not any(is_erased(event.entry) for event in there):  # one refuses them all: no order is read
                        there = self._ops.read_bodies(there, session)
            except ServerSelectionTimeoutError:  # it has waited long enough for a primary
                raise
            except ConnectionFailure:
                pause()
                continue
            # What is there with the same content is a replay; with other content it stops the whole append.
            found = {event.entry.event_id: event for event in there}
            if erased := [i for i, event in found.items() if is_erased(event.entry)]:
                raise IdErasedError(erased)
            conflicts = [i for i, event in found.items() if not _same(self._drafts[i], event.entry)]
            if conflicts:
                raise IdConflictError(conflicts)
            return Known(image.size if image else 0, image, found)


def _same(draft: Draft, stored: Entry) -> bool:
    """Whether a stored event has the content of a draft; its salt and receive time are the log's own."""
    entry = draft.entry
    if draft.is_same is not None:
        return draft.is_same(entry, stored)
    said = entry.event_type, entry.source_id, entry.payload
    in_time = not draft.time_given or entry.timestamp == stored.timestamp
    return in_time and said == (stored.event_type, stored.source_id, stored.payload)
