"""``eventlog prove-head`` and ``eventlog verify-head``."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from eventlog.formats.head_proof import ProvenHead, parse_head_proof
from eventlog.formats.times import format_time
from eventlog_client.destination import destination, is_stdout
from eventlog_client.given_files import parse_file
from eventlog_client.heads import check_head, proven_fields, shown
from eventlog_client.output import Output
from eventlog_client.session import ChainOption, Key, MaxWitnessAge, PolicyOption, Trust, session_of, trust
from eventlog_client.witnesses import Witnessed


def prove_head(
    context: typer.Context,
    *,
    chain: ChainOption = "main",
    key: Key = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Where to write the proof, as JSON.")] = None,
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
) -> None:
    """Prove that a chain's head is the one that the log shows everybody.

    The log's registry commits to the heads of all chains at once; the proof leads from the chain's newest checkpoint
    there. With --policy the registry's checkpoint must be cosigned. That the head extends earlier ones it does not
    show: verify-log does.
    """
    session = session_of(context)
    trusted = trust(key, policy, max_witness_age)
    with session.log(trusted.vkeys) as log:
        value, proven = log.head(chain)
    witnessed = _witnessed(trusted, value)
    if out is not None:
        with destination(out) as written:
            written.write(orjson.dumps(shown(value), option=orjson.OPT_APPEND_NEWLINE))
        if is_stdout(out):
            return
    _say(session.output, proven, witnessed)


def verify_head(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="A head's proof, as JSON.")],
    key: Key = [],  # noqa: B006
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
) -> None:
    """Verify a head's proof without the log; with --policy the registry's checkpoint must be cosigned as well."""
    trusted = trust(key, policy, max_witness_age)
    value = parse_file(str(file), file.read_bytes())
    proven = check_head(value, trusted.keys)
    _say(session_of(context).output, proven, _witnessed(trusted, value))


def _witnessed(trusted: Trust, value: Any) -> Witnessed | None:
    """Check the cosignatures of the registry's checkpoint, which cover the heads of all chains; None: no policy."""
    note = parse_head_proof(value).registry_checkpoint
    return None if trusted.witnesses is None else trusted.witnesses.check(note)


def _say(output: Output, proven: ProvenHead, witnessed: Witnessed | None) -> None:
    head, made = proven.anchor.checkpoint, proven.commitment
    output.say(
        f"Verified: size {head.size} of {head.origin} is one of the {made.count} heads that {proven.registry.origin} "
        f"committed to at {format_time(made.time)}.",
        proven_fields(proven) | ({} if witnessed is None else {"witnessed": witnessed.fields()}),
    )
    if witnessed is not None:
        output.say(witnessed.sentence())
