"""From a query to a page in the form the client accepts."""

from fastapi import Request, Response

from eventlog.formats.event_json import event_fields
from eventlog.http import requests
from eventlog.http.callers import Caller
from eventlog.http.cursor import format_cursor
from eventlog.http.event_query import EventQuery
from eventlog.http.schemas import json_response, to_csv, to_ndjson
from eventlog.store.interface import Page, Position
from eventlog.wiring.resources import Resources

NDJSON, CSV = "application/x-ndjson", "text/csv"
EXPORTS = {"content": {NDJSON: {"schema": {"type": "string"}}, CSV: {"schema": {"type": "string"}}}}
_NOTHING = Page([], more=False, size=0, settled_size=0)
"""What a chain that does not exist has."""


def page(held: Resources, request: Request, parameters: EventQuery, caller: Caller) -> Response:
    """A page as JSON, NDJSON or CSV; exports carry the cursor in ``Next-Cursor`` and a ``Link`` header."""
    query = parameters.to_query()
    found = held.store.page(query) if caller.may(query.chain) else _NOTHING
    cursor = None
    if found.more:
        last = found.events[-1]
        cursor = format_cursor(query, found.size, Position(last.entry.timestamp, last.seq))
    accepted = requests.preferred(request.headers, NDJSON, CSV)
    if accepted is None:
        events = [event_fields(event) for event in found.events]
        return json_response({"events": events, "next_cursor": cursor, "settled_size": found.settled_size})
    body = to_ndjson(found.events) if accepted == NDJSON else to_csv(found.events)
    headers = {"Settled-Size": str(found.settled_size)}
    if cursor:
        link = request.url.include_query_params(cursor=cursor)
        headers |= {"Next-Cursor": cursor, "Link": f'<{link.path}?{link.query}>; rel="next"'}
    return Response(body, 200, headers, accepted)
