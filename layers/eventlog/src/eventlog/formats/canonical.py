"""Canonical JSON (RFC 8785, JCS)."""

import sys
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from itertools import chain as chained
from typing import Any

import orjson
import rfc8785

from eventlog.formats import strict_json

_LEAST_PLAIN, _FIRST_LARGE = 1e-4, 1e15
_MAX_INTEGER = 2**53 - 1  # I-JSON (RFC 7493, section 2.2): every double holds these integers exactly

_NOT_SO_SIMPLE = frozenset((float, list))
_dump = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


class LongerError(ValueError):
    """The canonical text is longer than it may be."""


def canonicalize(value: Any, at_most: int = sys.maxsize) -> bytes:
    """Return the RFC 8785 bytes of a JSON value (dict, list, str, int, float, bool or None), ``at_most`` so many.

    orjson writes the same bytes an order of magnitude faster for values whose floats are plain decimals and whose keys
    are in the Basic Multilingual Plane (RFC 8785, section 3.2.3 sorts by UTF-16 code units); everything else
    goes to the ``rfc8785`` package. Property tests hold the two byte-identical.

    Raises:
        LongerError: there are more bytes.
        ValueError: NaN, Infinity, an integer outside +-(2^53-1), a lone surrogate or a type JSON doesn't have.
    """
    # Most payloads: nothing in them that orjson would write in another way than RFC 8785 says. It is done in
    # milliseconds, and its text is hardly longer than the one that was parsed: no reason to stop halfway.
    if _is_simple(value):
        try:
            text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError as error:
            raise ValueError(f"not canonical JSON: {error}") from error
        if len(text) > at_most:
            raise LongerError("longer than it may be")
        return text
    # Other floats, large integers and astral keys: the package follows the RFC to the letter, and refuses what it can't
    # write. It takes some microseconds a number, and 1e20 becomes 21 bytes: it stops at the limit.
    sink = _Sink(at_most)
    try:
        rfc8785.dump(value, sink)
    except UnicodeEncodeError as error:
        raise ValueError(f"not canonical JSON: {error}") from error
    return sink.getvalue()


class _Sink(BytesIO):
    """Takes so many bytes and no more."""

    def __init__(self, at_most: int) -> None:
        super().__init__()
        self._left = at_most

    def write(self, data: Any) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise LongerError("longer than it may be")
        return super().write(data)


def is_canonical_object(text: bytes) -> bool:
    """Return whether these bytes are the canonical text of a JSON object, as a stored payload must be.

    Canonical text is read with every number as a double (``1e16`` is written ``10000000000000000``). Most payloads are
    what orjson writes after reading them; only the others are read strictly and canonicalised again.
    """
    try:
        value = orjson.loads(text)
        if type(value) is not dict:
            return False
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == text and _is_simple(value):
            return True
        return canonicalize(strict_json.parse(text, max_depth=sys.getrecursionlimit(), doubles=True)) == text
    except (ValueError, RecursionError):  # not JSON, or JSON that has no canonical form
        return False


def are_canonical_objects(texts: Sequence[bytes]) -> bool:
    """Return whether each of these is the canonical text of a JSON object, as ``is_canonical_object`` says of one."""
    try:
        values = orjson.loads(b"[%b]" % b",".join(texts))
        # A comma may stand in a text that is no object. Then there are more values than texts, or they don't give the
        # texts they should: of each object, whatever it was read from, the text that it gives is its own.
        if set(map(type, values)) <= {dict} and list(map(_dump, values)) == list(texts):
            return _are_simple(values) or all(map(is_canonical_object, texts))
    except (ValueError, orjson.JSONEncodeError):  # no JSON, or an integer that is too large for how it is written
        pass
    return all(map(is_canonical_object, texts))


def _are_simple(objects: Sequence[dict[str, Any]]) -> bool:
    """Return whether ``_is_simple`` is true of each of these, whose integers are none too large: a depth at a time."""
    while objects:
        keys, values = chained.from_iterable(objects), list(chained.from_iterable(map(dict.values, objects)))
        kinds = set(map(type, values))
        if not "".join(keys).isascii() or not kinds.isdisjoint(_NOT_SO_SIMPLE):
            return all(map(_is_simple, objects))
        objects = [value for value in values if type(value) is dict] if dict in kinds else ()
    return True


def _is_simple(value: Any) -> bool:
    """Return whether orjson's output for the value is canonical: no odd float, no big integer, no astral key."""
    kind = type(value)
    if kind is dict:
        return _has_simple_members(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-_MAX_INTEGER <= value <= _MAX_INTEGER)
    if kind is float:
        # Both write the shortest digits that read back as the same double. In this range neither writes an exponent
        # (ECMAScript's Number::toString has none from 1e-6 to 1e21), and only whole numbers differ: 2.0 against 2.
        return _LEAST_PLAIN <= abs(value) < _FIRST_LARGE and not value.is_integer()
    return kind is list and all(map(_is_simple, value))


def _has_simple_members(value: dict[Any, Any]) -> bool:
    for key, item in value.items():
        if type(key) is not str or not (key.isascii() or max(key) < "\U00010000"):
            return False
        if type(item) is not str and not _is_simple(item):  # most are texts
            return False
    return True
