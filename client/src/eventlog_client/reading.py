"""Reads events and chains page after page, and checks the links of events that must follow each other."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from eventlog.formats.event import Event
from eventlog.formats.event_json import contradiction, receipt_of
from eventlog_client.answers import ChainInfo, DamagedChain, parse_listed
from eventlog_client.appends import receipt_fields
from eventlog_client.errors import LogMisbehavedError, RefusedError, UnexpectedAnswerError
from eventlog_client.transport import Transport

NDJSON = "application/x-ndjson"
PAGE = 1000


class PageRead(NamedTuple):
    """The events of a page, each read and checked as it is taken, and the cursor of the next page, if there is one."""

    events: Iterator[Event]
    size: int
    cursor: str | None


def events(
    transport: Transport, read: Callable[[bytes], Event], filters: dict[str, Any], limit: int | None
) -> Iterator[Event]:
    """Yield events that match the filters, page after page, at most ``limit``.

    Raises:
        LogMisbehavedError: an event is of another chain, whose name a table of events does not show.
    """
    for page in pages(transport, read, filters, limit):
        yield from page.events


def pages(
    transport: Transport,
    read: Callable[[bytes], Event],
    filters: dict[str, Any],
    limit: int | None = None,
    cursor: str | None = None,
) -> Iterator[PageRead]:
    """Yield pages of events that match the filters, from a cursor on, at most ``limit`` events.

    Raises:
        LogMisbehavedError: as ``events``, as an event is taken.
    """
    # The cursor is opaque and goes back as it came. An empty page with a cursor would be asked for again forever.
    left = limit
    while left is None or left > 0:
        page = PAGE if left is None else min(left, PAGE)
        answer = transport.get("/events", {**filters, "limit": page, "cursor": cursor}, accept=NDJSON)
        lines = answer.body.splitlines()
        cursor = answer.headers.get("Next-Cursor")
        yield PageRead(_read(lines, read, filters["chain"]), len(lines), cursor)
        if cursor is None:
            return
        if not lines:
            raise UnexpectedAnswerError("the log answers with empty pages")
        left = None if left is None else left - len(lines)


def _read(lines: list[bytes], read: Callable[[bytes], Event], chain: str) -> Iterator[Event]:
    for line in lines:
        event = read(line)
        if event.entry.chain != chain:
            why = f"asked for events of chain {chain}, and got one of chain {event.entry.chain}"
            raise LogMisbehavedError(why, _evidence(event))
        yield event


def linked(found: Iterator[Event], start: int) -> Iterator[Event]:
    """Yield the same events after checking that none from ``start`` on is missing and each is linked to the last.

    Raises:
        LogMisbehavedError: an event is missing or not linked; the receipts around it are the evidence.
    """
    last: Event | None = None
    for place, event in enumerate(found, start):
        if event.seq != place:
            raise LogMisbehavedError(f"event {event.seq} is shown where event {place} belongs", _evidence(last, event))
        if last is not None and (why := contradiction(last, event)) is not None:
            raise LogMisbehavedError(why, _evidence(last, event))
        yield event
        last = event


def chains(transport: Transport) -> Iterator[ChainInfo | DamagedChain]:
    """Yield all chains by name, damaged ones in their places."""
    after: str | None = None
    while True:
        fields = transport.get("/chains", {"after": after, "limit": PAGE}).object()
        shown = fields.get("chains")
        if not isinstance(shown, list):
            raise UnexpectedAnswerError("the answer is not a list of chains")
        yield from map(parse_listed, shown)
        before, after = after, fields.get("next")
        if after is None:
            return
        if not shown or not isinstance(after, str) or after == before:
            raise UnexpectedAnswerError("the list of chains does not go on where it says")


def chain(transport: Transport, name: str) -> ChainInfo:
    """Read a chain's head.

    Raises:
        LogMisbehavedError: it is another chain's.
        RefusedError: what the log has stored of it is damaged.
    """
    found = parse_listed(transport.get(f"/chains/{quote(name, safe='')}").object())
    if isinstance(found, DamagedChain):  # it has no head: everything but what stands of it is refused so
        detail = f"What is stored of the chain {found.chain} is damaged; run an audit."
        raise RefusedError(500, "Internal Server Error", detail)
    if found.chain != name:
        raise LogMisbehavedError(f"asked for chain {name}, and got {found.chain}", [dict(found.fields)])
    return found


def size(transport: Transport, name: str) -> int:
    """Return a chain's size, 0 if there is no such chain."""
    try:
        return chain(transport, name).size
    except RefusedError as error:
        if error.status != 404:
            raise
        return 0


def _evidence(*shown: Event | None) -> list[dict[str, Any]]:
    return [receipt_fields(receipt_of(event)) for event in shown if event is not None]
