"""The command's global options: which log to talk to, and how to print."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from eventlog import console
from eventlog.formats.errors import EvidenceError
from eventlog.formats.governance_note import parse_governance_vkey
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.policy import Policy, parse_policy
from eventlog_client.client import EventLog
from eventlog_client.keys import pinned
from eventlog_client.output import Output
from eventlog_client.witnesses import Witnesses

DEFAULT_URL = "http://127.0.0.1:8000"
NOT_DONE, MISUSED, MISBEHAVED = 1, 2, 3
"""Exit codes: it could not be done; wrong usage; evidence does not verify or the log misbehaved."""


def utf8(given: str | list[str] | None) -> str | list[str] | None:
    """Read an option's text, or texts, as UTF-8.

    Raises:
        typer.BadParameter: it is not.
    """
    try:
        if isinstance(given, str):
            return console.utf8(given)
        return None if given is None else [console.utf8(text) for text in given]
    except UnicodeError as error:
        raise typer.BadParameter("must be UTF-8") from error


Key = Annotated[
    list[str], typer.Option("--key", metavar="VKEY", help="Pinned verifier key; repeatable.", callback=utf8)
]
GovernanceKey = Annotated[
    list[str],
    typer.Option("--governance-key", metavar="VKEY", help="Key that may order erasures; repeatable.", callback=utf8),
]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="C2SP policy: witnesses that must have cosigned.")
]
MaxWitnessAge = Annotated[
    float | None,
    typer.Option("--max-witness-age", min=0, metavar="SECONDS", help="Cosignatures that are older don't count."),
]
ChainOption = Annotated[str, typer.Option("--chain", help="Which chain.", callback=utf8)]


def chain_path(chain: str) -> str:
    """Return where a chain's own routes are."""
    return f"/chains/{quote(chain, safe='')}"


@dataclass(frozen=True, slots=True)
class Session:
    """The global options; ``url`` is None if none was given."""

    url: str | None
    token: str | None
    output: Output

    def log(self, keys: Iterable[str] = (), url: str | None = None, *, verify: bool = True) -> EventLog:
        """Open a client of the log."""
        texts = [text for text in keys if verifier_keys([text])]
        return EventLog(url or self.url or DEFAULT_URL, key=texts, token=self.token, verify=verify)


def session_of(context: typer.Context) -> Session:
    """Return the session of a command, which the callback of the global options has made."""
    found = context.obj
    if not isinstance(found, Session):
        raise TypeError("the command was called without its callback")
    return found


def verifier_keys(texts: Iterable[str]) -> tuple[VerifierKey, ...]:
    """Read pinned keys from the command line.

    Raises:
        typer.BadParameter: what was given can't be used; the text says what is wrong with it.
    """
    try:
        return pinned(texts)
    except EvidenceError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from error


def governance_keys(texts: Iterable[str]) -> tuple[VerifierKey, ...] | None:
    """Read the keys that may order erasures from the command line; None: none was given, so that is not checked.

    Raises:
        typer.BadParameter: what was given is no such key; the text says what is wrong with it.
    """
    try:
        return tuple(map(parse_governance_vkey, texts)) or None
    except EvidenceError as error:
        raise typer.BadParameter(str(error), param_hint="--governance-key") from error


def need_keys(texts: list[str]) -> tuple[VerifierKey, ...]:
    """Read pinned keys from the command line, at least one.

    Raises:
        typer.BadParameter: what was given can't be used; the text says what is wrong with it.
    """
    if not texts:
        raise typer.BadParameter("a pinned verifier key is needed", param_hint="--key")
    return verifier_keys(texts)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a command relies on: keys of logs, and witnesses if there is a policy."""

    keys: tuple[VerifierKey, ...]
    witnesses: Witnesses | None

    @property
    def vkeys(self) -> list[str]:
        """The keys as they are written."""
        return [format_vkey(key) for key in self.keys]


def trust(texts: list[str], policy: Path | None, max_age: float | None) -> Trust:
    """Read what to rely on from the command line: pinned keys, or a policy with logs in it, or both.

    Raises:
        typer.BadParameter: there is no key, or what was given can't be used; the text says what is wrong with it.
        OSError: the policy can't be read.
    """
    # A policy's logs are keys too. If keys are given as well, they choose among these: neither adds to the other.
    if policy is None:
        if max_age is not None:
            raise typer.BadParameter("an age is of witnesses, which take --policy", param_hint="--max-witness-age")
        return Trust(need_keys(texts), None)
    found = read_policy(policy)
    logs = tuple(log.key for log in found.logs)
    keys = verifier_keys(texts) if texts or not logs else logs
    if logs and not set(keys) <= set(logs):
        raise typer.BadParameter("the policy names other logs than this key's", param_hint="--key")
    if not keys:
        raise typer.BadParameter("a pinned verifier key is needed: the policy names no log", param_hint="--key")
    return Trust(keys, Witnesses(found, max_age))


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        typer.BadParameter: it breaks a rule of the format.
        OSError: it can't be read.
    """
    try:
        return parse_policy(path.read_bytes())
    except EvidenceError as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--policy") from error


def existing(path: Path) -> Path:
    """Return the path if there is a file.

    Raises:
        OSError: there is none, or it may not be looked at.
    """
    path.stat()
    return path
