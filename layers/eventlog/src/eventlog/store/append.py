"""Appending: one conditional write decides order and content (see ``Operations.push``)."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError

from eventlog.formats.event import Entry, Event
from eventlog.store.errors import (
    ChainLostError,
    IdConflictError,
    NotOursError,
    StoreError,
    StoreUnavailableError,
    mapped,
)
from eventlog.store.interface import Draft, Placed, SequenceImage
from eventlog.store.operations import PENDING_LIMIT, Operations, PushImage, UnknownOutcomeError
from eventlog.store.settle import Settler

_DEADLINE_SECONDS = 8.0
_OLD_MILLIS = 100
_PAUSE_SECONDS = 0.005

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """A look-up: the sequence document's image, if there is one, and the events found by id."""

    image: SequenceImage | None
    events: dict[str, Event]


class Appender:
    """One append of drafts to one chain."""

    def __init__(self, operations: Operations, chain: str, origin: str, drafts: Sequence[Draft]) -> None:
        self._ops = operations
        self._chain = chain
        self._origin = origin
        self._drafts = {draft.entry.event_id: draft for draft in drafts}
        self._deadline = time.monotonic() + _DEADLINE_SECONDS

    def run(self) -> list[Placed]:
        """Look up chosen ids, push what is new, derive the places, settle if it is our turn."""
        known = self._look_up() if any(d.id_chosen for d in self._drafts.values()) else None
        while True:
            fresh = [d.entry for i, d in self._drafts.items() if known is None or i not in known.events]
            if not fresh and known is not None:
                return self._placed(known.events)
            bound = None if known is None else known.image.size if known.image else 0
            try:
                image = self._ops.push(self._chain, fresh, bound)
            except UnknownOutcomeError as error:
                if error.in_flight and bound is None:
                    return self._await()
            else:
                if image is not None:
                    return self._committed(known, fresh, image)
            known = self._look_up_again()

    def _look_up(self) -> Known:
        """Find the drafts' ids: ``sequences`` first, then ``events``, majority reads in one causal session (rule 4)."""
        while True:
            try:
                with self._ops.session() as session:
                    image = self._ops.read_sequence(self._chain, session)
                    events = {e.entry.event_id: e for e in (image.events() if image else ())}
                    ids = [i for i in self._drafts if i not in events]
                    settled = self._ops.read_events(self._chain, ids, session) if ids else []
                events.update((e.entry.event_id, e) for e in settled)
            except ServerSelectionTimeoutError:  # it has waited long enough for a primary
                raise
            except ConnectionFailure:
                self._pause()
                continue
            found = {i: events[i] for i in self._drafts if i in events}
            conflicts = [i for i, event in found.items() if not _same(self._drafts[i], event.entry)]
            if conflicts:
                raise IdConflictError(conflicts)
            return Known(image, found)

    def _look_up_again(self) -> Known:
        """After a push that failed or was refused: look up anew and remove what may have refused it."""
        self._pause()
        known = self._look_up()
        if known.image is None:
            return self._create()
        if known.image.pending_bytes >= PENDING_LIMIT:
            self._settle(Settler(self._ops, self._chain).rest)
            return self._look_up()
        return known

    def _create(self) -> Known:
        """Create the chain on first use, but never where a sequence document was removed."""
        lost = self._ops.has_events(self._chain)
        if not lost:
            self._ops.ensure_indexes()
            self._ops.create(self._chain, self._origin)
        known = self._look_up()
        if lost and known.image is None:
            raise ChainLostError(f"chain {self._chain} has events but no sequence document")
        return known

    def _await(self) -> list[Placed]:
        """The push may still be under way, and pushing again could double it: only look whether it arrived."""
        while True:
            self._pause()
            known = self._look_up()
            if len(known.events) == len(self._drafts):
                return self._placed(known.events)

    def _committed(self, known: Known | None, fresh: Sequence[Entry], image: PushImage) -> list[Placed]:
        settled = image.settled.copy()
        first = len(image.pending) - len(fresh)
        for content_hash, _ in image.pending[:first]:
            settled.append(content_hash)
        events = dict(known.events) if known else {}
        events.update((event.entry.event_id, event) for event in settled.extend(fresh))
        settler = Settler(self._ops, self._chain)
        if first == 0:
            self._settle(lambda: settler.own(image.settled, fresh))
        elif _left_behind(image):
            self._settle(settler.take_over)
        return self._placed(events)

    def _settle(self, settle: Callable[[], object]) -> None:
        """Settle for the readers' sake. Our entries are committed already, so its failure is not ours."""
        try:
            settle()
        except StoreUnavailableError:
            return
        except PyMongoError as error:
            logger.warning("settling chain %s failed: %s", self._chain, type(error).__name__)
        except (StoreError, NotOursError) as error:
            logger.error("settling chain %s: %s", self._chain, error)

    def _placed(self, events: dict[str, Event]) -> list[Placed]:
        return [Placed(events[i], events[i].entry != draft.entry) for i, draft in self._drafts.items()]

    def _pause(self) -> None:
        if time.monotonic() > self._deadline:
            raise StoreUnavailableError("MongoDB did not acknowledge in time; retry with the same event_id")
        time.sleep(_PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311  jitter, no secret


def append(operations: Operations, chain: str, origin: str, drafts: Sequence[Draft]) -> list[Placed]:
    """See ``EventStore.append``."""
    with mapped():
        return Appender(operations, chain, origin, drafts).run()


def _same(draft: Draft, stored: Entry) -> bool:
    """Whether a stored event has the content of a draft (its salt and receive time are the log's own)."""
    entry = draft.entry
    return (entry.event_type, entry.source_id, entry.payload) == (
        stored.event_type,
        stored.source_id,
        stored.payload,
    ) and (not draft.time_given or entry.timestamp == stored.timestamp)


def _left_behind(image: PushImage) -> bool:
    """Whether a settler opened its claim, or the oldest pending entry is older than it should be."""
    claim, (_, oldest) = image.claim, image.pending[0]
    opened = claim is not None and claim["by"] == ""
    return opened or time.time() * 1000 - oldest > _OLD_MILLIS
