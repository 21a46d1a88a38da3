"""``eventlog erase``, ``erasures`` and ``approve``: what is to be erased, and what became of it."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import orjson
import typer

from eventlog.formats.event import Event, is_erased
from eventlog_client.appends import json_text
from eventlog_client.client import EventLog
from eventlog_client.output import progress
from eventlog_client.session import ChainOption, Session, chain_path, session_of, utf8

MOST = 1000
"""Events that one order names at most."""
COLUMNS = ("erasure_id", "state", "events", "erased", "held", "time", "by", "basis", "reason")
COPIES = """\
The payloads, their salts and search keys are emptied once the order is anchored. Copies that the log can't reach:
MongoDB's record of changes (oplog: hours to days), its data files until their space is used again, its own log where an
append was slow, backups until they age out, messages in the queue and among the dead letters (up to 14 days), bundles
and exports that were given away, other systems that events were sent to, and browsers. docs/erasure.md says what to do
about each."""


def erase(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Events by id.", callback=utf8)] = None,
    *,
    match: Annotated[
        list[str],
        typer.Option(
            help="payload.user=u-1: events with this value there, in arrays too, found by reading them all.",
            callback=utf8,
        ),
    ] = [],  # noqa: B006
    field: Annotated[list[str], typer.Option(help="user=u-1: events found by this search field.", callback=utf8)] = [],  # noqa: B006
    basis: Annotated[str, typer.Option(help="The ground, such as gdpr-art-17.", callback=utf8)] = "gdpr-art-17",
    reason: Annotated[str, typer.Option(help="One line. It stays for ever: name nobody.", callback=utf8)] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be erased.")] = False,
    chain: ChainOption = "main",
) -> None:
    """Have payloads of events erased: those named by id, or those that match.

    Several --match or --field: events that have all of them. More than 1,000 events take several orders.
    """
    session = session_of(context)
    if bool(ids) == bool(match or field):
        raise typer.BadParameter("name events by id, or say what they match with --match or --field", param_hint="ID")
    if not dry_run and not reason:
        raise typer.BadParameter("say why, in one line that names nobody", param_hint="--reason")
    with session.log() as log:
        found = list(ids or []) or [event.entry.event_id for event in _matching(log, chain, match, field)]
        if dry_run or not found:
            _list(session, found)
            return
        named = iter(found)
        orders: list[dict[str, Any]] = []
        try:
            while some := list(islice(named, MOST)):
                order = {"events": some, "basis": basis, "reason": reason, "request_id": str(uuid4())}
                orders.append(log.transport.post(f"{chain_path(chain)}/erasures", json_text(order)).object())
        finally:  # what was ordered is said, even if the next order is refused
            if orders:
                _show(session, orders)


def _show(session: Session, orders: list[dict[str, Any]]) -> None:
    if session.output.json:
        session.output.document({"erasures": orders})
        return
    session.output.table(COLUMNS, orders)
    if any(order.get("state") == "waiting" for order in orders):
        session.output.say("Nothing is ordered yet: somebody else has to approve it (eventlog approve).")
    else:
        session.output.say(COPIES)


def erasures(
    context: typer.Context,
    erasure_id: Annotated[
        str | None, typer.Argument(help="Only this one, with the seqs of the events that it names.", callback=utf8)
    ] = None,
    chain: ChainOption = "main",
) -> None:
    """List the erasures of a chain, the newest first, and how far each is."""
    session = session_of(context)
    with session.log() as log:
        if erasure_id is not None:
            session.output.document(log.transport.get(_of(chain, erasure_id), {}).object())
            return
        shown: list[dict[str, Any]] = []
        before: str | None = None
        while True:
            page = log.transport.get(f"{chain_path(chain)}/erasures", {"before": before, "limit": 100}).object()
            shown += page.get("erasures", [])
            before = page.get("next")
            if before is None:
                break
    if session.output.json:
        session.output.document({"erasures": shown})
    else:
        session.output.table(COLUMNS, shown)


def approve(
    context: typer.Context,
    erasure_id: Annotated[str, typer.Argument(help="As erasures shows it.", callback=utf8)],
    chain: ChainOption = "main",
) -> None:
    """Approve an erasure that somebody else has asked for: look at it with erasures first."""
    session = session_of(context)
    with session.log() as log:
        answer = log.transport.post(f"{_of(chain, erasure_id)}/approve", b"").object()
    if session.output.json:
        session.output.document(answer)
        return
    session.output.table(COLUMNS, [answer])
    session.output.say(COPIES)


def _list(session: Session, found: list[str]) -> None:
    if session.output.json:
        session.output.document({"events": found})
        return
    session.output.table(("event_id",), ({"event_id": name} for name in found))
    session.output.say(f"{len(found)} events would be erased." if found else "No event matches: nothing was ordered.")


def _matching(log: EventLog, chain: str, match: list[str], field: list[str]) -> Iterator[Event]:
    """Find events that have all these values: by the search fields, and by reading payloads for the rest."""
    wanted = [_place(text) for text in match]
    keys = [f"{name}:{value}" for name, value in map(_split, field)]
    with progress(f"reading {chain}", None) as advance:
        for event in log.events(chain=chain, key=keys):
            advance(1)
            entry = event.entry
            if is_erased(entry) or entry.event_type.startswith("eventlog."):
                continue
            payload = orjson.loads(entry.payload)
            if all(value in _values_at(payload, path) for path, value in wanted):
                yield event


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--field or --match")
    return name, value


def _place(text: str) -> tuple[list[str], str]:
    """Read ``payload.user=u-1``: the members on the way, and the value as text."""
    path, value = _split(text)
    names = path.split(".")
    if names[0] != "payload" or len(names) < 2:
        raise typer.BadParameter(f"{text!r} does not begin with payload.", param_hint="--match")
    return names[1:], value


def _values_at(value: Any, names: list[str]) -> Iterator[str]:
    """Yield what stands at a place, as text; of each array all elements, on the way and at its end."""
    if isinstance(value, list):
        for each in value:
            yield from _values_at(each, names)
    elif names:
        if isinstance(value, dict) and names[0] in value:
            yield from _values_at(value[names[0]], names[1:])
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, dict):
        yield orjson.dumps(value).decode()


def _of(chain: str, erasure_id: str) -> str:
    return f"{chain_path(chain)}/erasures/{quote(erasure_id, safe='')}"
