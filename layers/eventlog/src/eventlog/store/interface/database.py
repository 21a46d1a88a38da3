"""What an audit asks about a database as a whole: how it is set up, and rows that belong to no chain."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class DatabaseShape(NamedTuple):
    """How the collections and indexes differ from what is declared, one sentence for each difference."""

    mismatches: list[str]
    """What no version of this software makes, and what makes queries leave rows out."""

    unclear: list[str]
    """What is missing or another version may have made: only the operator can tell."""


class DatabaseReads(Protocol):
    """Reads of all collections. Every method may raise StoreUnavailableError."""

    def shape(self, *, set_up: bool) -> DatabaseShape:
        """Compare collections and indexes with what is declared.

        ``set_up``: an operator has set the database up, so nothing that is declared may be missing. Else functions make
        indexes as they need them, and there are no validators.
        """
        ...

    def leftover_payloads(self, seconds: float) -> int:
        """Count payloads stored apart that no event has, an hour after they were stored; for so long at most.

        A writer that died, or was refused, has left them. They harm nothing.
        """
        ...

    def odd_rows(self, *, whole: bool) -> Iterator[str]:
        """Iterate over rows that no version wrote and that belong to no chain, one sentence for each.

        ``whole``: read every row of the collections whose indexes do not tell. Else the cost does not grow with the
        log, but with the number of its chains.
        """
        ...
