"""``eventlog audit``: have the log check itself."""

from typing import Annotated

import typer

from eventlog_client.errors import ClientError
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
    """Have the log audit a chain; wait for findings."""
    session = session_of(context)
    with session.log() as log, progress(f"auditing {chain}", None):
        report = log.audit(chain, "full" if full else "incremental", wait)
    if session.output.json:
        session.output.document(report.fields)
    else:
        session.output.say(f"{report.events_checked} events of chain {report.chain} checked: {report.status}.")
        session.output.table(COLUMNS, report.findings)
    # Findings count even before the audit is done; without any, only a finished audit says that the chain is intact.
    if report.status == "tampered" or report.findings:
        return MISBEHAVED
    if report.status != "intact":
        raise NotFinishedError(f"audit {report.audit_id} is {report.status}: it says nothing yet")
    return 0
