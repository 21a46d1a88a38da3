"""What is read of all chains at once, and where the audit keeps what it knows of their heads."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class StoredNames(NamedTuple):
    """The chains that have rows in each collection."""

    sequences: set[str]
    events: set[str]
    copies: set[str]

    def all(self) -> set[str]:
        """Every chain of which anything is stored."""
        return self.sequences | self.events | self.copies


class HeadReads(Protocol):
    """Reads what is known of the heads. Every method may raise StoreUnavailableError."""

    def get(self) -> bytes | None:
        """Read the document (``stored/heads.py``) as it is; nothing in it was checked."""
        ...


class HeadStore(HeadReads, Protocol):
    """Reads all chains by a number of queries that does not depend on theirs, and keeps what is known."""

    def names(self) -> StoredNames:
        """List the chains of each collection, by an index: one key for each name."""
        ...

    def settled(self) -> Iterator[tuple[str, bytes]]:
        """Iterate over the sequence documents in which nothing is pending: their chains, and their bytes."""
        ...

    def save(self, document: bytes) -> None:
        """Put the document in the place of what stands there (w: majority)."""
        ...
