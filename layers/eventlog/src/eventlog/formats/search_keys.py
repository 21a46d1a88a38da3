"""Search fields: which places of a payload an event can be found by, and the keys that follow from a payload.

A declaration is text, ``user=/user,/actor/id; ip=/ip; target=/targets/*/id``: names, each with JSON pointers (RFC 6901)
into the payload, in which ``*`` stands for every element of an array. An event's keys are the sorted distinct
``name:value`` of the strings, numbers and booleans at these places. Specified in docs/formats/search-fields.md.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import Keys

MAX_FIELDS = 12
MAX_POINTERS = 8
"""Places that one field may have."""
MAX_POINTER = 256
"""Characters of a pointer."""
MAX_TEXT = 256
"""Characters of a string that an event is found by."""
MAX_KEYS = 32
"""Keys of one event."""
FIELD_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
_FIELD = re.compile(FIELD_PATTERN)
RESERVED = frozenset({"type", "source", "chain", "after", "before", "key", "event_type", "source_id"})
"""Names that searches and routes have for other things."""
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_EVERY = "*"


class DeclarationError(ValueError):
    """A declaration of search fields that can't be used; the text says which part, and what is allowed."""


class UnindexableError(ValueError):
    """A payload that can't be found by a declared field: a text is too long, or there are too many keys.

    ``pointer`` is the place in the payload.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class SearchFields:
    """What one version of the declaration says: each field's pointers, sorted. It is false where nothing is declared.

    ``version`` is its number in the registry; 0: it has none yet.
    """

    fields: Mapping[str, tuple[str, ...]]
    version: int = 0

    def __bool__(self) -> bool:
        return bool(self.fields)

    def keys_of(self, payload: str | bytes) -> Keys:
        """Derive the keys of an event from the canonical text of its payload.

        Raises:
            UnindexableError: a text is longer than ``MAX_TEXT``, or there are more than ``MAX_KEYS`` keys.
        """
        root, found = orjson.loads(payload), set[str]()
        for name, pointers in self.fields.items():
            for place, value in (each for pointer in pointers for each in _at(root, pointer)):
                if (text := _text(value)) is None:
                    continue
                if len(text) > MAX_TEXT:
                    why = f"the search field '{name}' takes a text of {MAX_TEXT} characters at most"
                    raise UnindexableError(place, f"{why}; this one has {len(text)}")
                found.add(f"{name}:{text}")
                if len(found) > MAX_KEYS:
                    why = f"an event can be found by {MAX_KEYS} values of its search fields at most"
                    raise UnindexableError(place, f"{why}; '{name}' has one more")
        return Keys(self.version, tuple(sorted(found)))

    def has(self, payload: str | bytes, wanted: Iterable[str]) -> bool:
        """Return whether a payload has all these keys, however many it has and however long its texts are."""
        return self.value_has(orjson.loads(payload), wanted)

    def value_has(self, root: Any, wanted: Iterable[str]) -> bool:
        """Do what ``has`` does for a payload that is parsed already."""
        return all(key in self._keys(root, name_of(key)) for key in wanted)

    def _keys(self, root: Any, name: str) -> set[str]:
        found = (value for pointer in self.fields.get(name, ()) for _, value in _at(root, pointer))
        return {f"{name}:{text}" for text in map(_text, found) if text is not None}

    def document(self) -> dict[str, Any]:
        """Write the declaration as its event in the registry has it."""
        return {"version": self.version, "fields": {name: list(given) for name, given in self.fields.items()}}

    @classmethod
    def of(cls, document: Any) -> Self:
        """Read what ``document`` wrote.

        Raises:
            DeclarationError: it is none.
        """
        # Only the log itself writes these, so whatever else is there was put there by somebody else.
        is_whole = isinstance(document, dict) and set(document) == {"version", "fields"}
        if not is_whole or type(document["version"]) is not int or not isinstance(document["fields"], dict):
            raise DeclarationError("no declaration of search fields: it has a version and fields")
        given = document["fields"]
        if document["version"] < 1 or not all(isinstance(each, list) for each in given.values()):
            raise DeclarationError("no declaration of search fields: a version from 1 on, and lists of pointers")
        return cls(_checked(list(given.items())), document["version"])


NO_FIELDS = SearchFields({})
"""Nothing is declared, or ever was."""


def parse_fields(text: str) -> SearchFields:
    """Read a declaration, ``name=pointer,pointer; name=pointer``. Blanks around names and pointers don't count.

    Raises:
        DeclarationError: it can't be used.
    """
    given: list[tuple[str, list[str]]] = []
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, pointers = part.partition("=")
        if not equals:
            raise DeclarationError(f"'{part}' is no search field; write name=/pointer, as in user=/user,/actor/id")
        given.append((name.strip(), [pointer.strip() for pointer in pointers.split(",")]))
    return SearchFields(_checked(given))


def _checked(given: list[tuple[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Check names and pointers; the order of both says nothing, so equal declarations come out equal."""
    names = [name for name, _ in given]
    if len(names) > MAX_FIELDS:
        raise DeclarationError(f"{len(names)} search fields; {MAX_FIELDS} at most are allowed")
    for name in names:
        if not _FIELD.fullmatch(name):
            raise DeclarationError(
                f"'{name}' is no name of a search field: a to z, then a to z, 0 to 9 or _, 32 at most"
            )
        if name in RESERVED:
            raise DeclarationError(f"'{name}' can't be a search field: it is taken ({', '.join(sorted(RESERVED))})")
        if names.count(name) > 1:
            raise DeclarationError(f"the search field '{name}' is declared twice; give all its pointers at once")
    return {name: _pointers(name, pointers) for name, pointers in sorted(given)}


