"""The ``eventlog`` command: options that all commands have, and how errors become one line and an exit code."""

import sys
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer

from eventlog import console
from eventlog.formats.errors import EvidenceError
from eventlog_client.commands import (
    append,
    audit,
    bundle,
    compare,
    erase,
    heads,
    hold,
    keys,
    policy,
    proofs,
    query,
    read,
    status,
    watch,
    witness,
)
from eventlog_client.errors import ClientError, InsecureError, KeyNeededError, LogMisbehavedError, NotWitnessedError
from eventlog_client.output import Output, printable
from eventlog_client.session import DEFAULT_URL, MISBEHAVED, MISUSED, NOT_DONE, Session

_EXIT_CODES = """
\b
Exit codes:
  0  fine
  1  it could not be done: the log can't be reached or refuses, a file can't be
     read or was changed on its way (line endings, byte order mark, cut off)
  2  wrong usage
  3  evidence does not verify, the log misbehaved, an audit found tampering, or
     witnesses that a policy asks for have not cosigned
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None, epilog=_EXIT_CODES)
app.command()(append.append)
app.command()(query.query)
app.command()(read.tail)
app.command()(bundle.export)
app.command()(bundle.verify_bundle)
app.command()(proofs.prove)
app.command()(proofs.verify_proof)
app.command()(heads.prove_head)
app.command()(heads.verify_head)
app.command()(watch.verify_log)
app.command()(compare.compare)
app.command()(audit.audit)
app.command()(status.status)
app.command()(erase.erase)
app.command()(erase.erasures)
app.command()(erase.approve)
app.command()(hold.hold)
app.command()(hold.holds)
app.command()(hold.release)
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(witness.app, name="witness")


@app.callback()
def root(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(envvar="EVENTLOG_URL", help=f"The log's URL (default: {DEFAULT_URL}).")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="EVENTLOG_TOKEN", help="Bearer token; better given in the environment.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Machine-readable output: one JSON document, or NDJSON.")
    ] = False,
) -> None:
    """Append to an event log, query it, and check what it says."""
    context.obj = Session(url, token, Output(json=json))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    console.prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(_command()(args=given or ["--help"], prog_name="eventlog", standalone_mode=False) or 0)
    except (typer.TyperException, ClientError, EvidenceError, OSError) as error:
        return _explain(error)


@cache
def _command() -> Any:
    """Return all commands with their options; to make them takes longer than most commands."""
    return typer.main.get_command(app)


def _explain(error: Exception) -> int:
    """Print an error as one line on standard error, evidence of misconduct on standard output; return the exit code."""
    # From the particular to the general: LogMisbehavedError and KeyNeededError are ClientErrors too.
    match error:
        case typer.TyperException():
            return _fail(error.format_message(), error.exit_code)
        case LogMisbehavedError():
            if error.evidence:
                Output(json=True).line({"finding": str(error), "evidence": error.evidence})
            return _fail(f"the log misbehaved: {error}", MISBEHAVED)
        case EvidenceError():
            return _fail(f"the evidence does not verify: {error}", MISBEHAVED)
        case KeyNeededError() | InsecureError() | NotWitnessedError():
            return _fail(str(error), MISBEHAVED if isinstance(error, NotWitnessedError) else MISUSED)
        case OSError():
            return _fail(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "), NOT_DONE)
        case _:
            return _fail(str(error), NOT_DONE)


def _fail(sentence: str, code: int) -> int:
    console.write(sys.stderr, f"eventlog: {printable(sentence).rstrip('.')}.\n")
    return code
