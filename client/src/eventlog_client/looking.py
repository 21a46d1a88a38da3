"""A bounded look: events that the log has chosen by index, read page after page and searched for words here."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventlog.formats.event import Entry, Event
from eventlog_client.arguments import Filters
from eventlog_client.errors import RefusedError
from eventlog_client.reading import PageRead
from eventlog_client.search import Search
from eventlog_client.transport import Transport

LOOK = 20_000
"""Events that one look reads, unless more are asked for."""
_ALL_TIMES = {"start_time": "1970-01-01T00:00:00Z", "end_time": "10000-01-01T00:00:00Z"}


@dataclass(slots=True)
class Look:
    """Events that have every word, in the log's order; what it says of itself is of what was read so far.

    ``total``: how many events the log had chosen when the look began; None if it did not say. ``cursor``: where another
    look goes on; None once everything was searched. ``most``: no page is begun after so many events; None: all are.
    ``ended``: it came to its own end; False while whoever takes the events has not taken them all.
    """

    pages: Iterator[PageRead]
    words: Sequence[str]
    total: int | None = None
    most: int | None = LOOK
    cursor: str | None = None
    searched: int = 0
    found: int = 0
    ended: bool = False
    advance: Callable[[int], None] = lambda _: None

    def events(self) -> Iterator[Event]:
        """Yield the events that fit, each as it is found."""
        for page in self.pages:
            for event in page.events:
                self.searched += 1
                if has_words(event.entry, self.words):
                    self.found += 1
                    yield event
            self.advance(page.size)
            self.cursor = page.cursor
            if self.most is not None and self.searched >= self.most:
                break
        self.ended = True


def filters_of(search: Search) -> Filters:
    """Return what the log itself looks for, as ``EventLog.events`` takes it."""
    return {
        "event_type": search.types,
        "source_id": search.sources,
        "key": search.keys,
        "start_time": search.start_time,
        "end_time": search.end_time,
        "order": search.order,
    }


def total_of(transport: Transport, chain: str, search: Search) -> int | None:
    """Ask the log how many events it would choose; None if it does not say, as there are too many to count."""
    given: dict[str, Any] = {"chain": chain, "event_type": search.types, "source_id": search.sources}
    given["key"] = search.keys
    times = {"start_time": search.start_time, "end_time": search.end_time}
    times = {name: value or _ALL_TIMES[name] for name, value in times.items()}
    if times["start_time"] == times["end_time"]:
        return 0  # no event is in an empty range, and figures refuse it
    try:
        total = transport.get("/stats", given | times).object().get("total")
    except RefusedError as error:
        if error.status != 422:
            raise
        return None
    return total if isinstance(total, int) else None


def has_words(entry: Entry, words: Sequence[str]) -> bool:
    """Return whether each word is in one of an event's texts, whatever its case."""
    if not words:
        return True
    texts = [text.lower() for text in _texts(entry)]
    return all(any(word in text for text in texts) for word in map(str.lower, words))


def _texts(entry: Entry) -> Iterator[str]:
    """Yield what is looked at: names and ids; of the payload each member's name, text and number as it is written."""
    yield from (entry.event_type, entry.source_id, entry.event_id, entry.principal)
    # Every value by itself, not the JSON as a whole: a word with a quote would be escaped there, and one that begins in
    # one value could end in the next. Numbers stay the texts that they are stored as.
    waiting: list[Any] = [json.loads(entry.payload or "{}", parse_int=str, parse_float=str)]  # nothing of an erased one
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str):
            yield value
        elif isinstance(value, bool):
            yield "true" if value else "false"
