"""``eventlog audit``: have the log check itself."""

import sys
from typing import Annotated

import typer

from eventlog import console
from eventlog_client.client import EventLog
from eventlog_client.errors import ClientError, RefusedError
from eventlog_client.output import progress
from eventlog_client.session import MISBEHAVED, ChainOption, session_of

COLUMNS = ("kind", "seq", "expected", "actual", "detail")


class NotFinishedError(ClientError):
    """The audit has no verdict yet."""


def audit(
    context: typer.Context,
    chain: ChainOption = "main",
    full: Annotated[bool, typer.Option("--full", help="From the first event on, not from the last audit.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the report.")] = 300,
) -> int:
    """Have the log audit a chain; wait for findings.

    An audit of what is new takes nothing back: what one found before, and still stands, is told.
    """
    session = session_of(context)
    with session.log() as log, progress(f"auditing {chain}", None):
        report = log.audit(chain, "full" if full else "incremental", wait)
        stands = report.status == "intact" and _stands(log, chain)
    if session.output.json:
        session.output.document(report.fields)
    else:
        session.output.say(f"{report.events_checked} events of chain {report.chain} checked: {report.status}.")
        if erased := report.fields.get("erased"):
            session.output.say(f"{erased} of them were erased, by orders that the chain has.")
        session.output.table(COLUMNS, report.findings)
    # Findings count even before the audit is done; without any, only a finished audit says that the chain is intact.
    if report.status == "tampered" or report.findings:
        return MISBEHAVED
    if report.status != "intact":
        raise NotFinishedError(f"audit {report.audit_id} is {report.status}: it says nothing yet")
    if stands:
        told = f"what was found of chain {chain} before still stands: see eventlog status --chain {chain}"
        console.write(sys.stderr, f"eventlog: {told}.\n")
        return MISBEHAVED
    return 0


def _stands(log: EventLog, chain: str) -> bool:
    """Whether anything still stands of a chain, for who may know: it takes the right to read."""
    try:
        return log.chain_standing(chain).verdict == "tampered"
    except RefusedError as error:
        if error.status != 403:
            raise
        return False
