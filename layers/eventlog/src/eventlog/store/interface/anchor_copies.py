"""Copies of anchors in the database, so that a reader of evidence needs neither the anchor store nor a key."""

from collections.abc import Iterator
from typing import Protocol

from eventlog.stored.anchor_copies import AnchorCopy


class AnchorCopies(Protocol):
    """The copies of the anchors of all chains; each is written once, under its chain and number.

    Durability: what ``add`` has returned for is committed by a majority, and every later read shows it.

    Concurrency: of callers that add different copies under one number exactly one succeeds; the others get
    CorruptionError. Adding the same copy again is fine.

    Trust: none. Notes are signed, and the anchor store has them too.

    Every method, and every iterator while it is read, raises StoreUnavailableError if the database can't be reached
    and, but for ``stored``, ``newest_raw`` and ``packs``, CorruptionError for a copy that this version does not write.
    """

    def ensure_indexes(self) -> None:
        """Create the indexes that are missing, where the caller's role may; harmless when all are there."""
        ...

    def newest(self, chain: str) -> AnchorCopy | None:
        """Return the chain's copy with the highest number."""
        ...

    def newest_raw(self, chain: str) -> bytes | None:
        """Return the document with the highest number as it is stored, whatever it is: for an audit."""
        ...

    def at_size(self, chain: str, size: int) -> AnchorCopy | None:
        """Return the copy of exactly this tree size; of several, the one with the highest number."""
        ...

    def scan(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[AnchorCopy]:
        """Iterate over the copies with first <= number <= last, by number."""
        ...

    def stored(self, chain: str, first: int = 1) -> Iterator[tuple[int | None, bytes]]:
        """Iterate over the documents as they are stored, for an audit: by number from ``first`` on.

        Behind them come those without a number, as None.
        """
        ...

    def packs(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """Iterate over the numbers, from ``first`` to ``last``, of the copies that name a pack, with that pack's.

        By number. Copies that this version does not write are passed over.
        """
        ...

    def newest_number(self, chain: str) -> int:
        """Return the highest number that a copy of the chain has; 0: there is none, or it can't be read."""
        ...

    def add(self, copy: AnchorCopy) -> None:
        """Store a copy.

        Raises:
            CorruptionError: another copy has this number.
            StoreUnavailableError: it is not known to be stored.
        """
        ...
