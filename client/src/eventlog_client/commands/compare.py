"""``eventlog compare``: do pieces of evidence contradict each other?"""

from pathlib import Path
from typing import Annotated

import typer

from eventlog_client.compare import Comparison
from eventlog_client.compare import compare as compare_claims
from eventlog_client.documents import read_claims
from eventlog_client.errors import ClientError
from eventlog_client.output import Output
from eventlog_client.session import MISBEHAVED, Key, session_of, verifier_keys


class NothingToCompareError(ClientError):
    """No file has anything that could contradict."""


def compare(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Receipts, events, proofs, checkpoints: one or many a file.")],
    key: Key = [],  # noqa: B006
) -> int:
    """Say whether evidence contradicts itself.

    From whomever: so a log that tells two people two things is found out. Checkpoints of
    different sizes are compared through the log itself if --url (before the command) names it.
    """
    session = session_of(context)
    keys = verifier_keys(key)
    claims = [claim for path in files for claim in read_claims(path, keys)]
    if not claims:
        raise NothingToCompareError("these files have no receipt, event, proof or checkpoint in them")
    if session.url is None:
        found = compare_claims(claims, None)
    else:
        with session.log(key) as log:
            found = compare_claims(claims, lambda chain, first, second: log.consistency(first, second, chain))
    _report(session.output, found, len(claims))
    return MISBEHAVED if found.contradictions else 0


def _report(output: Output, found: Comparison, claims: int) -> None:
    if output.json:
        output.document({"claims": claims, "contradictions": found.contradictions, "open": found.open})
        return
    for sentence in found.contradictions:
        output.say(f"CONTRADICTION: {sentence}")
    for sentence in found.open:
        output.say(f"Open: {sentence}")
    if not found.contradictions:
        output.say(f"No contradiction between {claims} claims.")
