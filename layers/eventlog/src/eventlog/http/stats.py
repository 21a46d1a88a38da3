"""``GET /api/v1/stats``: figures for pictures, at a bounded cost."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import BaseModel, Field

from eventlog.clock import now_millis
from eventlog.errors import InvalidError
from eventlog.fields import ChainName, EndMillis, Millis
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.strict_json import Problem
from eventlog.formats.times import format_end, format_time
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.callers import Caller
from eventlog.http.event_query import Names
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.query_strings import DIGITS, not_below
from eventlog.http.search_query import AskedKeys, Indexed, checked_keys, indexed_fields
from eventlog.store.errors import TooManyEventsError, TooManyNamesError
from eventlog.store.interface.counts import NOTHING, Buckets, Counts
from eventlog.wiring.query import QueryWiring

DAY = 86_400_000
MAX_BUCKETS = 1000
SHOWN = 12
"""Values with a series of their own; the rest is counted together."""
_HOUR, _DAY, _YEAR = 3600, 86_400, 365 * 86_400
_SHORT = (1, 5, 15, 60, 300, 900, _HOUR, 3 * _HOUR, 6 * _HOUR)
WIDTHS = (*_SHORT, _DAY, 7 * _DAY, 30 * _DAY, _YEAR, 5 * _YEAR, 25 * _YEAR, 150 * _YEAR)
"""Seconds a bucket may have when none is asked for: the first that makes at most 60 of them.

The last one does for all times that events can have. Events of clocks that are off by decades should have a chart, too.
"""


class StatsQuery(BaseModel):
    """Which events are counted, and how."""

    chain: ChainName = "main"
    start_time: Millis | None = Field(default=None, description="Inclusive (default: a day before end_time)")
    end_time: Annotated[EndMillis, not_below("start_time")] | None = Field(
        default=None, description="Exclusive (default: now); 10000-01-01T00:00:00Z is after all times"
    )
    bucket: Annotated[int, Field(ge=1, le=WIDTHS[-1]), DIGITS] | None = Field(
        default=None, description="Seconds; by default so many that there are at most 60 buckets"
    )
    by: Literal["event_type", "source_id"] | None = Field(default=None, description="One series for each value")
    event_type: Names = []
    source_id: Names = []
    key: AskedKeys = []

    def to_buckets(self) -> Buckets:
        """Fill in what was not asked for: the last day, and a width that makes at most 60 buckets.

        Raises:
            InvalidError: the range is empty, or has more than ``MAX_BUCKETS`` buckets.
        """
        end = now_millis() + 1 if self.end_time is None else self.end_time
        start = max(0, end - DAY) if self.start_time is None else self.start_time
        if start >= end:
            if self.end_time is None:
                raise InvalidError([Problem("/query/start_time", "must be before end_time, which is now by default")])
            raise InvalidError([Problem("/query/end_time", "must be after start_time")])
        # The narrowest width of at most 60 buckets; if there is none the widest, which may be refused below.
        fitting = (seconds for seconds in WIDTHS if end - start <= 60_000 * seconds)
        width = 1000 * (self.bucket or next(fitting, WIDTHS[-1]))
        found = Buckets(
            chain=self.chain,
            start=start,
            end=end,
            width=width,
            by=self.by,
            event_types=NameFilter.of(self.event_type),
            source_ids=NameFilter.of(self.source_id),
            keys=frozenset(self.key),
        )
        if len(found.starts) > MAX_BUCKETS:
            raise InvalidError([Problem("/query/bucket", f"makes more than {MAX_BUCKETS} buckets; take a larger one")])
        return found


class Series(BaseModel, defer_build=True):
    """The events of one value, ``value`` null: of all others; ``counts`` has one for each bucket."""

    value: str | None
    total: int
    counts: list[int]


class Stats(BaseModel, defer_build=True):
    """Events by when they say they happened. ``starts`` are the buckets' beginnings."""

    chain: str
    start_time: str
    end_time: str
    bucket: int = Field(description="Seconds")
    by: Literal["event_type", "source_id"] | None
    total: int
    starts: list[str]
    series: list[Series] = Field(description=f"The {SHOWN} most frequent values, then the others together")
    search: Indexed | None = Field(default=None, description="With key alone")


StatsParameters = Annotated[StatsQuery, Query()]


def stats(wired: QueryWiring, parameters: StatsQuery, caller: Caller) -> Response:
    """Count the events of a range."""
    buckets = parameters.to_buckets()
    checked_keys(wired, buckets.keys)
    # To a caller who may not see it, a chain looks as if it did not exist: it has no events, and is no error.
    try:
        counts = wired.counts.count(buckets, SHOWN) if caller.may(buckets.chain) else NOTHING
    except TooManyEventsError as error:
        raise InvalidError([Problem("/query/start_time", f"{error}; choose a shorter one")]) from error
    except TooManyNamesError as error:
        raise InvalidError([Problem(f"/query/{error.field}", str(error))]) from error
    return json_response(
        {
            "chain": buckets.chain,
            "start_time": format_time(buckets.start),
            "end_time": format_end(buckets.end),
            "bucket": buckets.width // 1000,
            "by": buckets.by,
            "total": counts.all.total(),
            "starts": [format_time(start) for start in buckets.starts],
            "series": list(_series(counts, buckets)),
        }
        | ({"search": indexed_fields(wired, buckets.keys, counts.indexed_version)} if buckets.keys else {})
    )


def _series(counts: Counts, buckets: Buckets) -> Iterator[dict[str, Any]]:
    if buckets.by is None:
        yield _one(None, counts.all, buckets)
        return
    rest = counts.all.copy()
    for value, found in sorted(counts.by_value.items(), key=lambda item: (-item[1].total(), item[0]))[:SHOWN]:
        rest.subtract(found)
        yield _one(value, found, buckets)
    if rest.total():
        yield _one(None, rest, buckets)


def _one(value: str | None, counts: Counter[int], buckets: Buckets) -> dict[str, Any]:
    return {"value": value, "total": counts.total(), "counts": [counts[start] for start in buckets.starts]}


router = api_router("query")


@router.get("/stats", responses={200: {"model": Stats}, **documented(422, 500, 503)})
def get_stats(caller: Reader, wired: WiredQuery, parameters: StatsParameters) -> Response:
    """How many events there are by time, and by type or source: from an index alone, at most a million of its keys."""
    return stats(wired, parameters, caller)
