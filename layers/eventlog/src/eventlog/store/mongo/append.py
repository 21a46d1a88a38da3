"""Appending: one conditional write decides order and content (see ``Operations.push``)."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError

from eventlog.formats.event import ChainState, Entry, Event
from eventlog.store.errors import ChainLostError, IdConflictError, StoreError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PENDING_LIMIT, PushImage, UnknownOutcomeError
from eventlog.store.mongo.settle import Settler
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage

_DEADLINE_SECONDS = 8.0
_PAUSE_SECONDS = 0.005
_CROWD = 96
"""More pending entries than this show that settlers can't keep up: writers give way to them after their push."""
_GIVE_WAY_SECONDS = 0.001
_GIVE_WAY_LIMIT = 0.05
_RECENT_SECONDS = 10.0
_RECENT_CHAINS = 1000

logger = logging.getLogger(__name__)


class LastPushes:
    """The last acknowledged push of this process to each chain, and the chain's state after it.

    It saves a look-up one of its reads, and the next push most of the hashing. A database may be restored to an
    earlier state while a process lives: an image is used for seconds only.
    """

    def __init__(self) -> None:
        self._pushes: dict[str, tuple[float, PushImage, ChainState]] = {}

    def put(self, chain: str, image: PushImage, state: ChainState) -> None:
        """Remember a push; of very many chains only the last ones."""
        if len(self._pushes) >= _RECENT_CHAINS:
            self._pushes.clear()
        self._pushes[chain] = (time.monotonic(), image, state)

    def get(self, chain: str) -> tuple[PushImage, ChainState] | None:
        """The last push and the state after it, if it was just now."""
        found = self._pushes.get(chain)
        if found is None or time.monotonic() - found[0] > _RECENT_SECONDS:
            return None
        return found[1], found[2]

    def state_before(self, chain: str, image: PushImage, count: int) -> ChainState:
        """The state before the last ``count`` entries of a push's image, from where it takes the least hashing."""
        state, known = image.settled, self.get(chain)
        if known and image.settled.size < known[1].size <= image.size - count:
            last, later = known
            if image.pending[later.size - image.settled.size - 1] == last.pending[-1]:
                state = later
        state = state.copy()
        for content_hash in image.pending[state.size - image.settled.size : len(image.pending) - count]:
            state.append(content_hash)
        return state


@dataclass(frozen=True, slots=True)
class Known:
    """A look-up: the chain's size before it, the sequence document's image if it was read, the events found by id."""

    bound: int
    image: SequenceImage | None
    events: dict[str, Event]


class Appender:
    """One append of drafts to one chain."""

    def __init__(
        self, operations: Operations, last_pushes: LastPushes, chain: str, origin: str, drafts: Sequence[Draft]
    ) -> None:
        self._ops = operations
        self._last_pushes = last_pushes
        self._chain = chain
        self._origin = origin
        self._drafts = {draft.entry.event_id: draft for draft in drafts}
        self._chosen = any(draft.id_chosen for draft in drafts)
        self._deadline = time.monotonic() + _DEADLINE_SECONDS

    def run(self) -> list[Placed]:
        """Look up chosen ids, push what is new, derive the places, settle if it is our turn."""
        known = (self._look_up_recent() or self._look_up()) if self._chosen else None
        refused = False
        while True:
            fresh = [d.entry for i, d in self._drafts.items() if known is None or i not in known.events]
            if not fresh and known is not None:
                return self._placed(known.events)
            try:
                image = self._ops.push(self._chain, fresh, None if known is None else known.bound)
            except UnknownOutcomeError as error:
                if error.in_flight and known is None:
                    return self._await()
            else:
                if image is not None:
                    return self._committed(known, fresh, image)
                if known is None and not refused:  # nothing was stored: it is full, as a rule, and others are settling
                    refused = True
                    self._pause()
                    continue
            known = self._look_up_again(pause=known is None or known.image is not None)

    def _look_up_recent(self) -> Known | None:
        """A look-up that starts from our last push: its ids and then ``events``; None if one of ours may be there."""
        recent = self._last_pushes.get(self._chain)
        if recent is None or recent[0].ids is None or not recent[0].ids.isdisjoint(self._drafts):
            return None
        image = recent[0]
        if image.time is None:
            return None
        try:
            found = self._ops.any_settled(self._chain, self._drafts, image.time)
        except PyMongoError:  # the look-up with all its reads decides
            return None
        return None if found else Known(image.size, None, {})

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
            return Known(image.size if image else 0, image, found)

    def _look_up_again(self, *, pause: bool) -> Known:
        """After a push that failed or was refused: look up anew and remove what may have refused it."""
        if pause:
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
        state = self._last_pushes.state_before(self._chain, image, len(fresh))
        events = list(state.extend(fresh))
        self._last_pushes.put(self._chain, image, state)
        if not self._settle(lambda: Settler(self._ops, self._chain).after_push(image, events, state)):
            _give_way(image)
        found = dict(known.events) if known else {}
        return self._placed(found | {event.entry.event_id: event for event in events})

    def _settle(self, settle: Callable[[], bool | None]) -> bool:
        """Settle for the readers' sake; whether there was a try. Our entries are committed, its failure is not ours."""
        try:
            return bool(settle())
        except StoreUnavailableError:
            return True
        except PyMongoError as error:
            logger.warning("settling chain %s failed: %s", self._chain, type(error).__name__)
        except (StoreError, NotOursError) as error:
            logger.error("settling chain %s: %s", self._chain, error)
        return True

    def _placed(self, events: dict[str, Event]) -> list[Placed]:
        return [Placed(events[i], events[i].entry != draft.entry) for i, draft in self._drafts.items()]

    def _pause(self) -> None:
        if time.monotonic() > self._deadline:
            raise StoreUnavailableError("MongoDB did not acknowledge in time; retry with the same event_id")
        time.sleep(_PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311  jitter, no secret


def append(
    operations: Operations, last_pushes: LastPushes, chain: str, origin: str, drafts: Sequence[Draft]
) -> list[Placed]:
    """See ``EventStore.append``."""
    with mapped():
        return Appender(operations, last_pushes, chain, origin, drafts).run()


def _same(draft: Draft, stored: Entry) -> bool:
    """Whether a stored event has the content of a draft (its salt and receive time are the log's own)."""
    entry = draft.entry
    return (entry.event_type, entry.source_id, entry.payload) == (
        stored.event_type,
        stored.source_id,
        stored.payload,
    ) and (not draft.time_given or entry.timestamp == stored.timestamp)


def _give_way(image: PushImage) -> None:
    """Under load the settlers compete with all writers: if those wait a little, more is done, and sooner."""
    crowd = len(image.pending) - _CROWD
    if crowd > 0:
        time.sleep(min(_GIVE_WAY_LIMIT, crowd * _GIVE_WAY_SECONDS))
