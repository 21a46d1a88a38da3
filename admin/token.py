"""`python -m admin.token NAME --scope SCOPE... [--chain CHAIN...]`: add a bearer token to the file EVENTLOG_TOKENS.

The token is printed once and kept nowhere; the file has its hash.
"""

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

from pydantic import ValidationError

from admin.command import CommandError, CommandSettings
from eventlog.console import run as run_command
from eventlog.console import utf8
from eventlog.files import make_directory, write_file
from eventlog.http.access import SCOPES
from eventlog.http.tokens import TokenFile, explain, read_tokens
from eventlog.settings import ConfigurationError


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments; end the process with code 2 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m admin.token", description="Add a bearer token and print it once.")
    parser.add_argument("name", type=utf8, help="whose it is: the principal of the events")
    parser.add_argument("--scope", action="append", required=True, choices=SCOPES, help="what it allows; repeatable")
    parser.add_argument("--chain", action="append", help="on which chains, a name or prefix*; repeatable; default: all")
    return parser.parse_args(arguments)


def add_token(path: Path, name: str, scopes: list[str], chains: list[str] | None) -> str:
    """Add an entry to the file, which need not exist yet; return the token.

    Raises:
        CommandError: nothing was added; the text says why.
    """
    # 256 random bits can't be guessed, so a plain hash is enough. The whole file is validated before it is replaced: a
    # bad entry must not keep every later server from starting.
    token = f"eventlog_{token_urlsafe(32)}"
    added = {"sha256": sha256(token.encode()).hexdigest(), "principal": name, "scopes": scopes, "chains": chains}
    try:
        held = [entry.model_dump() for entry in read_tokens(path).entries] if path.exists() else []
        text = TokenFile.model_validate({"tokens": [*held, added]}).model_dump_json(indent=2, exclude_none=True)
        make_directory(path.parent)
        write_file(path, f"{text}\n".encode(), 0o600)
    except ConfigurationError as error:
        raise CommandError(f"Nothing was added: {error}.") from error
    except ValidationError as error:
        raise CommandError(f"Nothing was added: {explain(error)}.") from error
    except OSError as error:
        raise CommandError(f"Nothing was added: {path} can't be written: {error.strerror}.") from error
    return token


def run(given: argparse.Namespace) -> None:
    """Add the token that was asked for, and print it.

    Raises:
        CommandError: nothing was added.
    """
    path = CommandSettings().tokens
    if not path:
        raise CommandError(
            "EVENTLOG_TOKENS (environment or .env) must name the file of tokens, which need not exist yet."
        )
    print(add_token(Path(path), given.name, given.scope, given.chain))
    print(f"Keep it: {path} has only its hash. A server takes it from its next start on.", file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 added, 1 nothing was added, 2 wrong usage."""
    try:
        run(parse(arguments))
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
