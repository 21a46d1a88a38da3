"""``eventlog prove-head`` and ``eventlog verify-head``."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from eventlog.formats.head_proof import ProvenHead
from eventlog.formats.note import format_vkey
from eventlog.formats.times import format_time
from eventlog_client.destination import destination, is_stdout
from eventlog_client.given_files import parse_file
from eventlog_client.heads import check_head, proven_fields, shown
from eventlog_client.output import Output
from eventlog_client.session import ChainOption, Key, need_keys, session_of


def prove_head(
    context: typer.Context,
    *,
    chain: ChainOption = "main",
    key: Key = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Where to write the proof, as JSON.")] = None,
) -> None:
    """Prove that a chain's head is the one that the log shows everybody.

    The log's registry commits to the heads of all chains at once; the proof leads from the chain's newest checkpoint
    there. That the head extends earlier ones it does not show: verify-log does.
    """
    session = session_of(context)
    keys = need_keys(key)
    with session.log([format_vkey(each) for each in keys]) as log:
        value, proven = log.head(chain)
    if out is not None:
        with destination(out) as written:
            written.write(orjson.dumps(shown(value), option=orjson.OPT_APPEND_NEWLINE))
        if is_stdout(out):
            return
    _say(session.output, proven)


def verify_head(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="A head's proof, as JSON.")],
    key: Key = [],  # noqa: B006
) -> None:
    """Verify a head's proof without the log."""
    keys = need_keys(key)
    _say(session_of(context).output, check_head(parse_file(str(file), file.read_bytes()), keys))


def _say(output: Output, proven: ProvenHead) -> None:
    head, made = proven.anchor.checkpoint, proven.commitment
    output.say(
        f"Verified: size {head.size} of {head.origin} is one of the {made.count} heads that {proven.registry.origin} "
        f"committed to at {format_time(made.time)}.",
        proven_fields(proven),
    )
