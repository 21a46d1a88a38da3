"""``eventlog tail``, and how events are shown."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from eventlog import console
from eventlog.formats.event import Event
from eventlog.formats.event_json import event_fields, format_event
from eventlog_client.answers import SignedCheckpoint
from eventlog_client.client import EventLog
from eventlog_client.live import Verified
from eventlog_client.output import Output, printable
from eventlog_client.session import (
    ChainOption,
    Key,
    MaxWitnessAge,
    PolicyOption,
    Trust,
    session_of,
    trust,
    utf8,
    verifier_keys,
)
from eventlog_client.witnesses import Witnesses

COLUMNS = ("seq", "timestamp", "event_type", "source_id", "payload")


def tail(
    context: typer.Context,
    *,
    from_seq: Annotated[int | None, typer.Option(min=0, help="From this seq on (default: from now on).")] = None,
    event_type: Annotated[list[str], typer.Option("--type", help="Any of these types.", callback=utf8)] = [],  # noqa: B006
    source: Annotated[list[str], typer.Option(help="Any of these sources.", callback=utf8)] = [],  # noqa: B006
    field: Annotated[
        list[str], typer.Option(help="A search field and its value, user:u-17: all of these.", callback=utf8)
    ] = [],  # noqa: B006
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Also hold each signed checkpoint against the events; or no checks."),
    ] = None,
    key: Key = [],  # noqa: B006
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
    chain: ChainOption = "main",
) -> None:
    """Show events as they come.

    Until Ctrl-C; goes on when the log was away for a while. Each event is verified in itself and, unless they are
    filtered, linked to the one before. With --verify and a pinned key every signed checkpoint is checked as well; with
    --policy it must also be cosigned within some seconds.
    """
    if verify and (event_type or source or field):
        options = "--type, --source or --field"
        raise typer.BadParameter(f"links between events can't be checked where {options} leaves some out")
    if not verify and (policy is not None or max_witness_age is not None):
        raise typer.BadParameter("witnesses are looked at with --verify only", param_hint="--policy")
    given = trust(key, policy, max_witness_age) if verify else Trust(verifier_keys(key), None)
    session = session_of(context)
    with session.log(given.vkeys, verify=verify is not False) as log:
        try:
            told = _teller(given.witnesses, log, chain) if verify else None
            wanted = {"event_type": event_type, "source_id": source, "key": field}
            show(session.output, log.tail(chain, from_seq, **wanted, verified=told))
        except KeyboardInterrupt:
            return


def _teller(witnesses: Witnesses | None, log: EventLog, chain: str) -> Verified:
    """Return what prints a verified checkpoint on standard error, as standard output has only events."""

    def tell(found: SignedCheckpoint) -> None:
        checkpoint, witnessed = found.checkpoint, ""
        if witnesses is not None:
            shown = witnesses.check_again(found.note, lambda: log.checkpoint(chain, checkpoint.size).note)
            witnessed = f" {shown.sentence()}"
        said = f"{checkpoint.origin} signed size {checkpoint.size}: verified.{witnessed}"
        console.write(sys.stderr, f"eventlog: {printable(said)}\n")

    return tell


def show(output: Output, found: Iterable[Event]) -> None:
    """Print events as they come, one on each line, as long as somebody reads; with --json as the log shows them."""
    for event in found:
        if output.json:
            output.json_text(format_event(event).decode())
        else:
            output.rows(COLUMNS, [row(event)])
        if output.gone:
            return


def row(event: Event) -> dict[str, Any]:
    """Return an event as a table's row; the payload is its canonical text, or says by what it was erased."""
    erased = "" if event.erased is None else f"[erased by event {event.erased.seq}]"
    return event_fields(event) | {"payload": event.entry.payload or erased}
