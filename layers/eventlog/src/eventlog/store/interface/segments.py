"""Where audits keep what they have found out of parts of a long chain: rows among the reports.

Nothing in such a row is checked here. Whoever reads one has to know by its signature that an audit has written it.
"""

from collections.abc import Iterator
from typing import Protocol

SEGMENT_PREFIX = "segment/"
"""With the chain's name and the segment's first seq it is the id, among the audits, of the segment's result."""

SEGMENT_COUNT_PREFIX = "segment-count/"
"""With the chain's name and an index's it is the id of how many of the chain's events the index has shown."""


def segment_id(chain: str, start: int) -> str:
    """Return the id of a segment's result; a chain's sort by where they start."""
    return f"{SEGMENT_PREFIX}{chain}/{start:019}"


def segment_count_id(chain: str, index: str) -> str:
    """Return the id of an index's count."""
    return f"{SEGMENT_COUNT_PREFIX}{chain}/{index}"


class SegmentStore(Protocol):
    """Reads and keeps results of segments. Every method may raise StoreUnavailableError."""

    def note(self, chain: str, start: int) -> bytes | None:
        """Read the result of the segment that starts there: a note's text, or whatever stands in its place."""
        ...

    def notes(self, chain: str) -> Iterator[bytes]:
        """Read the results of all of a chain's segments, by where they start."""
        ...

    def keep(self, chain: str, start: int, note: bytes) -> None:
        """Put a segment's result in the place of the one before (w: majority)."""
        ...
