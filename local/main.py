"""The command of the development server: settings, checks before the start, exit code."""

import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator

from pydantic import Field, ValidationError

from admin.command import CommandError, CommandSettings, explain
from local.machine import HOST, LocalError, bind, is_loopback


class LocalSettings(CommandSettings):
    """What the development server itself reads, from the environment or `.env`."""

    host: str = HOST
    port: int = Field(default=8000, ge=1, le=65535)
    header_seconds: float = Field(default=10.0, gt=0, validation_alias="EVENTLOG_HEADER_SECONDS")
    body_seconds: float = Field(default=60.0, gt=0, validation_alias="EVENTLOG_BODY_SECONDS")
    send_seconds: float = Field(default=60.0, gt=0, validation_alias="EVENTLOG_SEND_SECONDS")
    connections: int = Field(default=1500, ge=1, validation_alias="EVENTLOG_CONNECTIONS")


def main() -> int:
    """Return the exit code: 0 after Ctrl-C or SIGTERM, 1 when something is in the way, 2 for a bad setting."""
    signal.signal(signal.SIGTERM, interrupt)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")  # CloudWatch's records say nothing to a reader here
    try:
        run(LocalSettings())
    except KeyboardInterrupt:
        say("Stopped.")
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    return 0


def run(local: LocalSettings) -> None:
    """Serve until a signal raises KeyboardInterrupt.

    Raises:
        CommandError: the port, the settings or the database can't be used.
    """
    with reserve(local.port, local.host) as bound:
        if not local.tokens and not is_loopback(bound):
            raise LocalError(
                f"Others can reach {local.host}, so EVENTLOG_TOKENS must name a file of tokens (make token makes one); "
                "or leave HOST out."
            )
        say("Starting ...")
        import eventlog.start  # noqa: F401, PLC0415 - first: it puts off garbage collection while the rest is imported
        from local.limits import Limits  # noqa: PLC0415 - slow to import, as is the server; errors above come first
        from local.server import serve  # noqa: PLC0415

        limits = Limits(**local.model_dump(include=set(Limits.model_fields)))
        serve(bound, local.mongo_uri, local.tokens, say, limits)


@contextlib.contextmanager
def reserve(port: int, host: str = HOST) -> Iterator[socket.socket]:
    """Bind the port and keep it while the context lasts.

    Raises:
        LocalError: it is taken, or the host is not an address of this machine.
    """
    # Three reasons with three remedies: another HOST, another user's right, another port.
    try:
        bound = bind(port, host)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            raise LocalError(f"HOST is {host}, which is no address of this machine.") from error
        why = "is busy" if not isinstance(error, PermissionError) else "may not be used by this user"
        raise LocalError(f"Port {port} {why}: stop what uses it, or choose another with PORT=8001.") from error
    with bound:
        yield bound


def interrupt(*_: object) -> None:
    """Handle SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt


def say(text: str) -> None:
    """Print a line at once, so that it can be read through a pipe."""
    print(text, flush=True)
