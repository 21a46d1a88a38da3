"""The changes of the database that a log makes never, in the order in which they were made, and how far they are read.

They come from the database's own record of its changes. So a change is there even if it was undone since.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol


class Change(NamedTuple):
    """A change that no function of the log makes. It has nothing of a document but its id, chain and seq."""

    wrong: bool
    """False: this version can't tell what the change does, since a later one may have made it."""

    chain: str | None
    """The chain that the document, or its id, says it is of. Whoever made the change chose it."""

    seq: int | None
    millis: int
    """When it was made, by the cluster's clock: milliseconds since 1970, in whole seconds."""

    what: str
    """What was done, as a clause: ``the row 'main/e1' of events was deleted``."""


class OpenChanges(Protocol):
    """The changes since some moment. Its methods raise StoreError; HistoryLostError if they can't be read any more."""

    @property
    def token(self) -> bytes | None:
        """Where reading goes on after everything that was seen so far; None: nothing was read yet since a time."""
        ...

    @property
    def mark(self) -> str | None:
        """The last mark (``ChangeWatch.put_mark``) that came by."""
        ...

    @property
    def millis(self) -> int | None:
        """When the last thing that came by was done, in milliseconds since 1970; None: nothing came."""
        ...

    def read(self, seconds: float) -> list[Change]:
        """Read the next changes, a limited number of them; wait so long for the first one or a mark."""
        ...


class ChangeWatch(Protocol):
    """Opens the changes of one log's database, and keeps how far they were read."""

    def open(self, token: bytes | None, since: int | None = None) -> AbstractContextManager[OpenChanges]:
        """Open the changes since a token, else since a time in milliseconds; without either from now on.

        Raises:
            HistoryLostError: the database can't go back to there.
            CannotWatchError: the database does not let us watch at all; the text says why.
            StoreUnavailableError: MongoDB can't be reached.
        """
        ...

    def put_mark(self) -> str:
        """Make a change of our own, a new mark, that must come by in the changes (w: majority)."""
        ...

    def position(self) -> bytes | None:
        """Read the document that ``keep_position`` kept, whatever it has become."""
        ...

    def keep_position(self, document: bytes) -> None:
        """Keep a document that says how far the changes were read; its ``_id`` is ``POSITION`` (w: majority)."""
        ...
