"""``eventlog query``: events by options or by a search, and the look for a search's words, with an honest end."""

import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Annotated

import typer

from eventlog import console
from eventlog.formats.event import Event
from eventlog_client.arguments import Filters, OneOrMore
from eventlog_client.client import EventLog
from eventlog_client.commands.read import COLUMNS, row, show
from eventlog_client.errors import RefusedError, UnexpectedAnswerError
from eventlog_client.looking import LOOK, Look, filters_of
from eventlog_client.output import Output, printable, progress
from eventlog_client.search import Search, format_search, parse_search
from eventlog_client.search_values import SearchError
from eventlog_client.session import ChainOption, Session, session_of, utf8

_NOT_FOUND = 404


def query(
    context: typer.Context,
    search: Annotated[
        str | None,
        typer.Argument(
            metavar="[SEARCH]",
            help="What to find, in one argument: 'type:user.login* source:web-1 after:7d \"card expired\"'.",
            callback=utf8,
        ),
    ] = None,
    *,
    event_type: Annotated[list[str], typer.Option("--type", help="Any of these types.", callback=utf8)] = [],  # noqa: B006
    source: Annotated[list[str], typer.Option(help="Any of these sources.", callback=utf8)] = [],  # noqa: B006
    field: Annotated[
        list[str], typer.Option(help="A search field and its value, user:u-17: all of these.", callback=utf8)
    ] = [],  # noqa: B006
    start: Annotated[str | None, typer.Option(help="From this time on (RFC 3339).")] = None,
    end: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    from_seq: Annotated[int | None, typer.Option(min=0, help="From this seq on, in order of seq.")] = None,
    to_seq: Annotated[int | None, typer.Option(min=0, help="Before this seq, in order of seq.")] = None,
    order: Annotated[
        str | None, typer.Option(help="asc or desc (default: newest first; by seq, oldest first).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many events.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="All events that match.")] = False,
    most: Annotated[int, typer.Option("--look", min=1, help="Look for words in so many events, unless --all.")] = LOOK,
    cursor: Annotated[str | None, typer.Option(help="Go on where the same search ended.", callback=utf8)] = None,
    chain: ChainOption = "main",
) -> None:
    """Find events.

    By a search, or by options; a type or source that ends in * is all that begin so. Words are looked for here, in the
    events that the log finds by the rest of the search. Every event is verified in itself. A table, or with --json
    NDJSON as the log shows events.
    """
    session = session_of(context)
    filters: Filters = {
        "event_type": event_type,
        "source_id": source,
        "key": field,
        "start_time": start,
        "end_time": end,
        "from_seq": from_seq,
        "to_seq": to_seq,
        "order": order,
        "sort": "seq" if from_seq is not None or to_seq is not None else None,
    }
    shown = None if everything else limit
    if search is not None:
        if any(value not in (None, []) for value in filters.values()):
            raise typer.BadParameter("what to find is either all in the search, or all in options", param_hint="SEARCH")
        wanted = _read(session, search, chain)
        if wanted.words:
            _look(session, wanted, shown, None if everything else most, cursor)
            return
        filters, chain = filters_of(wanted), wanted.chain or chain
    if cursor is not None:
        raise typer.BadParameter("goes with a search that has words to look for", param_hint="--cursor")
    with session.log() as log:
        _show(session.output, log.events(chain=chain, limit=shown, **filters))
        _tell_index(log, chain, filters["key"])


def _read(session: Session, text: str, chain: str) -> Search:
    """Read a search; ``chain`` is the option's.

    Raises:
        typer.BadParameter: it can't be understood, or names another chain than the option.
    """
    now = time.time_ns() // 1_000_000
    try:
        try:
            wanted = parse_search(text, now)
        except SearchError as error:
            # What is unknown may be a search field, which the log knows; most searches need not ask for them.
            wanted = parse_search(text, now, _fields(session, error))
    except SearchError as error:
        raise typer.BadParameter(str(error), param_hint="SEARCH") from error
    if wanted.chain is not None and chain not in {"main", wanted.chain}:
        raise typer.BadParameter(f"the search says chain:{wanted.chain}, and --chain {chain}", param_hint="SEARCH")
    return replace(wanted, chain=wanted.chain or chain)


def _fields(session: Session, error: SearchError) -> list[str]:
    """Ask the log for its search fields.

    Raises:
        SearchError: the one before, if the log has none.
        ClientError: the log can't be asked.
    """
    # An older log has no such route (404), and another service says something else: neither has search fields. One that
    # can't be reached, or refuses to say, is told of as itself: with it what was typed may be right.
    try:
        with session.log() as log:
            found = log.search_fields().newest.fields
    except UnexpectedAnswerError:
        found = {}
    except RefusedError as refused:
        if refused.status != _NOT_FOUND:
            raise
        found = {}
    if not found:
        raise error
    return list(found)


def _tell_index(log: EventLog, chain: str, keys: OneOrMore) -> None:
    """Say so where events may have been missed, as not all of the chain is indexed by the fields asked for."""
    if keys and not log.search_fields(chain).is_complete(keys):
        why = f"not every event of chain {chain} is indexed by these search fields, so there may be more (make reindex)"
        console.write(sys.stderr, f"eventlog: {printable(why)}.\n")


def _look(session: Session, wanted: Search, limit: int | None, most: int | None, cursor: str | None) -> None:
    """Look for the words of a search, show what fits, and say on standard error how much was searched."""
    with session.log() as log:
        found = log.look(wanted, most=most, cursor=cursor)
        bound = found.total if most is None or found.total is None else min(most, found.total)
        with progress("searching", bound) as found.advance:
            _show(session.output, islice(found.events(), limit))
        _tell_index(log, wanted.chain or "main", wanted.keys)
    console.write(sys.stderr, f"eventlog: {printable(_end(found, wanted, limit, goes_on=cursor is not None))}.\n")


def _end(found: Look, wanted: Search, limit: int | None, *, goes_on: bool) -> str:
    # Nobody may take a look for more than it was. It ended at the limit of what is shown, where nobody read on, at the
    # limit of what is read, or with the last event; and one that goes on says nothing of what was before it.
    fit = f"{found.found:,} fit"
    total = "" if found.total is None else f" of {max(found.total, found.searched):,}"
    events = f"{found.searched:,}{total}{' more' if goes_on else ''} events"
    if found.found == limit:
        return f"searched {events} until {fit}; there may be more: --limit and --all show them"
    if not found.ended:
        return f"searched {events}, {fit}, until nobody read on"
    if found.cursor is not None:
        again = f"eventlog query {shlex.quote(format_search(wanted))} --cursor {found.cursor}"
        return f"searched {events}, {fit}; go on: {again}"
    return f"searched {'the last' if goes_on else 'all'} {found.searched:,} events, {fit}"


def _show(output: Output, found: Iterable[Event]) -> None:
    """Print events as a table, or with --json as the log shows them."""
    if output.json:
        show(output, found)
    else:
        output.table(COLUMNS, map(row, found))
