"""Times: RFC 3339 in, whole milliseconds since the Unix epoch inside, one written form out."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_SECONDS_OF_HOUR = tuple(f"{second // 60:02}:{second % 60:02}." for second in range(3600))
_MILLIS_OF_SECOND = tuple(f"{milli:03}Z" for milli in range(1000))
MAX_MILLIS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z; the smallest is 0."""
MAX_END = MAX_MILLIS + 1
"""What a range that has every time in it ends before, for its end is exclusive."""
_MAX_END = "10000-01-01T00:00:00.000Z"
_MAX_ENDS = re.compile(r"(?:\+0)?10000-01-01[Tt]00:00:00(?:\.0+)?(?:[Zz]|[+-]00:00)?")


def parse_time(text: str) -> int:
    """Return the milliseconds since 1970 of an RFC 3339 date-time; finer digits are dropped.

    A time without an offset is UTC. Years 1970..9999 (in UTC), no leap second.

    Raises:
        ValueError: anything else; the text says what is allowed.
    """
    return _read(text, MAX_MILLIS)


def _read(text: str, most: int) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time such as 2024-11-23T12:34:56.789Z")
    start, second, fraction, sign, hours, minutes = match.groups()
    if sign and (int(hours) > 23 or int(minutes) > 59):
        raise ValueError("the offset must be within -23:59..+23:59")
    try:
        minute = _minute(start)
        if second > "59":  # datetime knows no leap seconds: those have no place of their own on our clock
            datetime(1970, 1, 1, 0, 0, int(second), tzinfo=UTC)  # its error says so
    except ValueError as error:
        raise ValueError(f"no such time: {error}; leap seconds are not accepted") from error
    if sign:
        ahead = int(hours) * 60 + int(minutes)
        minute += ahead if sign == "-" else -ahead
    # Whole numbers only: a float would round the last digit of some times.
    millis = (minute * 60 + int(second)) * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
    if not 0 <= millis <= most:
        raise ValueError("the year must be 1970..9999 in UTC")
    return millis


@lru_cache(maxsize=1024)
def _minute(text: str) -> int:
    """Return the minutes since 1970 of ``YYYY-MM-DDTHH:MM``; cached, as events come many in a minute.

    Raises:
        ValueError: there is no such day, as datetime knows which days a month has, or no such time of the day.
    """
    fields = map(int, (text[:4], text[5:7], text[8:10], text[11:13], text[14:]))
    return (datetime(*fields, tzinfo=UTC) - _EPOCH) // _MINUTE  # type: ignore[misc, arg-type]


def parse_end(text: str) -> int:
    """Return the milliseconds since 1970 of the exclusive end of a range: a time, or the first one after all times.

    That one is written ``10000-01-01T00:00:00.000Z``, or with its year as ISO 8601 expands it, ``+010000``. RFC 3339
    has no such year; but without it no range that has an end could have the last millisecond of 9999 in it.

    Raises:
        ValueError: anything else; the text says what is allowed.
    """
    return MAX_END if _MAX_ENDS.fullmatch(text) else _read(text, MAX_END)


def format_end(millis: int) -> str:
    """Write the exclusive end of a range, as ``parse_end`` reads it.

    Raises:
        ValueError: outside the years 1970..9999, and not the first instant after them.
    """
    return _MAX_END if millis == MAX_END else format_time(millis)


def format_time(millis: int) -> str:
    """Write milliseconds since 1970 as ``YYYY-MM-DDTHH:MM:SS.mmmZ``.

    Raises:
        ValueError: outside the years 1970..9999.
    """
    hours, rest = divmod(millis, 3_600_000)
    seconds, milliseconds = divmod(rest, 1000)
    return _hour(hours) + _SECONDS_OF_HOUR[seconds] + _MILLIS_OF_SECOND[milliseconds]


@lru_cache(maxsize=1024)
def _hour(hours: int) -> str:
    """Return the part of a time up to the hour; cached, as events come many in an hour and strftime is slow."""
    if not 0 <= hours <= MAX_MILLIS // 3_600_000:
        raise ValueError("outside the years 1970..9999")
    return f"{_EPOCH + timedelta(hours=hours):%Y-%m-%dT%H:}"
