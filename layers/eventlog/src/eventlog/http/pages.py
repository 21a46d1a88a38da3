"""``GET /api/v1/events``: a page of events, in the form that the client accepts."""

from collections.abc import Sequence
from typing import Annotated

import orjson
from fastapi import Depends, Query, Request, Response

from eventlog.errors import InvalidError
from eventlog.formats.event import Event
from eventlog.formats.strict_json import Problem
from eventlog.formats.times import parse_time
from eventlog.http import answers
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.cursor import format_cursor
from eventlog.http.event_query import EventQuery
from eventlog.http.event_schemas import EventPage, csv_header, to_csv
from eventlog.http.negotiation import Accepts
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.search_query import checked_keys, indexed_fields
from eventlog.store.errors import TooManyNamesError
from eventlog.store.interface import Page, Position
from eventlog.store.interface import Query as StoreQuery
from eventlog.wiring.query import QueryWiring

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PageType = Annotated[str, Depends(Accepts(JSON, NDJSON, CSV))]
EXPORTS = {"content": {NDJSON: {"schema": {"type": "string"}}, CSV: {"schema": {"type": "string"}}}}
_NOTHING: Page[bytes] = Page([], more=False, size=0, settled_size=0)
"""The page of a chain that does not exist, or that the caller may not see."""

router = api_router("query")


@router.get("/events", responses={200: {"model": EventPage, **EXPORTS}, **documented(406, 422, 500, 503)})
def list_events(
    caller: Reader,
    wired: WiredQuery,
    request: Request,
    parameters: Annotated[EventQuery, Query()],
    accepted: PageType,
) -> Response:
    """Query events by time, type, source and search fields; JSON, or NDJSON and CSV by the Accept header."""
    query = parameters.to_query()
    checked_keys(wired, query.keys)
    try:
        found = _read(wired, query, accepted) if caller.may(query.chain) else _NOTHING
    except TooManyNamesError as error:
        raise InvalidError([Problem(f"/query/{error.field}", str(error))]) from error
    # How long an event is depends on the form, so what does not fit is left to the next page only here.
    text, shown = _written(found.events, accepted)
    cursor = None
    if found.more or shown < len(found.events):
        cursor = format_cursor(query, found.size, _place(found.events[shown - 1]))
    search = indexed_fields(wired, query.keys, found.indexed_version) if query.keys else None
    if accepted == JSON:
        events = orjson.Fragment(b"".join((b"[", text, b"]")))
        shown_of = {"events": events, "next_cursor": cursor, "settled_size": found.settled_size}
        return json_response(shown_of | ({} if search is None else {"search": search}))
    # The body of an export is events alone: the size and the cursor, which JSON has inside, are in headers.
    body = text if accepted == NDJSON else csv_header() + text
    headers = {"Settled-Size": str(found.settled_size)}
    if search is not None:
        headers["Search-Index"] = ", ".join(f"{name}={orjson.dumps(value).decode()}" for name, value in search.items())
    if cursor:
        link = request.url.include_query_params(cursor=cursor)
        headers |= {"Next-Cursor": cursor, "Link": f'<{link.path}?{link.query}>; rel="next"'}
    return Response(body, 200, headers, accepted)


def _read(wired: QueryWiring, query: StoreQuery, accepted: str) -> Page[Event] | Page[bytes]:
    """Read a page: as texts where events are shown as JSON."""
    return wired.log.page(query) if accepted == CSV else wired.log.texts(query)


def _written(events: Sequence[Event | bytes], accepted: str) -> tuple[bytes, int]:
    """The events in the form of the answer, and how many there are of them: as many as it can have."""
    # Nearly every page is so short that it fits whatever is in it. Else each event is measured by itself.
    between, end = (b",", b"") if accepted == JSON else (b"", b"\n")
    texts = [each + end if isinstance(each, bytes) else to_csv([each]) for each in events]
    whole = between.join(texts)
    if not answers.fits_anyhow(whole):
        texts = answers.fitting(texts)
        whole = between.join(texts)
    return whole, len(texts)


def _place(event: Event | bytes) -> Position:
    """Where a page ends that has this event as its last one."""
    if isinstance(event, Event):
        return Position(event.entry.timestamp, event.seq)
    fields = orjson.loads(event)
    return Position(parse_time(fields["timestamp"]), fields["seq"])
