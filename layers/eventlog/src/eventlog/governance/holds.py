"""Holds in force: what must not be erased now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from eventlog.anchors.orders import read_order
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.governance import HOLD, RELEASE, Hold, Release, event_id
from eventlog.store.interface.erasures import ErasureStore


class LoggedHold(NamedTuple):
    """A hold as it stands in its chain, and the release that ended it, if one did."""

    event: Event
    hold: Hold
    release: Event | None = None

    def in_force(self, now: int) -> bool:
        """Return whether it holds at this time, in milliseconds since 1970."""
        return self.release is None and (self.hold.until is None or now < self.hold.until)


@dataclass(frozen=True, slots=True)
class Holds:
    """All holds of one chain, in their order, whether they are in force or not."""

    all: tuple[LoggedHold, ...]

    def on(self, seq: int, now: int) -> LoggedHold | None:
        """Return a hold in force on the event at a seq; None if it may be erased."""
        return next((each for each in self.all if each.hold.covers(seq) and each.in_force(now)), None)

    def asked(self, request: str) -> LoggedHold | None:
        """Return the hold that was asked for by this request."""
        return next((each for each in self.all if each.hold.request == request), None)


def read_holds(store: ErasureStore, chain: str, public_keys: Iterable[bytes], origin: str) -> Holds:
    """Read the holds of a chain. What is pending is not among them: settle first.

    Raises:
        StoreError: the database can't be read.
    """
    # An event that brings no order that is signed holds nothing and releases nothing: the audit tells of it. A release
    # counts for a hold that stands before it.
    keys = list(public_keys)
    found: dict[str, LoggedHold] = {}
    for event in store.orders(chain, (HOLD, RELEASE), 0):
        try:
            order = read_order(event.entry, keys, origin)
        except EvidenceError:
            continue
        if isinstance(order, Hold):
            found[event_id(order)] = LoggedHold(event, order)
        elif isinstance(order, Release) and (held := found.get(order.hold)) and held.release is None:
            found[order.hold] = held._replace(release=event)
    return Holds(tuple(found.values()))
