"""How much structure a JSON text has, and where an array's items are, told before anything is made of it.

A few bytes of text make objects of a hundred bytes: 4 MiB of ``{},`` are 440 MB once parsed. So commas and brackets are
counted in the raw bytes first; strings are passed over, nothing is kept. A text that is no JSON is counted somehow: it
is for the parser to refuse.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+'
_TOKEN = re.compile(
    # All that has no structure goes before. Possessive (*+): nothing is kept for going back to, however long it is. The
    # end (\Z) is a token, too: without one, what comes after the last would be gone through from each of its bytes.
    rb'(?:[^"\[\]{},]++|' + _STRING + rb")*+([\[{][ \t\r\n]*+[\]}]|[\[{\]},]|\Z)",
    re.DOTALL,
)
_ARRAY = re.compile(rb"[ \t\r\n]*+\[")
_LINE = re.compile(rb"[^\n]++")
_BLANKS = b" \t\r\n"


class Structure(NamedTuple):
    """What a text exceeds.

    Attributes:
        deep: the levels of objects and arrays that it may nest.
        crowded: the values that it may have, at every level together. Nothing after the first one too many was looked
            at.
    """

    deep: bool
    crowded: bool


class SplitError(ValueError):
    """The text is no array that ends; ``str`` says what is wrong."""


def measure(body: bytes, max_depth: int, max_values: int | None) -> Structure:
    """Count the levels and values of a text, as far as the limits; without ``max_values`` only the levels."""
    # Every value but the first follows a comma or the bracket that it is the first thing in. A text that has fewer of
    # them, wherever they stand, keeps both limits: so it is with nearly every event.
    opened = body.count(b"[") + body.count(b"{")
    if opened <= max_depth and (max_values is None or opened + body.count(b",") < max_values):
        return Structure(deep=False, crowded=False)
    depth, values, deep = 0, 1, False
    for found in _TOKEN.finditer(body):
        token = found[1]
        if token in (b"]", b"}", b""):
            depth -= 1
            continue
        if token != b",":
            deep = deep or depth >= max_depth
            if len(token) > 1:  # opened and closed at once: there is no value in it
                continue
            depth += 1
        values += 1
        if max_values is not None and values > max_values:
            return Structure(deep, crowded=True)
    return Structure(deep, crowded=False)


def is_array(body: bytes) -> bool:
    """Return whether a text begins as an array does."""
    return _ARRAY.match(body) is not None


def split_array(body: bytes, max_bytes: int) -> Iterator[bytes]:
    """Cut an array into the texts of its items, one by one and none of them parsed.

    The first item that is longer than ``max_bytes`` is cut off after the first byte too many, and is the last.

    Raises:
        SplitError: the array does not end, or something follows it. What was cut off before was there all the same.
    """
    # Only what stands between the outermost brackets is cut, at the commas that are in no other bracket. Whether the
    # brackets inside an item fit, its parser finds out.
    opening = _ARRAY.match(body)
    if opening is None:
        raise SplitError("no array")
    depth, first = 1, opening.end()
    start = first
    for found in _TOKEN.finditer(body, first):
        token, end = found[1], found.end()
        if end - start > max_bytes + 1:  # one for the comma or bracket after it
            yield body[start : start + max_bytes + 1]
            return
        depth += _step(token)
        if depth == 0 or (depth == 1 and token == b","):
            item = body[start : end - 1]
            if depth or start > first or item.strip(_BLANKS):  # not the nothing in an empty array
                yield item
            start = end
        if depth == 0:
            _check_end(body, token, end)
            return
    raise SplitError("the array is not closed")


def split_lines(body: bytes, max_bytes: int) -> Iterator[bytes]:
    """Cut newline-delimited JSON into its lines, one by one, without the blank ones.

    The first line that is longer than ``max_bytes`` is cut off after the first byte too many, and is the last.
    """
    for found in _LINE.finditer(body):
        if found.end() - found.start() > max_bytes:
            yield body[found.start() : found.start() + max_bytes + 1]
            return
        if line := found[0].strip():
            yield line


def _step(token: bytes) -> int:
    """Return by how many levels what follows a token is deeper."""
    if token in (b"]", b"}"):
        return -1
    return 1 if token in (b"[", b"{") else 0


def _check_end(body: bytes, closed: bytes, end: int) -> None:
    if closed != b"]":
        raise SplitError("the array is not closed")
    if body[end:].strip(_BLANKS):
        raise SplitError("something follows the array")
