"""``eventlog hold``, ``holds`` and ``release``: what must not be erased, and until when."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from eventlog_client.appends import json_text
from eventlog_client.session import ChainOption, chain_path, session_of, utf8

COLUMNS = ("hold_id", "in_force", "from_seq", "to_seq", "until", "time", "by", "reason")
ReasonOption = Annotated[str, typer.Option(help="One line. It stays for ever: name nobody.", callback=utf8)]
RequestOption = Annotated[
    str | None,
    typer.Option("--id", metavar="UUID", help="The request's, to send it again without a second one.", callback=utf8),
]


def hold(
    context: typer.Context,
    *,
    reason: ReasonOption,
    from_seq: Annotated[int | None, typer.Option(min=0, help="From this event on.")] = None,
    to_seq: Annotated[int | None, typer.Option(min=1, help="Before this one.")] = None,
    until: Annotated[str | None, typer.Option(help="When it ends by itself (RFC 3339).", callback=utf8)] = None,
    request_id: RequestOption = None,
    chain: ChainOption = "main",
) -> None:
    """Keep events of a chain from being erased: all of it, what comes later too, or those from a seq to another."""
    order = {"from_seq": from_seq, "to_seq": to_seq, "until": until}
    _order(context, f"{chain_path(chain)}/holds", reason, request_id, order)


def holds(context: typer.Context, chain: ChainOption = "main") -> None:
    """List the holds of a chain, the newest first, whether they are in force or not."""
    session = session_of(context)
    with session.log() as log:
        answer = log.transport.get(f"{chain_path(chain)}/holds", {}).object()
    if session.output.json:
        session.output.document(answer)
    else:
        session.output.table(COLUMNS, answer.get("holds", []))


def release(
    context: typer.Context,
    hold_id: Annotated[str, typer.Argument(help="As holds shows it.", callback=utf8)],
    *,
    reason: ReasonOption,
    request_id: RequestOption = None,
    chain: ChainOption = "main",
) -> None:
    """Release a hold: what it kept may be erased again."""
    _order(context, f"{chain_path(chain)}/holds/{quote(hold_id, safe='')}/release", reason, request_id, {})


def _order(context: typer.Context, path: str, reason: str, request_id: str | None, more: dict[str, Any]) -> None:
    """Ask for an order that holds or releases, and show the hold as it is then."""
    # With an id of its own, a request that is sent again after a lost answer is the same one.
    order = {"reason": reason, "request_id": request_id or str(uuid4())}
    order |= {name: value for name, value in more.items() if value is not None}
    session = session_of(context)
    with session.log() as log:
        answer = log.transport.post(path, json_text(order)).object()
    if session.output.json:
        session.output.document(answer)
    else:
        session.output.table(COLUMNS, [answer])
