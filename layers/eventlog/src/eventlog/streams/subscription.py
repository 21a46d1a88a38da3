"""What a reader of a live stream asks for."""

from dataclasses import dataclass

from eventlog.formats.name_filter import ANY, NameFilter
from eventlog.formats.search_keys import NO_FIELDS, SearchFields
from eventlog.streams.recent import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a reader asks for: a chain's events from ``from_seq`` on, by default those to come.

    ``seen``: how many events the reader has come past already; it goes on there, whatever ``from_seq`` says.
    ``hidden``: the caller may not see the chain, so it looks as if it did not exist and never will.
    """

    chain: str
    hidden: bool = False
    from_seq: int | None = None
    seen: int | None = None
    event_types: NameFilter = ANY
    source_ids: NameFilter = ANY
    keys: frozenset[str] = frozenset()
    rule: SearchFields = NO_FIELDS

    @property
    def watched(self) -> str:
        """The chain that is read. No chain has the empty name, so nothing ever comes of a hidden one."""
        return "" if self.hidden else self.chain

    def has(self, item: Item) -> bool:
        """Whether an event is of the types and sources asked for, and has the keys by the rule."""
        named = self.event_types.fits(item.event_type) and self.source_ids.fits(item.source_id)
        return named and item.has_keys(self.keys, self.rule)
