"""The search syntax: one line that says which events, as people type it. The same in JavaScript: dashboard/search.js.

    search    = [ term *( blanks term ) ]                    blanks: space, tab, CR, LF
    term      = qualifier ":" value / value                  a value alone is text to look for
    value     = '"' *( any but '"' / '""' ) '"' / 1*( any but blanks and '"' )
    qualifier = "type" / "source" / "chain" / "after" / "before" / "order" / the name of a search field / "key"

Types and sources may be there many times (any of these), and end in ``*`` (``formats/name_filter.py``); search fields
may be there many times, too (all of these); the others once. ``key:user:u-17`` is ``user:u-17``, for a field whose name
or value could be meant otherwise: where a field is called ``order``, ``order:asc`` and ``order:desc`` are the order.
All that is asked for must hold together. What looks like more (``-type:x``, ``OR``, another qualifier) is refused at
its place, as a search that means something else than it says would hide events. Places count characters, from 1.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from eventlog.formats.search_keys import MAX_FIELDS, MAX_TEXT
from eventlog.formats.times import format_end, format_time, parse_end, parse_time
from eventlog_client.search_values import (
    ORDERS,
    chain_value,
    check_given,
    end_of,
    fail,
    name_value,
    order_value,
    quoted,
    read_value,
    written,
)

MANY, ONCE = ("type", "source"), ("chain", "after", "before", "order")
MAX_MANY = 20
"""How many types, and how many sources, one search can have: as many as the log takes."""
_QUALIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_]*):")
_BLANKS = re.compile(r"[ \t\r\n]*")
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AS_TEXT = "quote it to look for it as text"
_TIMES = "allowed: 7d (s, m, h, d or w ago), 2026-11-20, 2026-11-20T12:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search asks for. Types and sources are filters of the API, times RFC 3339 texts, start inclusive.

    Of the ``keys``, ``name:value`` of search fields, an event must have each; of the ``words``, too, in its type,
    source, id, principal or payload.
    """

    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    chain: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    order: str | None = None
    words: tuple[str, ...] = ()


def parse_search(text: str, now: int, fields: Collection[str] = ()) -> Search:
    """Read a search; ``now`` (milliseconds since 1970) is what relative times are before.

    ``fields`` are the names of the search fields that the log has declared.

    Raises:
        SearchError: it can't be understood; the text says where, and what is known.
    """
    found = _Found(now, fields)
    place = end_of(_BLANKS, text, 0)
    while place < len(text):
        named = _QUALIFIER.match(text, place)
        start = named.end() if named else place
        value, end = read_value(text, start)
        if named:
            found.qualifier(named[1], value, place + 1, start + 1)
        else:
            found.word(value, place + 1, is_quoted=text[place] == '"')
        place = end_of(_BLANKS, text, end)
    return found.search()


def format_search(search: Search) -> str:
    """Write a search, so that ``parse_search`` reads it as it is, whenever that is, where its fields are declared."""
    named = [("chain", search.chain), *(("type", one) for one in search.types)]
    named += [("source", one) for one in search.sources]
    named += [_named_key(one) for one in search.keys]
    named += [("after", search.start_time), ("before", search.end_time), ("order", search.order)]
    words = [word if _is_plain(word) else quoted(word) for word in search.words]
    return " ".join([*(f"{name}:{written(value)}" for name, value in named if value is not None), *words])


