"""The values in a search (``search.py``): how they are quoted, read and written, and what each may be."""

import re
from typing import NoReturn

from eventlog.formats.name_filter import parse_name
from eventlog.formats.names import NAME_PATTERN, is_chain_name

ORDERS = ("asc", "desc")
_BARE = re.compile(r"[^ \t\r\n]*")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?!")')
_NAME = re.compile(NAME_PATTERN)


class SearchError(ValueError):
    """A search that can't be understood; ``at`` is the place of the character, from 1."""

    def __init__(self, text: str, at: int) -> None:
        super().__init__(text)
        self.at = at


def read_value(text: str, start: int) -> tuple[str, int]:
    """Read a value, in quotes or bare; return it and the place behind it.

    Raises:
        SearchError: it has quotes that don't enclose it.
    """
    # Quotes begin a value or are refused: inside of a bare one nobody could say what they mean.
    if text.startswith('"', start):
        found = _QUOTED.match(text, start)
        if found is None:
            fail(f"the quote at {start + 1} is not closed; a quote inside is written twice", start + 1)
        if end_of(_BARE, text, found.end()) != found.end():
            fail(f"a blank is missing after the quotes, at {found.end() + 1}", found.end() + 1)
        return found[1].replace('""', '"'), found.end()
    end = end_of(_BARE, text, start)
    inside = text.find('"', start, end)
    if inside >= 0:
        fail(f"a quote inside of a word, at {inside + 1}; quote the whole, a quote inside is written twice", inside + 1)
    return text[start:end], end


def end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Return where a pattern that always matches ends."""
    match = pattern.match(text, start)
    return start if match is None else match.end()


def name_value(name: str, value: str, at: int) -> str:
    """Return the value of a type or a source.

    Raises:
        SearchError: it can be none.
    """
    check_given(name, value, at)
    try:
        parse_name(value)
    except ValueError as error:
        fail(f"'{value}' at {at} is no {name}: it {error}", at)
    if not _NAME.fullmatch(value):
        fail(f"the {name} at {at} has a control character", at)
    return value


def chain_value(value: str, at: int) -> str:
    """Return the name of a chain.

    Raises:
        SearchError: no chain can have it.
    """
    if not is_chain_name(value):
        fail(f"'{value}' at {at} is no chain; allowed: a to z, 0 to 9, '.', '_', '-', 64 characters at most", at)
    return value


def order_value(value: str, at: int) -> str:
    """Return an order.

    Raises:
        SearchError: it is none.
    """
    if value not in ORDERS:
        fail(f"'{value}' at {at} is no order; allowed: asc, desc", at)
    return value


def check_given(name: str, value: str, at: int) -> None:
    """Check that a qualifier has a value.

    Raises:
        SearchError: it has none.
    """
    if not value:
        fail(f"'{name}:' has no value, at {at}", at)


def fail(text: str, at: int) -> NoReturn:
    """Say what can't be understood, and where.

    Raises:
        SearchError: always.
    """
    raise SearchError(text, at)


def written(value: str) -> str:
    """Write the value of a qualifier: in quotes only where it needs them."""
    return quoted(value) if end_of(_BARE, value, 0) != len(value) or '"' in value else value


def quoted(value: str) -> str:
    """Write a value in quotes."""
    return '"' + value.replace('"', '""') + '"'
