"""What can be searched for: values of fields, and how far a chain is indexed."""

from typing import Literal, Protocol

NameField = Literal["event_type", "source_id"]


class SearchReads(Protocol):
    """Reads the indexes that searches use, one entry for each value, pending events too.

    Every method raises StoreUnavailableError if the database can't be reached or has no index of search fields.
    """

    def names(self, chain: str, field: NameField, prefix: str, limit: int) -> tuple[list[str], bool]:
        """List up to so many types or sources that begin so, and whether there are more."""
        ...

    def values(self, chain: str, name: str, prefix: str, limit: int) -> tuple[list[str], bool]:
        """List up to so many values of a search field that begin so, in order, and whether there are more."""
        ...

    def indexed_version(self, chain: str) -> int | None:
        """Return the lowest version that any event has its keys by, 0 if one has none; None of an empty chain."""
        ...
