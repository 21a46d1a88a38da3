"""The command of the development server: its settings, what stands in its way, its exit code."""

import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from local.machine import HOST, LocalError, bind, is_loopback


class LocalSettings(BaseSettings):
    """What the development server itself reads, from the environment or `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    host: str = HOST
    port: int = Field(default=8000, ge=1, le=65535)
    mongo_uri: str | None = None
    tokens: str | None = Field(default=None, validation_alias="EVENTLOG_TOKENS")


def main() -> int:
    """Returns the exit code: 0 after Ctrl-C or SIGTERM, 1 when something is in the way, 2 for a bad setting."""
    signal.signal(signal.SIGTERM, interrupt)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")  # CloudWatch's records say nothing to a reader here
    try:
        run(LocalSettings())
    except KeyboardInterrupt:
        say("Stopped.")
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    return 0


def run(local: LocalSettings) -> None:
    """Serves until a signal raises KeyboardInterrupt."""
    with reserve(local.port, local.host) as bound:
        if not local.tokens and not is_loopback(bound):
            raise LocalError(
                f"Others can reach {local.host}, so EVENTLOG_TOKENS must name a file of tokens (make token makes one); "
                "or leave HOST out."
            )
        say("Starting ...")
        from local.server import serve  # noqa: PLC0415 - takes a second; what stands in the way is told before

        serve(bound, local.mongo_uri, local.tokens, say)


@contextlib.contextmanager
def reserve(port: int, host: str = HOST) -> Iterator[socket.socket]:
    """The port, ours from now on."""
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
    """SIGTERM does what Ctrl-C does."""
    raise KeyboardInterrupt


def explain(error: ValidationError) -> str:
    """The first bad setting in one sentence, without its value, which may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])).upper()} (environment or .env): {first['msg']}."


def say(text: str) -> None:
    print(text, flush=True)
