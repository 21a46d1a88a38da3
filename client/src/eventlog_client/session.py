"""The command's global options: which log to talk to, and how to print."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from eventlog import console
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey
from eventlog_client.client import EventLog
from eventlog_client.keys import pinned
from eventlog_client.output import Output

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
ChainOption = Annotated[str, typer.Option("--chain", help="Which chain.", callback=utf8)]


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


def need_keys(texts: list[str]) -> tuple[VerifierKey, ...]:
    """Read pinned keys from the command line, at least one.

    Raises:
        typer.BadParameter: what was given can't be used; the text says what is wrong with it.
    """
    if not texts:
        raise typer.BadParameter("a pinned verifier key is needed", param_hint="--key")
    return verifier_keys(texts)


def existing(path: Path) -> Path:
    """Return the path if there is a file.

    Raises:
        OSError: there is none, or it may not be looked at.
    """
    path.stat()
    return path
