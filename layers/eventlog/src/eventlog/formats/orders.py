"""The orders of one chain: which of its events were to be erased, and which were not, as its own events say.

A target of an erasure takes 48 bytes, however many there are.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from eventlog.formats import governance
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import check_event
from eventlog.formats.governance import AnyOrder, Erasure, Hold
from eventlog.formats.governance_note import verify_order
from eventlog.formats.members import members, parse_json, text
from eventlog.formats.note import parse_note


class Orders:
    """The orders in events of the chain ``<origin>/<chain>``, signed by one of these governance keys.

    ``keys`` None: whether anybody has signed them is not checked.
    """

    def __init__(self, origin: str, chain: str, keys: Sequence[bytes] | None, events: Iterable[Event] = ()) -> None:
        self._origin, self._chain, self._keys = origin, chain, keys
        self._refused: dict[int, str] = {}
        self._holds: dict[str, tuple[int, Hold]] = {}
        self._released: set[str] = set()
        self.leaves: dict[int, bytes] = {}
        """The leaf hash of each erasure's event, by its seq."""
        # Of the targets: their seqs, leaf hashes, and the seqs of the events that name them; sorted by the first.
        self._seqs, self._hashes, self._by = array("q"), bytearray(), array("q")
        self._sorted = True
        for event in events:
            self.add(event)

    def refusal(self, seq: int, leaf: bytes) -> str | None:
        """Say why the event at this seq, with this leaf hash, orders nothing; None if it does, or was not read."""
        if seq in self._refused or seq not in self.leaves:
            return self._refused.get(seq)
        return None if self.leaves[seq] == leaf else "its hash is not that of the event that is found by its type"

    def is_refused(self, seq: int) -> str | None:
        """Say why the event at this seq orders nothing; None if it does, or was not taken in."""
        return self._refused.get(seq)

    def erased_by(self, seq: int, leaf: bytes) -> int | None:
        """Return the seq of the first event that orders to erase this one; None if there is none."""
        return next(self._orders_of(seq, leaf), None)

    def orders(self, by: int, seq: int, leaf: bytes) -> bool:
        """Return whether the event at ``by`` orders to erase this one."""
        return by in self._orders_of(seq, leaf)

    def held(self, seq: int, by: int, now: int) -> str | None:
        """Return the id of a hold that kept the erasure ordered at ``by`` from being carried out; None without one.

        It was logged before the erasure, so whoever carries that out knows it, and it is in force at ``now``.
        """
        for name, (logged, hold) in self._holds.items():
            if name in self._released or logged > by or not hold.covers(seq):
                continue
            if hold.until is None or hold.until > now:
                return name
        return None

    def count(self, start: int, end: int, before: int) -> int:
        """Count the events of start..end-1 that an event before ``before`` orders to erase."""
        count, last = 0, None
        for seq, leaf, by in self._from(start):
            if seq >= end:
                break
            count += (seq, leaf) != last and by < before  # of several that name one event the first stands first
            last = seq, leaf
        return count

    def add(self, event: Event) -> None:
        """Take in an event. One that contradicts itself is left out: whoever verifies it says what is wrong."""
        try:
            check_event(event)
        except EvidenceError:
            return
        try:
            order = self._order(event)
        except EvidenceError as error:
            self._refused[event.seq] = f"it orders nothing: {error}"
            return
        if isinstance(order, Erasure):
            self.leaves[event.seq] = event.hash
            self._sorted = False
            targets = [target for target in order.targets if target[0] < event.seq]
            self._seqs.extend(seq for seq, _ in targets)
            self._hashes += b"".join(leaf for _, leaf in targets)
            self._by.extend([event.seq] * len(targets))
        elif isinstance(order, Hold):
            self._holds[event.entry.event_id] = event.seq, order
        else:
            self._released.add(order.hold)

    def _order(self, event: Event) -> AnyOrder:
        """Read the order in an event.

        Raises:
            EvidenceError: there is none that counts, or it is not the one that the event's type and id say.
        """
        payload = members(parse_json(event.entry.payload.encode()), "its payload")
        note = text(payload, "note").encode()
        if self._keys is None:
            order = governance.parse_order(parse_note(note).text)
        else:
            order = verify_order(note, self._keys, self._origin, self._chain)
        if (order.origin, order.chain) != (self._origin, self._chain):
            raise EvidenceError("it is for another chain")
        if (order.event_type, governance.event_id(order)) != (event.entry.event_type, event.entry.event_id):
            raise EvidenceError("it has the type or the id of another order")
        return order

    def _sort(self) -> None:
        places = sorted(range(len(self._seqs)), key=lambda place: (self._seqs[place], self._by[place]))
        self._hashes = bytearray().join(self._hashes[32 * place : 32 * place + 32] for place in places)
        self._seqs, self._by = (array("q", (old[place] for place in places)) for old in (self._seqs, self._by))
        self._sorted = True

    def _orders_of(self, seq: int, leaf: bytes) -> Iterator[int]:
        """Iterate over the events that order to erase one."""
        same = takewhile(lambda target: target[0] == seq, self._from(seq))
        return (by for _, hashed, by in same if hashed == leaf)

    def _from(self, seq: int) -> Iterator[tuple[int, bytes, int]]:
        """Iterate over the targets from a seq on: seq, leaf hash and the event that names it."""
        if not self._sorted:
            self._sort()
        for place in range(bisect_left(self._seqs, seq), len(self._seqs)):
            yield self._seqs[place], bytes(self._hashes[32 * place : 32 * place + 32]), self._by[place]
