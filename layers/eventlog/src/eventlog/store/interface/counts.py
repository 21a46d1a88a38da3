"""Counts of events by time, type or source, for statistics."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, Protocol

from eventlog.formats.name_filter import ANY, NameFilter

CountedField = Literal["event_type", "source_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """What to count: a chain's events with start <= timestamp < end (milliseconds), each of ``by``'s values too.

    Only events of ``event_types`` and ``source_ids`` that have all of ``keys`` count.

    Buckets have ``width`` milliseconds and begin at multiples of it since 1970.
    """

    chain: str
    start: int
    end: int
    width: int
    by: CountedField | None = None
    event_types: NameFilter = ANY
    source_ids: NameFilter = ANY
    keys: frozenset[str] = frozenset()

    @property
    def starts(self) -> range:
        """Where each bucket begins; the first and the last may reach beyond the range."""
        return range(self.start - self.start % self.width, self.end, self.width)


@dataclass(frozen=True, slots=True)
class Counts:
    """Events by the start of their bucket: all of them, and those of the values that may be the most frequent."""

    all: Counter[int]
    by_value: dict[str, Counter[int]]
    indexed_version: int | None = None
    """As of a page (``Page``)."""


NOTHING = Counts(Counter(), {})
"""What a chain that does not exist has."""


class EventCounts(Protocol):
    """Counts events from an index alone, at a bounded cost."""

    def count(self, buckets: Buckets, most: int) -> Counts:
        """Count every acknowledged event of the range, pending ones too, as they were at one moment.

        The ``most`` frequent values are among those that are counted each.

        Raises:
            TooManyNamesError: the chain has too many types or sources that fit.
            TooManyEventsError: the range has more events than are counted for one answer, or takes too long.
            CorruptionError: the chain's sequence document is damaged.
            StoreUnavailableError: the database can't be reached.
        """
        ...
