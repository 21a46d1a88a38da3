"""``eventlog policy``: what a witness policy asks for, and what it withstands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from eventlog.formats.policy import Policy
from eventlog.formats.quorum import Strength, scattered, strength, unused
from eventlog_client.session import read_policy, session_of

app = typer.Typer(rich_markup_mode=None, help="Check a witness policy (C2SP tlog-policy).")


@app.callback()
def _group() -> None:
    """Check a witness policy (C2SP tlog-policy)."""


@app.command()
def check(context: typer.Context, file: Annotated[Path, typer.Argument(help="The policy file.")]) -> None:
    """Say what a policy asks for and what it withstands; exit code 2 if it breaks a rule of the format."""
    policy, output = read_policy(file), session_of(context).output
    found = strength(policy)
    if output.json:
        output.document(_fields(policy, found))
        return
    for sentence in _sentences(policy, found):
        output.say(sentence)


def _fields(policy: Policy, found: Strength | None) -> dict[str, object]:
    return {
        "logs": [log.key.name for log in policy.logs],
        "witnesses": [each.name for each in policy.witnesses],
        "quorum": policy.quorum,
        "withstands": None if found is None else {"malicious": found.malicious, "unreachable": found.unreachable},
        "unused": unused(policy),
        "scattered": scattered(policy),
    }


def _sentences(policy: Policy, found: Strength | None) -> Iterator[str]:
    # What is asked for, then what that withstands, then what is probably not meant.
    logs = str(len(policy.logs)) if policy.logs else "none (give --key)"
    yield f"Logs: {logs}. Witnesses: {len(policy.witnesses)}. Groups: {len(policy.groups)}."
    if found is None:
        yield "It asks for no witness: whoever holds the log's key can show everybody another history."
        return
    group = {each.name: each for each in policy.groups}.get(policy.quorum or "")
    yield f"Quorum {policy.quorum}: {_wording(group.needed, group.members) if group else 'this witness'}."
    if found.malicious is None:
        yield (
            "Malicious witnesses it withstands: none, and not even honest ones suffice: two histories can have a "
            "quorum each, as different witnesses cosign them. Ask for more than half of each group."
        )
    else:
        yield f"Malicious witnesses it withstands: {found.malicious}."
    yield f"Unreachable witnesses it withstands: {found.unreachable}."
    if unused(policy):
        yield f"Counts for nothing, as the quorum does not lead there: {', '.join(unused(policy))}."
    if scattered(policy):
        yield f"Several keys have one name and are counted as several witnesses: {', '.join(scattered(policy))}."


def _wording(needed: int, members: tuple[str, ...]) -> str:
    return f"{needed} of {len(members)} ({', '.join(members)})"
