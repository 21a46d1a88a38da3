"""Erasing: emptying the payloads of events, and how far that has come in each chain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from eventlog.formats.event import Event


@dataclass(frozen=True, slots=True)
class ErasingState:
    """How far erasing has come in a chain. Nothing of the log rests on it: what it lost is done again.

    ``next``: erasures at this seq or later were not looked at. ``waiting``: those before it, by seq, that could not be
    carried out yet. ``open``: requests whose orders may not stand in the chain yet.
    """

    chain: str
    next: int = 0
    waiting: tuple[int, ...] = ()
    open: tuple[str, ...] = ()


class ErasureStore(Protocol):
    """Empties payloads and keeps how far that has come. Its database user is the only one that may update events.

    Every method may raise StoreUnavailableError, and CorruptionError for a stored document that is damaged.
    """

    def accept(self, chain: str, request: str) -> None:
        """Note that a request is to become an order in the chain, before that is begun."""
        ...

    def logged(self, chain: str, request: str) -> None:
        """Note that a request's order stands in the chain."""
        ...

    def chains(self) -> list[str]:
        """List the chains of which something was noted."""
        ...

    def state(self, chain: str) -> ErasingState:
        """Read how far erasing has come."""
        ...

    def reached(self, state: ErasingState) -> None:
        """Store how far erasing has come: ``next`` and ``waiting``. What is open stays as it is."""
        ...

    def orders(self, chain: str, event_types: Iterable[str], start: int, seqs: Iterable[int] = ()) -> Iterator[Event]:
        """Iterate over the settled events of these types at ``seqs``, and from seq ``start`` on, in order of seq."""
        ...

    def settled(self, chain: str, seqs: Iterable[int]) -> dict[int, Event]:
        """Read settled events by seq; payloads that are stored apart are not read, and what is missing is left out."""
        ...

    def named(self, chain: str, ids: Iterable[str]) -> dict[str, Event]:
        """Read settled events by id, as ``settled`` does by seq."""
        ...

    def erase(self, events: Iterable[Event]) -> int:
        """Empty payload, salt and keys of settled events, and remove payloads stored apart; return how many it emptied.

        An event that stands there with another hash is left as it is. When it returns, a majority has all of it. It
        may be repeated at any time.
        """
        ...
