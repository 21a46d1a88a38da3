"""``GET /api/v1/events``: a page of events, in the form that the client accepts."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import orjson
from fastapi import Depends, Query, Request, Response

from eventlog.errors import InvalidError
from eventlog.formats.event import Event
from eventlog.formats.strict_json import Problem
from eventlog.http import answers
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.cursor import format_cursor
from eventlog.http.event_query import EventQuery
from eventlog.http.event_schemas import EventPage, csv_header, to_csv, to_json, to_ndjson
from eventlog.http.negotiation import Accepts
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.search_query import checked_keys, indexed_fields
from eventlog.store.errors import TooManyNamesError
from eventlog.store.interface import Page, Position

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PageType = Annotated[str, Depends(Accepts(JSON, NDJSON, CSV))]
EXPORTS = {"content": {NDJSON: {"schema": {"type": "string"}}, CSV: {"schema": {"type": "string"}}}}
_WRITERS: dict[str, Callable[[Iterable[Event]], bytes]] = {JSON: to_json, NDJSON: to_ndjson, CSV: to_csv}
_NOTHING = Page([], more=False, size=0, settled_size=0)
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
        found = wired.log.page(query) if caller.may(query.chain) else _NOTHING
    except TooManyNamesError as error:
        raise InvalidError([Problem(f"/query/{error.field}", str(error))]) from error
    # How long an event is depends on the form, so what does not fit is left to the next page only here.
    text, shown = _written(found.events, accepted)
    cursor = None
    if found.more or shown < len(found.events):
        last = found.events[shown - 1]
        cursor = format_cursor(query, found.size, Position(last.entry.timestamp, last.seq))
    search = indexed_fields(wired, query.keys, found.indexed_version) if query.keys else None
    if accepted == JSON:
        events = orjson.Fragment(b"[" + text + b"]")
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


def _written(events: Sequence[Event], accepted: str) -> tuple[bytes, int]:
    """The events in one of the forms, and how many there are of them: as many as an answer can have."""
    # Nearly every page is so short that it fits whatever is in it. Else each event is written, and measured, by itself.
    write = _WRITERS[accepted]
    whole = write(events)
    if answers.fits_anyhow(whole):
        return whole, len(events)
    shown = answers.fitting(write([event]) for event in events)
    return (b"," if accepted == JSON else b"").join(shown), len(shown)
