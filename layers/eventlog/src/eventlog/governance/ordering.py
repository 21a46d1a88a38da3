"""From a request to the event that orders it. Steps may be repeated, and a request stays one, however often it comes.

1. The text is claimed for the request (``anchors/orders.py``). Where a second person has to approve, it waits there.
2. The request is noted as open (``store/interface/erasures.py``).
3. The text is signed, and the note kept beside the anchors.
4. The event that has the note is appended.
5. The request is no more open.

A process may end between any two of them. After step 1 nothing was ordered: whoever asked, or approved, had no answer
and asks again. After step 2 whatever carries out erasures goes on with it, too (``erasing.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from eventlog.anchors.orders import OrderNotes, append_order
from eventlog.errors import ConflictError, NotFoundError
from eventlog.formats.event import Event
from eventlog.formats.governance import AnyOrder, Erasure, Hold, Release, event_id
from eventlog.formats.note import Signer
from eventlog.formats.strict_json import Problem
from eventlog.governance.holds import Holds, read_holds
from eventlog.governance.requests import Wanted, check_not_held, check_order, targets_of
from eventlog.principals import counted_as
from eventlog.store.interface import EventStore
from eventlog.store.interface.erasures import ErasureStore


class Ordered(NamedTuple):
    """What became of a request: its order and the order's event, None if it waits for an approval.

    ``replayed``: the event was there before.
    """

    order: AnyOrder
    event: Event | None
    replayed: bool = False


class Asking(NamedTuple):
    """Who asks for an order in which chain, why, and the request's UUID."""

    chain: str
    request: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ordering:
    """Gives orders in one log. ``approvals``: how many people an erasure takes, 1 or 2."""

    log: EventStore
    store: ErasureStore
    notes: OrderNotes
    signers: Callable[[], Sequence[Signer]]
    public_keys: Callable[[], Sequence[bytes]]
    origin: str
    approvals: int
    clock: Callable[[], int]

    def erase(self, asking: Asking, basis: str, wanted: Sequence[Wanted]) -> Ordered:
        """Order an erasure.

        Raises:
            NotFoundError: there is no such chain, or some of the events are not there.
            InvalidError: some are the log's own, or the basis or the reason can't be.
            ConflictError: a hold is in force on some, or the request was made before with other content.
            StoreError: it is not known to be ordered; ask again with the same request.
        """
        # A request that was made before is compared with what it claimed: what has become of the events since then
        # (erased, held) changes nothing about it.
        found = self._find(asking.chain, wanted)
        order = Erasure(
            origin=self.origin, chain=asking.chain, request=asking.request, time=self.clock(), by=asking.by,
            reason=asking.reason, basis=basis, targets=targets_of(asking.chain, wanted, found),
        )  # fmt: skip
        check_order(order)
        if (claimed := self._claimed(order)) is None:
            check_not_held(wanted, found, self.holds(asking.chain), order.time)
            claimed = self._claim(order)
        return self._proceed(claimed)

    def approve(self, chain: str, request: str, by: str) -> Ordered:
        """Approve an erasure that waits for that.

        Raises:
            NotFoundError: no erasure was asked for by this request.
            ConflictError: who asked for it can't approve it, or a hold came into force meanwhile.
            StoreError: as ``erase``.
        """
        claimed = self.notes.claimed(chain, request)
        if not isinstance(claimed, Erasure):
            raise NotFoundError(f"There is no erasure {request} in chain {chain}.")
        if self.approvals > 1 and self.notes.approved(chain, request) is None:
            if counted_as(by) == counted_as(claimed.by):
                raise ConflictError([], f"{claimed.by} asked for this erasure, so somebody else has to approve it.")
            seqs: list[Wanted] = [seq for seq, _ in claimed.targets]
            check_not_held(seqs, self._find(chain, seqs), self.holds(chain), self.clock())
            approved = replace(claimed, approved=by)
            check_order(approved)
            self.notes.approve(approved)
        return self._proceed(claimed)

    def hold(self, asking: Asking, span: tuple[int, int] | None, until: int | None) -> Ordered:
        """Order a hold; it raises what ``erase`` raises."""
        self._find(asking.chain, ())
        return self._order(Hold(**self._asked(asking), span=span, until=until))

    def release(self, asking: Asking, request: str) -> Ordered:
        """Order the release of the hold that this request asked for; it raises what ``erase`` raises."""
        self._find(asking.chain, ())
        held = self.holds(asking.chain).asked(request)
        if held is None:
            raise NotFoundError(f"There is no hold {request} in chain {asking.chain}.")
        return self._order(Release(**self._asked(asking), hold=held.event.entry.event_id))

    def holds(self, chain: str) -> Holds:
        """Read the holds of a chain, what was pending included.

        Raises:
            StoreError: the database can't be read.
        """
        self.log.settle(chain)
        return read_holds(self.store, chain, self.public_keys(), self.origin)

    def finish(self, chain: str, request: str) -> Ordered | None:
        """Go on with a request that is open; None if it has claimed nothing, or waits for an approval.

        Raises:
            StoreError: it is not known to be ordered.
        """
        claimed = self.notes.claimed(chain, request)
        ordered = None if claimed is None else self._proceed(claimed)
        if ordered is None or ordered.event is None:
            self.store.logged(chain, request)  # it is asked for, or approved, again
            return None
        return ordered

    def _order(self, order: Hold | Release) -> Ordered:
        check_order(order)
        return self._proceed(self._claimed(order) or self._claim(order))

    def _claimed(self, order: AnyOrder) -> AnyOrder | None:
        """Return what the request has claimed, if it is the same as now but for the time."""
        claimed = self.notes.claimed(order.chain, order.request)
        return None if claimed is None else _same(claimed, order)

    def _claim(self, order: AnyOrder) -> AnyOrder:
        return _same(self.notes.claim(order), order)

    def _proceed(self, claimed: AnyOrder) -> Ordered:
        """Do steps 2 to 5, if nothing has to be waited for."""
        order = claimed
        if isinstance(claimed, Erasure) and self.approvals > 1:
            approved = self.notes.approved(claimed.chain, claimed.request)
            if approved is None and self.log.get(claimed.chain, event_id(claimed)) is None:
                return Ordered(claimed, None)
            order = approved or claimed
        # What stands in the chain is done: nothing is signed a second time for a request that comes again.
        if event := self.log.get(order.chain, event_id(order)):
            self.store.logged(order.chain, order.request)
            return Ordered(order, event, replayed=True)
        self.store.accept(order.chain, order.request)
        note = self.notes.keep(order, self.signers())
        placed = append_order(self.log, order, note, self.clock())
        self.store.logged(order.chain, order.request)
        return Ordered(order, placed.event, placed.replayed)

    def _asked(self, asking: Asking) -> dict[str, Any]:
        return {**asking._asdict(), "origin": self.origin, "time": self.clock()}

    def _find(self, chain: str, wanted: Sequence[Wanted]) -> dict[Wanted, Event]:
        """Read events by id or seq, once all of the chain is settled."""
        if self.log.chain(chain) is None:
            raise NotFoundError(f"There is no chain {chain}.")
        self.log.settle(chain)
        ids = [name for name in wanted if isinstance(name, str)]
        seqs = [name for name in wanted if isinstance(name, int)]
        named = self.store.named(chain, ids) if ids else {}
        placed = self.store.settled(chain, seqs) if seqs else {}
        return dict[Wanted, Event]([*named.items(), *placed.items()])


def _same(claimed: AnyOrder, order: AnyOrder) -> AnyOrder:
    """Return a request's claim, if it says the same as is asked for now.

    Raises:
        ConflictError: it says something else.
    """
    if replace(claimed, time=order.time) != order:
        problem = Problem("/request_id", f"{order.request} was used for something else")
        raise ConflictError([problem], "This request was made before with other content. Nothing was logged.")
    return claimed
