"""Erased events in evidence bundles, and the orders that are there beside them (version 2)."""

import struct
from collections.abc import Sequence

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.governance import ERASURE
from eventlog.formats.note import VerifierKey
from eventlog.formats.orders import Orders

_ERASED = struct.Struct(">Q32sQ")


class PartErasures:
    """What one bundle says was erased, and by which orders: 48 bytes for each until its end.

    ``keys``: governance keys, named for the log; None: whether anybody has signed the orders is not checked.
    """

    def __init__(self, origin: str, chain: str, keys: Sequence[VerifierKey] | None) -> None:
        named = None if keys is None else [key.public_key for key in keys if key.name == origin]
        self._orders = Orders(origin, chain, named)
        self._erased = bytearray()
        self.governed = keys is not None

    @property
    def erased(self) -> int:
        """How many events were erased."""
        return len(self._erased) // _ERASED.size

    def take(self, event: Event) -> None:
        """Take in an event whose hashes were checked."""
        if event.erased is not None:
            self._erased += _ERASED.pack(event.seq, event.hash, event.erased.seq)
        if event.entry.event_type == ERASURE:
            self._orders.add(event)

    def missing(self) -> list[int]:
        """List the seqs of orders that events name and that were not taken in."""
        named = {by for _, _, by in _ERASED.iter_unpack(self._erased)}
        return sorted(by for by in named if by not in self._orders.leaves and not self._orders.is_refused(by))

    def finish(self) -> None:
        """Check that each event that was erased was ordered to be, by the event that it names.

        Raises:
            EvidenceError: one was not.
        """
        for seq, leaf, by in _ERASED.iter_unpack(self._erased):
            if not self._orders.orders(by, seq, leaf):
                why = self._orders.is_refused(by) or "it does not order that"
                raise EvidenceError(f"event {seq} is not erased by the event at seq {by}: {why}")
