"""``eventlog verify-log``: the light monitor, once or for ever."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from eventlog_client.client import EventLog
from eventlog_client.errors import LogMisbehavedError, RefusedError, UnreachableError
from eventlog_client.monitor import Monitor
from eventlog_client.output import Output, printable, progress
from eventlog_client.session import Chain, Key, need_keys, session
from eventlog_client.state import Trusted, keep_evidence, read_state, write_state


def verify_log(
    context: typer.Context,
    *,
    url: Annotated[str, typer.Argument(help="The log's URL.")],
    key: Key = [],  # noqa: B006
    chain: Chain = "main",
    state: Annotated[Path | None, typer.Option(help="File that remembers what was verified, for the next run.")] = None,
    events: Annotated[bool, typer.Option("--events", help="Fetch the events and recompute all their hashes.")] = False,
    every: Annotated[float | None, typer.Option(min=0.1, help="Go on, with so many seconds between checks.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Check once (the default).")] = False,
) -> None:
    """Follow the log's signed checkpoints.

    Checks leaf by leaf that the newest one extends the one trusted so far (with --state: in earlier runs).
    On misconduct both checkpoints are kept in a file beside the state, and the exit code is 3.
    """
    if once and every is not None:
        raise typer.BadParameter("give one of --once and --every")
    held = session(context)
    keys = need_keys(key)
    trusted = None if state is None else read_state(state)
    with held.log(key, url) as log:
        while True:
            try:
                trusted = _check(log, Monitor(log, chain, keys, events), trusted, state, held.output)
            except (UnreachableError, RefusedError) as error:
                if every is None or (isinstance(error, RefusedError) and error.status in {401, 403}):
                    raise
                sys.stderr.write(f"eventlog: {printable(error)}; trying again.\n")
            if every is None:
                return
            try:
                time.sleep(every)
            except KeyboardInterrupt:
                return


def _check(log: EventLog, monitor: Monitor, trusted: Trusted | None, state: Path | None, output: Output) -> Trusted:
    """One round: the state is replaced when all is verified, and evidence is kept when it is not."""
    before = trusted.checkpoint.size if trusted else 0
    try:
        with progress(f"verifying {monitor.chain}", None) as advance:
            new = Monitor(log, monitor.chain, monitor.keys, monitor.events, advance).check(trusted)
    except LogMisbehavedError as error:
        if state is not None:
            path = keep_evidence(state, {"finding": str(error), "evidence": error.evidence})
            raise LogMisbehavedError(f"{error} (evidence kept in {path})", error.evidence) from error
        raise
    if state is not None and (trusted is None or new.note != trusted.note):
        write_state(state, new)
    checkpoint = new.checkpoint
    output.say(
        f"{checkpoint.origin}: size {checkpoint.size} verified, {checkpoint.size - before} leaves of it now.",
        {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(), "verified_from": before},
    )
    return new
