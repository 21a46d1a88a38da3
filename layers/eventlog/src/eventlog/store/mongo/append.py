"""Appending: one conditional write decides order and content (see ``Operations.push``)."""

import logging
import random
import time
from collections.abc import Callable, Sequence

from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError

from eventlog.formats.event import Entry, Event
from eventlog.store.errors import ChainLostError, StoreError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed
from eventlog.store.mongo.driver_errors import answered
from eventlog.store.mongo.last_pushes import LastPushes
from eventlog.store.mongo.look_up import Known, LookUp
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PENDING_LIMIT, PushImage, UnknownOutcomeError
from eventlog.store.mongo.quotas import admit
from eventlog.store.mongo.settle import Settler
from eventlog.stored.errors import NotOursError

_DEADLINE_SECONDS = 8.0
_PAUSE_SECONDS = 0.005
_CROWD = 96
"""More pending entries than this show that settlers can't keep up: writers give way to them after their push."""
_GIVE_WAY_SECONDS = 0.001
_GIVE_WAY_LIMIT = 0.05

logger = logging.getLogger(__name__)


class Appender:
    """One append of drafts to one chain."""

    def __init__(
        self,
        operations: Operations,
        last_pushes: LastPushes,
        chain: str,
        origin: str,
        drafts: Sequence[Draft],
        *,
        new_chains: int = 0,
    ) -> None:
        # One id that a client chose is enough to look all of them up, as they go in one write. The time is for the
        # whole append, however many looks and pushes it takes.
        self._ops = operations
        self._last_pushes = last_pushes
        self._chain = chain
        self._origin = origin
        self._new_chains = new_chains
        self._drafts = {draft.entry.event_id: draft for draft in drafts}
        self._chosen = any(draft.id_chosen for draft in drafts)
        self._look_up = LookUp(operations, last_pushes, chain, self._drafts)
        self._deadline = time.monotonic() + _DEADLINE_SECONDS
        self._stored: set[str] = set()
        self._stored_at: int | None = None

    def run(self) -> list[Placed]:
        """Look up chosen ids, push what is new, derive the places, and settle if it is our turn.

        Ids that a client chose may exist, so they are looked up before the first push, and every push is bounded by
        that look-up. Ids that we made exist nowhere: the first push needs no look-up and no bound.
        """
        known = (self._look_up.after_last_push() or self._look_up.all(self._pause)) if self._chosen else None
        refused = False
        while True:
            fresh = [d.entry for i, d in self._drafts.items() if known is None or i not in known.events]
            if not fresh and known is not None:
                return self._placed(known.events)  # a replay of all of them, or our own push that was not acknowledged
            apart = [entry for entry in fresh if entry.payload_bytes is not None]
            if apart and (known is None or known.image is None) and not self._last_pushes.knows(self._chain):
                # Payloads are stored only once the chain is there: who may create none must leave nothing behind.
                known = self._look_up_again(pause=False)
                continue
            stored_at = [self._store_payloads(apart)] if apart else []
            try:
                image = self._ops.push(self._chain, fresh, None if known is None else known.bound, *stored_at)
            except UnknownOutcomeError as error:
                if error.in_flight and known is None:
                    # The server may apply this unbounded push at any later time, and a second one beside it would
                    # store the events twice. Bounded ones exclude each other, however late (``Operations.push``).
                    return self._await()
            else:
                if image is not None:
                    return self._committed(known, fresh, image)
                if known is None and not refused:
                    # An unbounded push is refused where too much is pending or there is no such chain. Mostly it is
                    # the former and others are settling already, so it is tried once more without reading anything.
                    refused = True
                    self._pause()
                    continue
            # Refused, or failed in a way that can be repeated: see what is there now, and push only what is missing.
            # A look-up that read nothing of the sequence document may simply have been too old: no need to wait.
            known = self._look_up_again(pause=known is None or known.image is not None)

    def _look_up_again(self, *, pause: bool) -> Known:
        """Look up anew after a push that failed or was refused, and remove what may have refused it."""
        if pause:
            self._pause()
        known = self._look_up.all(self._pause)
        if known.image is None:
            return self._create()
        if self._stored_at is not None and (known.image.swept or 0) > self._stored_at:
            raise StoreUnavailableError("this process's clock is far behind, or it took far too long; retry")
        if known.image.pending_bytes >= PENDING_LIMIT:  # settlers are slow or dead: settle all ourselves
            self._settle(Settler(self._ops, self._chain).rest)
            return self._look_up.all(self._pause)
        return known

    def _store_payloads(self, apart: Sequence[Entry]) -> int:
        """Store payloads apart from their events, unless that was done; return when we began, by our own clock.

        What this leaves behind if the push never comes is harmless: no event has it.
        """
        missing = [entry for entry in apart if entry.event_id not in self._stored]
        at = self._stored_at or int(time.time() * 1000)
        while missing:
            try:
                self._ops.insert_bodies(missing, at)
                self._stored.update(entry.event_id for entry in missing)
                break
            except ServerSelectionTimeoutError:  # it has waited long enough for a primary
                raise
            except (ConnectionFailure, StoreUnavailableError):  # a second time does no harm
                self._pause()
        self._stored_at = at
        return at

    def _create(self) -> Known:
        """Create the chain on first use, but never where a sequence document was removed.

        Raises:
            LimitError: none of those who append may create one more today.
        """
        # Events without a sequence document: it was removed. A new one would begin at 0 again and give seqs a second
        # time. It may be that another process has just created the chain and settled its first event, so it is looked
        # up once more before it is called lost; creating it twice at once makes one, and both find it.
        lost = self._ops.has_events(self._chain)
        if not lost:
            principals = (draft.entry.principal for draft in self._drafts.values())
            admit(self._ops, self._chain, principals, self._new_chains)
            self._ops.ensure_indexes()
            self._ops.create(self._chain, self._origin)
        known = self._look_up.all(self._pause)
        if lost and known.image is None:
            raise ChainLostError(f"chain {self._chain} has events but no sequence document")
        return known

    def _await(self) -> list[Placed]:
        """Look until the push has arrived: it may still be under way, and pushing again could double it."""
        while True:
            self._pause()
            known = self._look_up.all(self._pause)
            if len(known.events) == len(self._drafts):
                return self._placed(known.events)

    def _committed(self, known: Known | None, fresh: Sequence[Entry], image: PushImage) -> list[Placed]:
        """Derive the places of what was pushed, and settle if it is our turn."""
        state = self._last_pushes.state_before(self._chain, image, len(fresh))
        events = list(state.extend(fresh))
        self._last_pushes.put(self._chain, image, state)
        if not self._settle(lambda: Settler(self._ops, self._chain).after_push(image, events, state)):
            _give_way(image)
        found = dict(known.events) if known else {}
        return self._placed(found | {event.entry.event_id: event for event in events})

    def _settle(self, settle: Callable[[], bool | None]) -> bool:
        """Settle, and return whether that was tried. Our entries are committed: a failure is logged and not raised."""
        try:
            return bool(settle())
        except StoreUnavailableError:  # not acknowledged: another settler, or the next push, does it again
            return True
        except PyMongoError as error:
            logger.warning("settling chain %s failed: %s", self._chain, type(error).__name__)
        except (StoreError, NotOursError) as error:  # damage, which may be of others' entries: the audit reports it
            logger.error("settling chain %s: %s", self._chain, error)
        return True

    def _placed(self, events: dict[str, Event]) -> list[Placed]:
        """Return the events in the order of the drafts; one that is not our very entry was there before."""
        found = ((events[i], draft.entry) for i, draft in self._drafts.items())
        return [Placed(event, event.entry is not ours and event.entry != ours) for event, ours in found]

    def _pause(self) -> None:
        """Wait a little before the next try.

        Raises:
            StoreUnavailableError: the append has taken too long.
        """
        if time.monotonic() > self._deadline:
            raise StoreUnavailableError("MongoDB did not acknowledge in time; retry with the same event_id")
        time.sleep(_PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311  jitter, no secret


def append(
    operations: Operations,
    last_pushes: LastPushes,
    chain: str,
    origin: str,
    drafts: Sequence[Draft],
    *,
    new_chains: int,
) -> list[Placed]:
    """Append; see ``EventAppender.append``."""
    with answered(operations.client):
        return Appender(operations, last_pushes, chain, origin, drafts, new_chains=new_chains).run()


def _give_way(image: PushImage) -> None:
    """Wait a little where much is pending: settlers compete with all writers, and are the ones to go first."""
    crowd = len(image.pending) - _CROWD
    if crowd > 0:
        time.sleep(min(_GIVE_WAY_LIMIT, crowd * _GIVE_WAY_SECONDS))
