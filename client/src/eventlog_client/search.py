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
from typing import NoReturn

from eventlog.formats.name_filter import parse_name
from eventlog.formats.names import NAME_PATTERN, is_chain_name
from eventlog.formats.search_keys import MAX_FIELDS, MAX_TEXT
from eventlog.formats.times import format_end, format_time, parse_end, parse_time

MANY, ONCE = ("type", "source"), ("chain", "after", "before", "order")
MAX_MANY = 20
"""How many types, and how many sources, one search can have: as many as the log takes."""
_QUALIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_]*):")
_BARE = re.compile(r"[^ \t\r\n]*")
_BLANKS = re.compile(r"[ \t\r\n]*")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?!")')
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAME = re.compile(NAME_PATTERN)
_ORDERS = ("asc", "desc")
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AS_TEXT = "quote it to look for it as text"
_TIMES = "allowed: 7d (s, m, h, d or w ago), 2026-11-20, 2026-11-20T12:00:00Z"


class SearchError(ValueError):
    """A search that can't be understood; ``at`` is the place of the character, from 1."""

    def __init__(self, text: str, at: int) -> None:
        super().__init__(text)
        self.at = at


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
    place = _end(_BLANKS, text, 0)
    while place < len(text):
        named = _QUALIFIER.match(text, place)
        start = named.end() if named else place
        value, end = _value(text, start)
        if named:
            found.qualifier(named[1], value, place + 1, start + 1)
        else:
            found.word(value, place + 1, is_quoted=text[place] == '"')
        place = _end(_BLANKS, text, end)
    return found.search()


def format_search(search: Search) -> str:
    """Write a search, so that ``parse_search`` reads it as it is, whenever that is, where its fields are declared."""
    named = [("chain", search.chain), *(("type", one) for one in search.types)]
    named += [("source", one) for one in search.sources]
    named += [_named_key(one) for one in search.keys]
    named += [("after", search.start_time), ("before", search.end_time), ("order", search.order)]
    words = [word if _is_plain(word) else _quoted(word) for word in search.words]
    return " ".join([*(f"{name}:{_written(value)}" for name, value in named if value is not None), *words])


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
            "chain": _chain,
            "after": self._after,
            "before": self._before,
            "order": _order,
        }

    def qualifier(self, name: str, value: str, at: int, value_at: int) -> None:
        """Take a qualifier at one place with its value at another."""
        # An unknown one is an error before its value is looked at: whoever mistypes it should read what there is.
        # A field may have the name of the order; values of that are the order's, all others the field's.
        if name in self._fields and (name not in self._readers or value not in _ORDERS):
            _needed(name, value, value_at)
            self._key(f"{name}:{value}", at, value_at)
        elif name == "key" and self._fields:
            field, colon, _ = value.partition(":")
            if field not in self._fields or not colon:
                _fail(f"'{value}' at {value_at} is no key; known fields: {', '.join(self._fields)}", value_at)
            self._key(value, at, value_at)
        elif name in self._many:
            self._many[name].append(_name(name, value, value_at))
            if len(self._many[name]) > MAX_MANY:
                _fail(f"more than {MAX_MANY} {name}s, the last at {at}; ask for what they begin with", at)
        elif name in self._readers:
            if name in self._once:
                _fail(f"'{name}' is there twice, again at {at}; it can have one value", at)
            _needed(name, value, value_at)
            self._once[name] = self._readers[name](value, value_at)
        else:
            known = ", ".join(dict.fromkeys((*MANY, *ONCE, *self._fields)))
            _fail(f"unknown qualifier '{name}' at {at}; known: {known}; {_AS_TEXT}", at)

    def _key(self, key: str, at: int, value_at: int) -> None:
        name, _, value = key.partition(":")
        if len(value) > MAX_TEXT:
            _fail(f"the {name} at {value_at} has more than {MAX_TEXT} characters, which no event is found by", value_at)
        self._keys.append(key)
        if len(self._keys) > MAX_FIELDS:
            _fail(f"more than {MAX_FIELDS} search fields, the last at {at}", at)

    def word(self, value: str, at: int, *, is_quoted: bool) -> None:
        """Take a text to look for."""
        if not value:
            _fail(f"there is nothing between the quotes at {at}", at)
        if not is_quoted and value.startswith("-"):
            _fail(f"'-' leaves nothing out, at {at}; {_AS_TEXT}", at)
        if not is_quoted and value in {"AND", "OR", "NOT"}:
            _fail(f"'{value}' joins nothing, at {at}; all terms must hold, of types and sources one; {_AS_TEXT}", at)
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
            _fail(f"'{value}' at {at} is no time; {_TIMES}", at)

    def _check_range(self, start: str | None, end: str | None, at: int) -> None:
        if start is not None and end is not None and parse_time(start) > parse_end(end):
            _fail(f"at {at} the range is reversed: 'before' is earlier than 'after'", at)


def _value(text: str, start: int) -> tuple[str, int]:
    """Read a value, in quotes or bare; return it and the place behind it."""
    # Quotes begin a value or are refused: inside of a bare one nobody could say what they mean.
    if text.startswith('"', start):
        quoted = _QUOTED.match(text, start)
        if quoted is None:
            _fail(f"the quote at {start + 1} is not closed; a quote inside is written twice", start + 1)
        if _end(_BARE, text, quoted.end()) != quoted.end():
            _fail(f"a blank is missing after the quotes, at {quoted.end() + 1}", quoted.end() + 1)
        return quoted[1].replace('""', '"'), quoted.end()
    end = _end(_BARE, text, start)
    inside = text.find('"', start, end)
    if inside >= 0:
        _fail(
            f"a quote inside of a word, at {inside + 1}; quote the whole, a quote inside is written twice", inside + 1
        )
    return text[start:end], end


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Return where a pattern that always matches ends."""
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _name(name: str, value: str, at: int) -> str:
    _needed(name, value, at)
    try:
        parse_name(value)
    except ValueError as error:
        _fail(f"'{value}' at {at} is no {name}: it {error}", at)
    if not _NAME.fullmatch(value):
        _fail(f"the {name} at {at} has a control character", at)
    return value


def _chain(value: str, at: int) -> str:
    if not is_chain_name(value):
        _fail(f"'{value}' at {at} is no chain; allowed: a to z, 0 to 9, '.', '_', '-', 64 characters at most", at)
    return value


def _order(value: str, at: int) -> str:
    if value not in _ORDERS:
        _fail(f"'{value}' at {at} is no order; allowed: asc, desc", at)
    return value


def _needed(name: str, value: str, at: int) -> None:
    if not value:
        _fail(f"'{name}:' has no value, at {at}", at)


def _fail(text: str, at: int) -> NoReturn:
    raise SearchError(text, at)


def _named_key(key: str) -> tuple[str, str]:
    """Return the qualifier and value that a key is written by."""
    name, _, value = key.partition(":")
    return ("key", key) if not value or (name in ONCE and value in _ORDERS) else (name, value)


def _is_plain(word: str) -> bool:
    """Return whether a text is read as itself without quotes."""
    return _written(word) == word and not (
        word.startswith("-") or _QUALIFIER.match(word) or word in {"AND", "OR", "NOT"}
    )


def _written(value: str) -> str:
    return _quoted(value) if _end(_BARE, value, 0) != len(value) or '"' in value else value


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
