"""The parameters of ``GET /api/v1/events``, and the store's query that they make."""

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eventlog.errors import InvalidError
from eventlog.fields import ChainName, Millis, Name
from eventlog.formats.strict_json import Problem
from eventlog.http.cursor import parse_cursor
from eventlog.store.interface import Query

_MAX_SEQ = 2**63 - 1
Seq = Annotated[int, Field(ge=0, le=_MAX_SEQ)]


class EventQuery(BaseModel):
    """Filters, order and page of a query; unknown parameters are refused, so that a misspelt filter can't widen it."""

    model_config = ConfigDict(extra="forbid")

    chain: ChainName = "main"
    start_time: Millis | None = Field(default=None, description="Inclusive, by the events' timestamp")
    end_time: Millis | None = Field(default=None, description="Exclusive")
    event_type: list[Name] = Field(default=[], max_length=20, description="Any of these")
    source_id: list[Name] = Field(default=[], max_length=20, description="Any of these")
    sort: Literal["time", "seq"] = Field(default="time", description="seq goes with chain, from_seq and to_seq only")
    order: Literal["asc", "desc"] | None = Field(default=None, description="Default: desc by time, asc by seq")
    from_seq: Seq | None = Field(default=None, description="Inclusive; with sort=seq")
    to_seq: Seq | None = Field(default=None, description="Exclusive; with sort=seq")
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200, description="next_cursor of the page before")

    @model_validator(mode="after")
    def _sort_has_its_own_filters(self) -> Self:
        by_time = self.start_time is not None or self.end_time is not None or self.event_type or self.source_id
        if self.sort == "seq" and by_time:
            raise ValueError("sort=seq goes with chain, from_seq and to_seq only, not with times, types or sources")
        if self.sort == "time" and (self.from_seq is not None or self.to_seq is not None):
            raise ValueError("from_seq and to_seq need sort=seq")
        return self

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
            event_types=tuple(dict.fromkeys(self.event_type)),
            source_ids=tuple(dict.fromkeys(self.source_id)),
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
