"""What evidence rests on: a chain's tree, its events, and the anchor copy that covers them, read together."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from eventlog.formats.bundle import TimeRange
from eventlog.formats.event import Event
from eventlog.store.interface.trees import TreeView
from eventlog.stored.anchor_copies import AnchorCopy


class EvidenceView(TreeView, Protocol):
    """A tree whose events can be read in order of seq, a batch at a time; a batch may be empty.

    The iterators read while they are read, and raise CorruptionError and StoreUnavailableError then.
    """

    def events(self, start: int, end: int) -> Iterator[list[Event]]:
        """Iterate over the events with start <= seq < end. One that is missing is left out: the caller counts."""
        ...

    def events_in(self, window: TimeRange, start: int, end: int) -> Iterator[list[Event]]:
        """Iterate over the events of a time window with start <= seq < end.

        Where they are is found before this returns, from an index alone.

        Raises:
            StoreUnavailableError: the database can't be reached.
        """
        ...

    def ordered_to_erase(self, start: int, end: int, window: TimeRange | None) -> bool:
        """Whether an order to erase names one of the events start <= seq < end, those of a time window if there is one.

        Of a window: one between its first event and its last.
        """
        ...


class EvidenceReader(Protocol):
    """Reads what evidence rests on.

    Every method raises CorruptionError for a damaged document, and StoreUnavailableError if the database can't be
    reached.
    """

    def view(
        self, chain: str, size: int | None
    ) -> AbstractContextManager[tuple[EvidenceView | None, AnchorCopy | None]]:
        """Open a chain's tree together with its anchor copy of exactly this size, of None the newest.

        The copy is read before the tree, in the same causally consistent session, and an anchor is made only once its
        events are committed. So the tree has all that the copy covers, unless events were removed.

        The view is None if there is no such chain; the copy is None if there is no such anchor.
        """
        ...

    def cosignatures(self, copy: AnchorCopy) -> list[str]:
        """Return the lines that witnesses have added to an anchor, as they are stored: nothing in them is verified."""
        ...
