"""Searches by declared fields: the parameter ``key`` of the routes that have it, and what they say of the index."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from eventlog.errors import InvalidError
from eventlog.formats.search_keys import MAX_FIELDS, MAX_TEXT, NO_FIELDS, SearchFields, name_of
from eventlog.formats.strict_json import Problem
from eventlog.wiring.query import QueryWiring


def _is_key(text: str) -> str:
    name, colon, value = text.partition(":")
    if not name or not colon:
        raise ValueError("must be a field and its value with a colon between, such as user:u-17")
    if len(value) > MAX_TEXT:
        raise ValueError(f"has a value of more than {MAX_TEXT} characters, which no event is found by")
    return text


AskedKeys = Annotated[
    list[Annotated[str, AfterValidator(_is_key)]],
    Field(max_length=MAX_FIELDS, description="name:value of a declared search field; an event must have all of them"),
]


class Indexed(BaseModel, defer_build=True):
    """How far the chain of an answer is indexed."""

    version: int = Field(description="The declaration of search fields in force")
    indexed_version: int = Field(description="The lowest that any event is indexed by; 0: one is not indexed at all")
    complete: bool = Field(description="Whether every event with these keys is found: no older one has another rule")


def checked_keys(wired: QueryWiring, keys: Iterable[str]) -> frozenset[str]:
    """Check that the fields of all keys are declared.

    Raises:
        InvalidError: one is not; the known ones are listed.
    """
    wanted = frozenset(keys)
    known = (wired.declared.newest() or NO_FIELDS).fields if wanted else {}
    problems = [
        Problem("/query/key", f"'{name}' is no search field of this log; {_known(known)}")
        for name in sorted({name_of(key) for key in wanted} - known.keys())
    ]
    if problems:
        raise InvalidError(problems)
    return wanted


def rule_of(wired: QueryWiring, keys: Iterable[str]) -> SearchFields:
    """Return the declaration in force for events that are compared here, not by an index.

    Raises:
        InvalidError: as in ``checked_keys``.
    """
    checked_keys(wired, keys)
    return known_fields(wired)


def indexed_fields(wired: QueryWiring, keys: frozenset[str], lowest: int | None) -> dict[str, Any]:
    """Say how far what was searched is indexed; ``lowest`` is what the store says, None of an empty chain."""
    versions = wired.declared.versions(seconds=_KEPT)
    newest = versions[-1]
    low = newest.version if lowest is None else lowest
    # An event that is indexed by an older version is found all the same, if that had the same rule for these fields.
    since = [each for each in versions if each.version >= low]
    names = {name_of(key) for key in keys}
    same = all(each.fields.get(name) == newest.fields.get(name) for each in since for name in names)
    return {"version": newest.version, "indexed_version": low, "complete": low > 0 and same}


def known_fields(wired: QueryWiring) -> SearchFields:
    """Return the declaration in force; nothing is declared: one without fields."""
    return wired.declared.newest() or NO_FIELDS


_KEPT = 3600.0
"""Seconds; what is in force was just looked up (``checked_keys``)."""


def _known(fields: Iterable[str]) -> str:
    names = ", ".join(sorted(fields))
    return f"known: {names}" if names else "it has declared none (EVENTLOG_SEARCH_FIELDS)"
