"""The newest events of a chain as frames, made once for all its readers; bounded in number and in bytes."""

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from eventlog.formats.event import Event, Keys
from eventlog.formats.event_json import DamagedEventError, format_event
from eventlog.formats.governance import ERASURE
from eventlog.formats.search_keys import SearchFields
from eventlog.formats.sse import format_frame
from eventlog.store.errors import CorruptionError

MAX_EVENTS = 10_000
MAX_BYTES = 8 << 20
_DATA = b"data: "


class Item(NamedTuple):
    """An event as streams send it: what readers choose it by, and its frame."""

    seq: int
    event_type: str
    source_id: str
    frame: bytes
    keys: Keys | None = None

    def has_keys(self, wanted: frozenset[str], rule: SearchFields) -> bool:
        """Whether it has all these keys by a rule; one that was indexed by another, or not at all, is looked into."""
        if not wanted:
            return True
        if self.keys is not None and self.keys.version == rule.version:
            return wanted.issubset(self.keys.values)
        payload = orjson.loads(self.frame[self.frame.index(_DATA) + len(_DATA) :])["payload"]
        return payload is not None and rule.value_has(payload, wanted)


def item_of(event: Event) -> Item:
    """Write an event as a stream shows it: its seq as the id, the JSON of a query as the data.

    Raises:
        CorruptionError: it is damaged, so the stream has to end here.
    """
    try:
        frame = format_frame(format_event(event), seq=event.seq)
    except DamagedEventError as error:
        raise CorruptionError(str(error)) from error
    return Item(event.seq, event.entry.event_type, event.entry.source_id, frame, event.entry.keys)


class RecentEvents:
    """The events [start, end) of a chain."""

    def __init__(self, start: int, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.start = start
        self.bytes = 0
        self._items: list[Item] = []
        self._max_events = max_events
        self._max_bytes = max_bytes

    @property
    def end(self) -> int:
        """The seq after the newest event."""
        return self.start + len(self._items)

    def extend(self, items: Iterable[Item]) -> None:
        """Add the next events, and drop the oldest ones to make room for them."""
        for item in items:
            if item.event_type == ERASURE:  # what is to be erased stays in no memory: who needs it reads the database
                self.start, self._items, self.bytes = self.end, [], 0
            self._items.append(item)
            self.bytes += len(item.frame)
        dropped = 0
        while self.bytes > self._max_bytes or len(self._items) - dropped > self._max_events:
            self.bytes -= len(self._items[dropped].frame)
            dropped += 1
        del self._items[:dropped]
        self.start += dropped

    def since(self, seq: int, limit: int) -> list[Item] | None:
        """Return up to ``limit`` events from ``seq`` on; None if ``seq`` was dropped already."""
        if seq < self.start:
            return None
        place = seq - self.start
        return self._items[place : place + limit]
