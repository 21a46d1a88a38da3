"""Strict JSON input: checks on a raw body before any model sees it. Nothing is repaired."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

import rfc8785

from eventlog.formats.json_structure import measure

MAX_PROBLEMS = 100
MAX_POINTER = 1000
_MAX_INTEGER = 2**53 - 1
_LONGEST = 22
"""Characters of an integer that is written without an exponent, with its sign."""
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input: an RFC 6901 pointer to it and a sentence."""

    pointer: str
    detail: str


class MalformedJSONError(ValueError):
    """The body is not JSON as this log accepts it; ``problems`` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer or '/'}: {p.detail}" for p in problems))
        self.problems = problems


class OversizedJSONError(MalformedJSONError):
    """The body has more values than it may; nothing of it was parsed."""


class _Refused(str):
    """Stands in the parsed tree where a value was refused; its text says why."""

    __slots__ = ()


class _Duplicate(dict[str, Any]):
    """Stands where an object had one of its keys twice."""

    key = ""


def parse(body: bytes, *, max_depth: int, max_values: int | None = None, doubles: bool = False) -> Any:
    """Parse a JSON text (RFC 8259) strictly; objects and arrays may nest ``max_depth`` deep.

    ``max_values`` limits the values at every level together, keys not counted: what parsing costs in memory and time.

    An integer outside +-(2^53-1) is read as a double, and refused unless its digits are those that ECMAScript writes
    for that double (RFC 8785, section 3.2.2.3). Canonical text has such integers, 10000000000000000 for 1e16, so what
    the log shows can be sent again; of any other, digits would be lost. With ``doubles`` none is refused.

    Raises:
        MalformedJSONError: invalid UTF-8, a byte order mark, a syntax error, duplicate keys, NaN or Infinity,
            a number that overflows a double, an integer whose digits a double loses, a lone surrogate, deeper nesting.
        OversizedJSONError: more values than ``max_values``.
    """
    # Size first, before there is an object of any value. A text that is too deep and no larger is parsed all the same,
    # to say where. Then one pass of the fast parser that notes what it refuses. Only if there is something to report is
    # the tree walked for the places.
    deep, crowded = measure(body, max_depth, max_values)
    if crowded:
        if deep:
            _fail(f"nested deeper than {max_depth} levels")
        raise OversizedJSONError([Problem("", f"more than {max_values} values, which is the limit")])
    text = _decode(body)
    refused: list[Any] = []
    value = _load(text, refused, doubles)
    if refused or deep or _SURROGATE_ESCAPE.search(body):
        problems = list(islice(_problems(value, max_depth), MAX_PROBLEMS))
        if problems:
            raise MalformedJSONError(problems)
    return value


def parse_items(body: bytes, *, max_depth: int, max_values: int) -> list[Any] | None:
    """Parse an array at once, if each of its items is what ``parse`` takes; None: parse one by one, to say what isn't.

    ``max_depth`` limits each item, ``max_values`` all of them and the array together. Where there might be more values,
    it is None, too, and nothing was parsed.
    """
    # Every value but the first follows one of these bytes, so there can't be more, whatever stands in strings.
    if body.count(b"[") + body.count(b"{") + body.count(b",") >= max_values or _SURROGATE_ESCAPE.search(body):
        return None
    refused: list[Any] = []
    try:
        values = _load(_decode(body), refused, doubles=False)
    except MalformedJSONError:
        return None
    return None if refused or type(values) is not list or _is_deeper(values, max_depth + 1) else values


def _is_deeper(value: Any, max_depth: int) -> bool:
    """Tell whether an array or object nests deeper than so many levels, itself being the first."""
    level = [value]
    for _ in range(max_depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    return bool(level)


def _fail(detail: str) -> NoReturn:
    raise MalformedJSONError([Problem("", detail)])


def _decode(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        _fail("starts with a byte order mark; send UTF-8 without one")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        _fail(f"not UTF-8: invalid byte at offset {error.start}")


def _load(text: str, refused: list[Any], doubles: bool) -> Any:
    # json.loads has a hook for each kind of value that needs a stricter rule. A hook does not know where its value
    # stands, so it leaves a marker there; ``_problems`` finds the markers and their pointers.
    def refuse(why: str) -> _Refused:
        refused.append(why)
        return _Refused(why)

    def integer(digits: str) -> Any:
        # Python's int() takes quadratic time for long digits. 17 digits hold every allowed integer with its sign.
        number = int(digits) if len(digits) <= 17 else None
        if number is not None and abs(number) <= _MAX_INTEGER:
            return number
        if doubles or _is_written_so(digits):
            return decimal(digits)
        return refuse("integer outside -(2^53-1)..2^53-1, which a double can't hold exactly; send it as text")

    def decimal(digits: str) -> Any:
        number = float(digits)
        return number if math.isfinite(number) else refuse("number too large for a double")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        # A key is there twice, and the dict has kept the last one.
        seen: set[str] = set()
        duplicate = _Duplicate(found)
        duplicate.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        refused.append(duplicate)
        return duplicate

    try:
        return json.loads(
            text,
            object_pairs_hook=members,
            parse_int=integer,
            parse_float=decimal,
            parse_constant=lambda name: refuse(f"{name} is not JSON"),
        )
    except json.JSONDecodeError as error:
        _fail(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}")
    except RecursionError:
        _fail("nested far too deep")


def _is_written_so(digits: str) -> bool:
    """Whether these are the digits that canonical JSON has for their double: below 1e21 it writes no exponent."""
    return len(digits) <= _LONGEST and rfc8785.dumps(float(digits)) == digits.encode()


_Path = tuple["_Path", str | int] | None
"""The way to a value, shared by its siblings; a pointer is only built for what is refused."""


def _problems(root: Any, max_depth: int) -> Iterator[Problem]:
    """Walk the parsed value without recursion and name everything refused by its pointer."""
    # A stack, not recursion: the input decides how deep it nests. The first value that is too deep ends the walk.
    stack: list[tuple[_Path, Any, int]] = [(None, root, 1)]
    while stack:
        path, value, depth = stack.pop()
        if isinstance(value, _Refused):
            yield Problem(_pointer(path), str(value))
        elif isinstance(value, str):
            if _has_surrogate(value):
                yield Problem(_pointer(path), "contains a lone surrogate, which is not a Unicode character")
        elif isinstance(value, (dict, list)):
            if depth > max_depth:
                yield Problem(_pointer(path), f"nested deeper than {max_depth} levels")
                return
            yield from _object_problems(path, value)
            items = value.items() if isinstance(value, dict) else enumerate(value)
            stack += [((path, key), item, depth + 1) for key, item in reversed(list(items))]


def _object_problems(path: _Path, value: Any) -> Iterator[Problem]:
    if isinstance(value, _Duplicate):
        yield Problem(_pointer((path, value.key)), "duplicate key: the object has it more than once")
    if isinstance(value, dict) and any(map(_has_surrogate, value)):
        yield Problem(_pointer(path), "a key contains a lone surrogate, which is not a Unicode character")


def _pointer(path: _Path) -> str:
    """Return the RFC 6901 pointer of a path; one over 1,000 characters is cut to a container that holds the place."""
    tokens: list[str] = []
    while path is not None:
        path, token = path
        tokens.append(escape(str(token)[:MAX_POINTER]))
    pointer = ""
    for token in reversed(tokens):
        if len(pointer) + len(token) >= MAX_POINTER:
            break
        pointer += f"/{token}"
    return pointer


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def escape(token: str) -> str:
    """Escape one reference token of an RFC 6901 JSON pointer; lone surrogates are shown as ``?``."""
    return token.replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()
