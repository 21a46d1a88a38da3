"""How far orders are: what is shown of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eventlog.anchors.orders import read_order
from eventlog.errors import NotFoundError
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event, is_erased
from eventlog.formats.governance import ERASURE, Erasure, event_id
from eventlog.formats.name_filter import NameFilter
from eventlog.governance.anchored import Anchored
from eventlog.governance.holds import LoggedHold
from eventlog.governance.ordering import Ordered, Ordering
from eventlog.store.interface import Position, Query


class ErasureShown(NamedTuple):
    """An erasure and its event, and its state: ``waiting`` (for an approval), ``logged``, ``anchored`` or ``erased``.

    ``erased`` is how many of the events that it names are erased, None where that was not counted; ``held`` how many of
    the others a hold keeps.
    """

    order: Erasure
    event: Event | None
    state: str
    erased: int | None = None
    held: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Reads orders and how far they are."""

    ordering: Ordering
    anchored: Anchored

    def ordered(self, found: Ordered) -> ErasureShown:
        """Say how far an erasure is that was just asked for."""
        assert isinstance(found.order, Erasure)
        return self._shown(found.order, found.event)

    def erasure(self, chain: str, request: str) -> ErasureShown:
        """Find one erasure by its request.

        Raises:
            NotFoundError: there is none.
        """
        notes = self.ordering.notes
        claimed = notes.claimed(chain, request)
        if not isinstance(claimed, Erasure):
            raise NotFoundError(f"There is no erasure {request} in chain {chain}.")
        approved = notes.approved(chain, request)
        order = approved if isinstance(approved, Erasure) else claimed
        return self._shown(order, self.ordering.log.get(chain, event_id(order)))

    def erasures(self, chain: str, limit: int, after: Position | None) -> tuple[list[ErasureShown], Position | None]:
        """List the erasures that stand in a chain, newest first, and where the next page begins."""
        query = Query(chain=chain, event_types=NameFilter.of([ERASURE]), limit=limit, after=after)
        page = self.ordering.log.page(query)
        state = self.ordering.store.state(chain)
        found: list[ErasureShown] = []
        for event in page.events:
            try:
                order = read_order(event.entry, self.ordering.public_keys(), self.ordering.origin)
            except EvidenceError:
                continue  # the audit tells of it
            done = event.seq < state.next and event.seq not in state.waiting
            assert isinstance(order, Erasure)
            found.append(ErasureShown(order, event, "erased" if done else "logged"))
        last = page.events[-1] if page.more and page.events else None
        return found, last and Position(last.entry.timestamp, last.seq)

    def waiting(self, chain: str) -> Iterator[ErasureShown]:
        """Iterate over the erasures of a chain that wait for an approval."""
        if self.ordering.approvals < 2:
            return
        notes = self.ordering.notes
        approved = set(notes.requests(chain, "approved"))
        for request in notes.requests(chain, "claim"):
            claimed = None if request in approved else notes.claimed(chain, request)
            if isinstance(claimed, Erasure) and self.ordering.log.get(chain, event_id(claimed)) is None:
                yield ErasureShown(claimed, None, "waiting")

    def holds(self, chain: str) -> Sequence[LoggedHold]:
        """List the holds of a chain, newest first."""
        return self.ordering.holds(chain).all[::-1]

    def _shown(self, order: Erasure, event: Event | None) -> ErasureShown:
        """Look at the events that an erasure names."""
        if event is None:
            return ErasureShown(order, None, "waiting", 0)
        named = self.ordering.store.settled(order.chain, (seq for seq, _ in order.targets))
        there = [found for seq, leaf in order.targets if (found := named.get(seq)) and found.hash == leaf]
        left = [found for found in there if not is_erased(found.entry)]
        if not left:
            return ErasureShown(order, event, "erased", len(there), 0)
        holds, now = self.ordering.holds(order.chain), self.ordering.clock()
        held = sum(holds.on(found.seq, now) is not None for found in left)
        state = "anchored" if self.anchored.covers(event) else "logged"
        return ErasureShown(order, event, state, len(there) - len(left), held)