def _pointers(name: str, pointers: list[Any]) -> tuple[str, ...]:
    if not 1 <= len(pointers) <= MAX_POINTERS:
        raise DeclarationError(
            f"the search field '{name}' has {len(pointers)} pointers; 1 to {MAX_POINTERS} are allowed"
        )
    for pointer in pointers:
        if not isinstance(pointer, str) or len(pointer) > MAX_POINTER or not _POINTER.fullmatch(pointer):
            why = "begins with /, has ~0 for ~ and ~1 for /, and * for every element of an array (RFC 6901)"
            raise DeclarationError(f"'{pointer}' of the search field '{name}' is no JSON pointer: it {why}")
    return tuple(sorted(set(pointers)))


Rules = Callable[[int], SearchFields | None]
"""Every version of the declaration there ever was, by its number; None for one that nobody declared."""


def no_rules(_: int) -> SearchFields | None:
    """Know no version: what a log has in which nothing was ever declared."""
    return None


def name_of(key: str) -> str:
    """Return the field of a key, ``name:value``."""
    return key.partition(":")[0]


def _at(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Yield what a pointer leads to, each with its own place."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]
    return _walk(value, tokens, "")


def _walk(value: Any, tokens: list[str], place: str) -> Iterator[tuple[str, Any]]:
    """Follow the tokens; a place that is not there has nothing, which is no error."""
    if not tokens:
        yield place, value
        return
    token, rest = tokens[0], tokens[1:]
    if isinstance(value, dict):
        if token in value:
            yield from _walk(value[token], rest, f"{place}/{token.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        # A star is every element, a number one of them. In an object a star is a member of that name.
        if token == _EVERY:
            for number, item in enumerate(value):
                yield from _walk(item, rest, f"{place}/{number}")
        elif _INDEX.fullmatch(token) and int(token) < len(value):
            yield from _walk(value[int(token)], rest, f"{place}/{token}")


def _text(value: Any) -> str | None:
    """Return a scalar as it is in a key: a string as it is, a number or boolean as its canonical text; None: no key."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    # The payload is canonical already: its whole numbers are read as they are written, whatever their size.
    if isinstance(value, int):
        return str(value)
    return canonicalize(value).decode() if isinstance(value, float) else None
