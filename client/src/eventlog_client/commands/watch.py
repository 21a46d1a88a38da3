"""``eventlog verify-log``: the light monitor, once or forever."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from eventlog import console
from eventlog.formats.bundle_erasures import PartErasures
from eventlog.formats.note import VerifierKey
from eventlog_client.client import EventLog
from eventlog_client.errors import (
    LogMisbehavedError,
    NotWitnessedError,
    RefusedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from eventlog_client.keys import keys_of, log_of
from eventlog_client.monitor import Monitor
from eventlog_client.output import Output, erased_sentence, printable, progress
from eventlog_client.session import (
    ChainOption,
    GovernanceKey,
    Key,
    MaxWitnessAge,
    PolicyOption,
    governance_keys,
    session_of,
    trust,
)
from eventlog_client.state import Trusted, keep_evidence, read_state, write_state
from eventlog_client.witnesses import Witnesses

_PATIENCE = (0.5, 1.0, 2.0, 4.0)
"""Seconds between looks at a log that shows an older checkpoint than before; then it counts as misconduct."""


def verify_log(
    context: typer.Context,
    *,
    url: Annotated[str, typer.Argument(help="The log's URL.")],
    key: Key = [],  # noqa: B006
    chain: ChainOption = "main",
    state: Annotated[Path | None, typer.Option(help="File that remembers what was verified, for the next run.")] = None,
    events: Annotated[bool, typer.Option("--events", help="Fetch the events and recompute all their hashes.")] = False,
    every: Annotated[float | None, typer.Option(min=0.1, help="Go on, with so many seconds between checks.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Check once (the default).")] = False,
    governance_key: GovernanceKey = [],  # noqa: B006
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
) -> None:
    """Follow the log's signed checkpoints.

    Checks leaf by leaf that the newest one extends the one trusted so far (with --state: in earlier runs).
    On misconduct both checkpoints are kept in a file beside the state, and the exit code is 3.
    With --events each erased event must be named by an order of the chain, with --governance-key signed by such a key.
    With --policy a checkpoint is trusted only once it is cosigned; the exit code is 3 if it is not, but with --every
    that is told, and tried again.
    """
    if once and every is not None:
        raise typer.BadParameter("give one of --once and --every")
    if governance_key and not events:
        raise typer.BadParameter("orders to erase are looked at with --events only", param_hint="--governance-key")
    session = session_of(context)
    given, governance = trust(key, policy, max_witness_age), governance_keys(governance_key)
    trusted = None if state is None else read_state(state)
    with session.log(given.vkeys, url) as log:
        # With --every the command survives an outage. It ends on what the next round can't change: no
        # access (401, 403), and misconduct, which is not an error of this kind. Without --every all errors do.
        while True:
            try:
                patience = iter(_PATIENCE)
                erasures = PartErasures(_log_of(given.keys, chain), chain, governance) if events else None
                again = lambda: _wait(next(patience, None))  # noqa: B023, E731
                monitor = Monitor(log, chain, given.keys, events, erasures, again=again)
                new = _check(monitor, trusted, state, _cosigned_by(given.witnesses, log, chain))
                _tell(session.output, trusted, new, erasures, always=every is None)
                trusted = new
            except (UnreachableError, UnexpectedAnswerError, RefusedError, NotWitnessedError) as error:
                if every is None or (isinstance(error, RefusedError) and error.status in {401, 403}):
                    raise
                console.write(sys.stderr, f"eventlog: {printable(error)}; trying again.\n")
            if every is None:
                return
            try:
                time.sleep(every)
            except KeyboardInterrupt:
                return


def _cosigned_by(witnesses: Witnesses | None, log: EventLog, chain: str) -> Callable[[Trusted], Trusted]:
    """Return what checks that a verified checkpoint is cosigned, if that is asked for, and adds the lines to it."""

    def cosigned(new: Trusted) -> Trusted:
        if witnesses is None:
            return new
        size = new.checkpoint.size
        found = witnesses.check_again(new.note, lambda: log.checkpoint(chain, size).note)
        return replace(new, note=found.note.decode())

    return cosigned


def _wait(seconds: float | None) -> bool:
    """Wait before the checkpoint is asked for again; return False if it was asked for often enough."""
    if seconds is not None:
        time.sleep(seconds)
    return seconds is not None


def _check(
    monitor: Monitor, trusted: Trusted | None, state: Path | None, cosigned: Callable[[Trusted], Trusted]
) -> Trusted:
    """Check once: replace the state if everything verifies, keep the evidence if not."""
    try:
        with progress(f"verifying {monitor.chain}", None) as advance:
            new = cosigned(replace(monitor, advance=advance).check(trusted))
    except LogMisbehavedError as error:
        if state is None:
            raise
        path = keep_evidence(state, {"finding": str(error), "evidence": error.evidence})
        raise LogMisbehavedError(f"{error} (evidence kept in {path})", error.evidence) from error
    if state is not None and (trusted is None or new.note != trusted.note):
        write_state(state, new)
    return new


def _log_of(keys: Sequence[VerifierKey], chain: str) -> str:
    """Return the name of the log whose chain this is, as its pinned keys have it."""
    return next((log_of(key.name) for key in keys_of(keys, chain)), "")


def _tell(
    output: Output, trusted: Trusted | None, new: Trusted, erasures: PartErasures | None, *, always: bool
) -> None:
    """Print what a round verified, if it is news."""
    checkpoint, before = new.checkpoint, trusted.checkpoint.size if trusted else 0
    if always or trusted is None or new.note != trusted.note:
        output.say(
            f"{checkpoint.origin}: size {checkpoint.size} verified, {checkpoint.size - before} leaves of it now.",
            {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(), "from": before}
            | ({} if erasures is None else {"erased": erasures.erased, "authority_checked": erasures.governed}),
        )
        if erasures is not None and erasures.erased:
            output.say(erased_sentence(erasures.erased, authority=erasures.governed))
