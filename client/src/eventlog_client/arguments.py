"""What programs give to the client: brought into the form that the API takes, or refused before anything is sent."""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

OneOrMore = str | Iterable[str] | None
"""One name, or any number of them in a list, a set, a generator or the like; none is no filter."""
Moment = datetime | str | None
"""A datetime with a time zone, or RFC 3339 text."""


class ExportSelection(TypedDict, total=False):
    """A range of times or of seqs; what is left out, or None, is open."""

    start_time: Moment
    end_time: Moment
    from_seq: int | None
    to_seq: int | None


class Filters(ExportSelection, total=False):
    """What GET /api/v1/events can be asked for."""

    event_type: OneOrMore
    source_id: OneOrMore
    key: OneOrMore
    order: str | None
    sort: str | None


def name(given: str, what: str) -> str:
    """Return a text; ``what`` is the argument's name.

    Raises:
        TypeError: it is none.
        ValueError: it has a lone surrogate, which is no Unicode character.
    """
    if not isinstance(given, str):
        raise TypeError(f"{what} must be a str, not {_kind(given)}")
    if any("\ud800" <= character <= "\udfff" for character in given):
        raise ValueError(f"{what} has a lone surrogate, which is not a Unicode character")
    return given


def names(given: OneOrMore, what: str) -> list[str]:
    """Return texts as a list; one text is a list of one.

    Raises:
        TypeError: it is neither a text nor texts.
        ValueError: as ``name``.
    """
    # Bytes and mappings can be iterated over too, but nobody means their numbers or keys.
    if given is None:
        return []
    if isinstance(given, str):
        return [name(given, what)]
    if isinstance(given, bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"{what} must be a str or an iterable of them, not {_kind(given)}")
    return [name(each, f"each {what}") for each in given]


def moment(given: Moment, what: str) -> str | None:
    """Return a time as RFC 3339 text, in UTC and to the millisecond if it is a datetime; text stays as it is.

    Raises:
        TypeError: it is neither; also a date, which is no point in time.
        ValueError: a datetime without a time zone, or outside of the years that there are in UTC.
    """
    if given is None or isinstance(given, str):
        return given if given is None else name(given, what)
    if not isinstance(given, datetime):
        raise TypeError(f"{what} must be a datetime or RFC 3339 text, not {_kind(given)}")
    if given.utcoffset() is None:
        raise ValueError(f"{what} needs a time zone: datetime.now(UTC), say, not datetime.now()")
    try:
        return given.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError(f"{what} is no year of UTC") from error


def number(given: int | None, what: str) -> int | None:
    """Return a whole number, 0 or more.

    Raises:
        TypeError: it is no whole number; True and False are none either.
        ValueError: it is negative.
    """
    if given is None:
        return None
    try:
        found = operator.index(given)
    except TypeError:
        found = None
    if found is None or isinstance(given, bool):
        raise TypeError(f"{what} must be an int, not {_kind(given)}")
    if found < 0:
        raise ValueError(f"{what} must be 0 or more, not {found}")
    return found


def checked(given: "Filters | ExportSelection") -> dict[str, Any]:
    """Return filters as the API's parameters.

    Raises:
        TypeError: there is no such filter, or it has another type.
        ValueError: its value is none that the API could understand.
    """
    unknown = given.keys() - _READERS.keys()
    if unknown:
        raise TypeError(f"there is no filter {', '.join(sorted(unknown))}; there are {', '.join(_READERS)}")
    return {what: _READERS[what](value, what) for what, value in given.items()}


def _text(given: Any, what: str) -> str | None:
    return None if given is None else name(given, what)


def _kind(given: object) -> str:
    return type(given).__name__


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "event_type": names,
    "source_id": names,
    "key": names,
    "start_time": moment,
    "end_time": moment,
    "from_seq": number,
    "to_seq": number,
    "order": _text,
    "sort": _text,
}
