"""The parameters of ``GET /api/v1/events``, and the store's query that they make."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from eventlog.errors import InvalidError
from eventlog.fields import ChainName, EndMillis, Millis
from eventlog.formats.name_filter import MAX_FILTER, NameFilter, parse_name
from eventlog.formats.names import NAME_PATTERN
from eventlog.formats.strict_json import Problem
from eventlog.formats.times import MAX_END
from eventlog.http.cursor import parse_cursor
from eventlog.http.query_strings import DIGITS, not_below, only_with
from eventlog.http.search_query import AskedKeys
from eventlog.store.interface import Query

_MAX_SEQ = 2**63 - 1
Seq = Annotated[int, Field(ge=0, le=_MAX_SEQ), DIGITS]
EndTime = Annotated[
    EndMillis,
    not_below("start_time"),
    AfterValidator(lambda end: None if end == MAX_END else end),
]
"""Behind ``start_time``; None, as if it were not given, where nothing can be beyond it."""
START = "Inclusive, by the events' timestamp"
END = "Exclusive; 10000-01-01T00:00:00Z is after all times, as if there were no end"


def _readable(text: str) -> str:
    parse_name(text)
    return text


NameText = Annotated[str, Field(min_length=1, max_length=MAX_FILTER, pattern=NAME_PATTERN), AfterValidator(_readable)]
"""A name as it is, or with a ``*`` at its end what it begins with (``name_filter.parse_name``)."""
Names = Annotated[
    list[NameText],
    Field(max_length=20, description="Any of these; user.login* is all that begin so, \\* a star at the end of a name"),
]
_BY_TIME, _BY_SEQ = only_with("sort", "time"), only_with("sort", "seq")


class EventQuery(BaseModel):
    """Filters, order and page of a query."""

    chain: ChainName = "main"
    sort: Literal["time", "seq"] = Field(default="time", description="seq goes with chain, from_seq and to_seq only")
    order: Literal["asc", "desc"] | None = Field(default=None, description="Default: desc by time, asc by seq")
    start_time: Annotated[Millis, _BY_TIME] | None = Field(default=None, description=START)
    end_time: Annotated[EndTime, _BY_TIME] | None = Field(default=None, description=END)
    event_type: Annotated[Names, _BY_TIME] = []
    source_id: Annotated[Names, _BY_TIME] = []
    key: Annotated[AskedKeys, _BY_TIME] = []
    from_seq: Annotated[Seq, _BY_SEQ] | None = Field(default=None, description="Inclusive; with sort=seq")
    to_seq: Annotated[Seq, not_below("from_seq"), _BY_SEQ] | None = Field(
        default=None, description="Exclusive; with sort=seq"
    )
    limit: Annotated[int, Field(ge=1, le=1000), DIGITS] = 100
    cursor: str | None = Field(default=None, max_length=200, description="next_cursor of the page before")

    def to_query(self) -> Query:
        """The store's query; with a cursor it goes on behind that, in the log as it was when the first page was read.

        Raises:
            InvalidError: The cursor is not one of this query.
        """
        query = Query(
            chain=self.chain,
            sort=self.sort,
            # By time the newest events are wanted first; by seq a chain is read from its beginning.
            order=self.order or ("asc" if self.sort == "seq" else "desc"),
            start_time=self.start_time,
            end_time=self.end_time,
            event_types=NameFilter.of(self.event_type),
            source_ids=NameFilter.of(self.source_id),
            keys=frozenset(self.key),
            from_seq=self.from_seq,
            to_seq=self.to_seq,
            limit=self.limit,
        )
        if self.cursor is None:  # the first page, of the chain as it is now
            return query
        try:
            size, after = parse_cursor(query, self.cursor)
        except ValueError as error:
            raise InvalidError([Problem("/query/cursor", str(error))]) from error
        return replace(query, size=size, after=after)
