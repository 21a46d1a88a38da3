"""``eventlog append``: one event, or a file of them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from eventlog import console
from eventlog.formats.strict_json import MalformedJSONError, parse
from eventlog_client.appends import receipt_fields
from eventlog_client.client import EventLog
from eventlog_client.errors import ClientError, LogMisbehavedError, RefusedError
from eventlog_client.event_files import EventFileError, batches, read_events, refusal
from eventlog_client.output import Output, progress
from eventlog_client.session import Session, session_of, utf8

_DEPTH = 32


def append(
    context: typer.Context,
    *,
    event_type: Annotated[str | None, typer.Option("--type", help="What happened.", callback=utf8)] = None,
    source: Annotated[str | None, typer.Option(help="Who reports it.", callback=utf8)] = None,
    payload: Annotated[str | None, typer.Option(help="A JSON object, @FILE, or - for standard input.")] = None,
    time: Annotated[
        str | None, typer.Option(help="RFC 3339 time (default: now; sent again with --id, as before).")
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="Your own id; sending it again is safe.", callback=utf8)
    ] = None,
    chain: Annotated[str | None, typer.Option(help="Which chain (default: main).", callback=utf8)] = None,
    file: Annotated[Path | None, typer.Option(help="NDJSON file of events, or - for standard input.")] = None,
) -> None:
    """Append an event, or a file of events.

    One event's receipt is printed; of a file the receipts are printed with --json, one a line.
    """
    # Two forms of the command, one event or a file of them; their options don't mix.
    session = session_of(context)
    single = (event_type, source, payload, time, event_id)
    if file is not None:
        if any(value is not None for value in single):
            raise typer.BadParameter("goes with --chain alone", param_hint="--file")
        append_file(session, file, chain)
        return
    if event_type is None or source is None:
        raise typer.BadParameter("give --type and --source, or --file")
    content = payload_object(payload or "{}")
    with session.log() as log:
        receipt = log.append(event_type, source, content, timestamp=time, event_id=event_id, chain=chain)
    session.output.document(receipt_fields(receipt))


def payload_object(given: str) -> dict[str, Any]:
    """Read the payload that an option gives: JSON text, ``@`` and a file, or ``-`` for standard input.

    Raises:
        typer.BadParameter: it is not a JSON object.
        OSError: the file can't be read.
    """
    # Parsed as strictly as the log does, so that a bad payload is refused before anything is sent.
    if given == "-":
        text = console.stdin().read()
    elif given.startswith("@"):
        text = Path(given[1:]).read_bytes()
    else:
        text = given.encode("utf-8", "surrogateescape")
    try:
        value = parse(text, max_depth=_DEPTH)
    except MalformedJSONError as error:
        raise typer.BadParameter(f"not JSON as the log takes it: {error}", param_hint="--payload") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--payload")
    return value


def append_file(session: Session, path: Path, chain: str | None) -> None:
    """Append a file batch by batch; say how far it got if one fails."""
    name = str(path)
    total = None if name == "-" else path.stat().st_size
    done = 0
    with session.log() as log, opened(path) as file, progress("appending", total) as advance:
        try:
            for count, size in _batches(log, session.output, name, file, chain):
                done += count
                advance(size)
        except ClientError as error:
            if not done or isinstance(error, LogMisbehavedError):
                raise
            raise EventFileError(f"{error}; {done} events before it were appended") from error
    session.output.say(f"{done} events appended.")


def _batches(
    log: EventLog, output: Output, name: str, file: Iterable[bytes], chain: str | None
) -> Iterator[tuple[int, int]]:
    for batch in batches(read_events(name, file)):
        try:
            receipts = log.append_batch([line.event for line in batch], chain)
        except RefusedError as error:
            raise refusal(name, batch, error) from error
        if output.json:
            for receipt in receipts:
                output.line(receipt_fields(receipt))
        yield len(receipts), sum(line.size for line in batch)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or standard input.

    Raises:
        OSError: the file can't be read.
    """
    if str(path) == "-":
        yield console.stdin()
        return
    with path.open("rb") as file:
        yield file
