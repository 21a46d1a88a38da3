"""Carries out erasures: those that stand in their chain, signed and anchored, and that no hold stops.

Nothing is emptied before its order is anchored, so that whatever becomes of the database, it is on record what was
erased and on whose word. Each step may be repeated: a crash, or a backup that is restored, has it done again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol
from zlib import crc32

from eventlog.anchors.orders import read_order
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.governance import ERASURE, Erasure
from eventlog.governance.anchored import Anchored
from eventlog.governance.ordering import Ordering
from eventlog.store.errors import StoreError
from eventlog.store.interface.erasures import ErasingState, ErasureStore

_DAY = 24 * 60


def minute_of(chain: str) -> int:
    """Return the minute of the day, in UTC, in which a chain's older orders are looked at again."""
    return crc32(chain.encode()) % _DAY


class ErasureNotices(Protocol):
    """Is told what an operator should know. No payload is in it."""

    def order_refused(self, chain: str, seq: int, why: str) -> None:
        """Tell of an event that says it orders an erasure, and doesn't."""
        ...

    def failed(self, chain: str, error: Exception) -> None:
        """Tell that a chain's erasures could not be carried out; they are tried again."""
        ...


@dataclass(slots=True)
class ErasingRound:
    """What a round over all chains did. ``overdue``: when the oldest order was given that is not carried out and could.

    It is in milliseconds since 1970; None if there is none.
    """

    emptied: int = 0
    carried_out: int = 0
    held: int = 0
    refused: int = 0
    failed: int = 0
    overdue: int | None = None

    def waits(self, order: Erasure) -> None:
        """Count an order that is still to be carried out."""
        self.overdue = order.time if self.overdue is None else min(self.overdue, order.time)


@dataclass(frozen=True, slots=True)
class Erasing:
    """Goes over the chains of one log that have orders."""

    ordering: Ordering
    anchored: Anchored
    notices: ErasureNotices
    clock: Callable[[], float] = field(default=time.monotonic)

    @property
    def _store(self) -> ErasureStore:
        return self.ordering.store

    def run(self, seconds: float) -> ErasingRound:
        """Carry out what can be, chain after chain, for so long at most; no error of one chain stops the others.

        Raises:
            StoreError: which chains have orders can't be read.
        """
        # Once a day, when all that is new is done, older orders of a chain are looked at again, too.
        done, until = ErasingRound(), self.clock() + seconds
        chains = sorted({*self._store.chains(), *self.ordering.notes.chains()})
        now = self.ordering.clock() // 60_000 % _DAY
        again = [chain for chain in chains if minute_of(chain) == now]
        work = [*((self._chain, chain) for chain in chains), *((self._again, chain) for chain in again)]
        for step, chain in work:
            if self.clock() >= until:
                break
            try:
                step(chain, done, until)
            except StoreError as error:
                done.failed += 1
                self.notices.failed(chain, error)
        return done

    def _chain(self, chain: str, done: ErasingRound, until: float) -> None:
        """Go on with requests that are open, then carry out the chain's orders in their order."""
        for request in self._store.state(chain).open:
            self.ordering.finish(chain, request)
        found = self.ordering.log.chain(chain)
        if found is None:
            return
        self.ordering.log.settle(chain)
        state = self._store.state(chain)
        if state.next > found.state.size:  # the chain is shorter than it was: a backup of it alone was restored
            state = ErasingState(chain)
        waiting = list(state.waiting)
        for event in self._store.orders(chain, (ERASURE,), state.next, state.waiting):
            if self.clock() >= until:
                break
            if self._carry_out(event, done):
                waiting = [seq for seq in waiting if seq != event.seq]
            elif event.seq not in waiting:
                waiting.append(event.seq)
            state = replace(state, next=max(state.next, event.seq + 1))
        self._store.reached(ErasingState(chain, state.next, tuple(waiting)))

    def _again(self, chain: str, done: ErasingRound, until: float) -> None:
        """Look at orders that were carried out: what was put back since, from a backup of some events, is emptied."""
        state = self._store.state(chain)
        for event in self._store.orders(chain, (ERASURE,), 0):
            if event.seq >= state.next or self.clock() >= until:
                break
            if event.seq in state.waiting:
                continue
            looked = ErasingRound()
            self._carry_out(event, looked)
            done.emptied += looked.emptied

    def _carry_out(self, event: Event, done: ErasingRound) -> bool:
        """Carry out the order that an event brings; return whether all of it is done."""
        ordering = self.ordering
        try:
            order = read_order(event.entry, ordering.public_keys(), ordering.origin)
        except EvidenceError as error:
            # It may be a forgery, or signed by a key that should be known here: it waits, and is told each time.
            self.notices.order_refused(event.entry.chain, event.seq, str(error))
            done.refused += 1
            return False
        assert isinstance(order, Erasure)
        if not self.anchored.covers(event):
            done.waits(order)
            return False
        named = self._store.settled(order.chain, (seq for seq, _ in order.targets))
        events = [found for seq, leaf in order.targets if (found := named.get(seq)) and found.hash == leaf]
        # An erasure says nothing of what comes after it: after a restore another event may stand there.
        events = [found for found in events if found.seq < event.seq]
        # Holds are read last, and for each order: one that was set since the round began counts.
        holds, now = ordering.holds(order.chain), ordering.clock()
        free = [found for found in events if holds.on(found.seq, now) is None]
        done.emptied += self._store.erase(free)
        done.carried_out += len(free) == len(events)
        done.held += len(events) - len(free)
        return len(free) == len(events)