class _Found:
    """What was read so far of a search, by the names that users know."""

    def __init__(self, now: int, fields: Collection[str]) -> None:
        self._now = now
        self._fields = sorted(fields)
        self._keys: list[str] = []
        self._many: dict[str, list[str]] = {name: [] for name in MANY}
        self._once: dict[str, str] = {}
        self._words: list[str] = []
        self._readers: dict[str, Callable[[str, int], str]] = {
            "chain": chain_value,
            "after": self._after,
            "before": self._before,
            "order": order_value,
        }

    def qualifier(self, name: str, value: str, at: int, value_at: int) -> None:
        """Take a qualifier at one place with its value at another."""
        # An unknown one is an error before its value is looked at: whoever mistypes it should read what there is.
        # A field may have the name of the order; values of that are the order's, all others the field's.
        if name in self._fields and (name not in self._readers or value not in ORDERS):
            check_given(name, value, value_at)
            self._key(f"{name}:{value}", at, value_at)
        elif name == "key" and self._fields:
            field, colon, _ = value.partition(":")
            if field not in self._fields or not colon:
                fail(f"'{value}' at {value_at} is no key; known fields: {', '.join(self._fields)}", value_at)
            self._key(value, at, value_at)
        elif name in self._many:
            self._many[name].append(name_value(name, value, value_at))
            if len(self._many[name]) > MAX_MANY:
                fail(f"more than {MAX_MANY} {name}s, the last at {at}; ask for what they begin with", at)
        elif name in self._readers:
            if name in self._once:
                fail(f"'{name}' is there twice, again at {at}; it can have one value", at)
            check_given(name, value, value_at)
            self._once[name] = self._readers[name](value, value_at)
        else:
            known = ", ".join(dict.fromkeys((*MANY, *ONCE, *self._fields)))
            fail(f"unknown qualifier '{name}' at {at}; known: {known}; {_AS_TEXT}", at)

    def _key(self, key: str, at: int, value_at: int) -> None:
        name, _, value = key.partition(":")
        if len(value) > MAX_TEXT:
            fail(f"the {name} at {value_at} has more than {MAX_TEXT} characters, which no event is found by", value_at)
        self._keys.append(key)
        if len(self._keys) > MAX_FIELDS:
            fail(f"more than {MAX_FIELDS} search fields, the last at {at}", at)

    def word(self, value: str, at: int, *, is_quoted: bool) -> None:
        """Take a text to look for."""
        if not value:
            fail(f"there is nothing between the quotes at {at}", at)
        if not is_quoted and value.startswith("-"):
            fail(f"'-' leaves nothing out, at {at}; {_AS_TEXT}", at)
        if not is_quoted and value in {"AND", "OR", "NOT"}:
            fail(f"'{value}' joins nothing, at {at}; all terms must hold, of types and sources one; {_AS_TEXT}", at)
        self._words.append(value)

    def search(self) -> Search:
        """Return what was found."""
        return Search(
            types=tuple(self._many["type"]),
            sources=tuple(self._many["source"]),
            keys=tuple(self._keys),
            chain=self._once.get("chain"),
            start_time=self._once.get("after"),
            end_time=self._once.get("before"),
            order=self._once.get("order"),
            words=tuple(self._words),
        )

    def _after(self, value: str, at: int) -> str:
        start = format_time(self._time(parse_time, value, at))
        self._check_range(start, self._once.get("before"), at)
        return start

    def _before(self, value: str, at: int) -> str:
        end = format_end(self._time(parse_end, value, at))
        self._check_range(self._once.get("after"), end, at)
        return end

    def _time(self, parse: Callable[[str], int], value: str, at: int) -> int:
        if ago := _AGO.fullmatch(value):
            return max(0, self._now - int(ago[1]) * _UNITS[ago[2]])
        try:
            return parse(f"{value}T00:00:00Z" if _DATE.fullmatch(value) else value)
        except ValueError:
            fail(f"'{value}' at {at} is no time; {_TIMES}", at)

    def _check_range(self, start: str | None, end: str | None, at: int) -> None:
        if start is not None and end is not None and parse_time(start) > parse_end(end):
            fail(f"at {at} the range is reversed: 'before' is earlier than 'after'", at)


def _named_key(key: str) -> tuple[str, str]:
    """Return the qualifier and value that a key is written by."""
    name, _, value = key.partition(":")
    return ("key", key) if not value or (name in ONCE and value in ORDERS) else (name, value)


def _is_plain(word: str) -> bool:
    """Return whether a text is read as itself without quotes."""
    return written(word) == word and not (
        word.startswith("-") or _QUALIFIER.match(word) or word in {"AND", "OR", "NOT"}
    )
