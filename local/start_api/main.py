"""The command: options, checks before the start, exit code."""

import argparse
import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from admin.command import CommandError
from local.machine import HOST, LocalError
from local.main import interrupt, reserve, say

FOLDER = Path(".aws-sam") / "start-api"
ADMINISTRATOR = "START_API_MONGO_PASSWORD"

BANNER = """\
Event Logging System, the built template under AWS's Lambda runtime (Ctrl-C stops it)
  API      {url}
  Logs     {logs}
  AWS      {aws} (moto), {kms} (KMS)
  MongoDB  {mongo}, with access control
{tokens}
  curl -X POST {url}/api/v1/events -H "Authorization: Bearer $WRITER" -H 'Content-Type: application/json' \\
    -d '{{"event_type": "user.login", "timestamp": "2026-11-23T12:34:56Z", "source_id": "web-1", "payload": {{}}}}'
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options; end the process with code 2 if they are wrong."""
    # ``make start-api`` passes the port itself and everything else in OPTIONS.
    parser = argparse.ArgumentParser(prog="make start-api", description="Serve the built template on localhost.")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="what the run makes; emptied at the start")
    parser.add_argument("--built", type=Path, help="template of an earlier `sam build`, instead of a new one")
    parser.add_argument("--tokens", type=Path, help="who may call, a file like EVENTLOG_TOKENS; default: new tokens")
    parser.add_argument("--pool", type=int, default=4, help="how often each function runs at once")
    parser.add_argument("--queue", type=int, default=100, help="how many more requests wait; others get 429")
    parser.add_argument("--no-schedules", dest="schedules", action="store_false", help="no audits by themselves")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the template, as AsyncByDefault=true"
    )
    parser.add_argument(
        "--timeout", action="append", default=[], metavar="FUNCTION=SECONDS", help="another limit than the template's"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 after Ctrl-C or SIGTERM, 1 when something is in the way, 2 for wrong usage."""
    given = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job would ignore the first
        signal.signal(number, interrupt)
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    try:
        run(given)
    except KeyboardInterrupt:
        say("Stopped.")
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(given: argparse.Namespace) -> None:
    """Serve until a signal raises KeyboardInterrupt.

    Raises:
        LocalError: something on this machine prevents it.
    """
    with reserve(given.port) as bound:
        say("Starting ...")
        from local.start_api import stack, tokens  # noqa: PLC0415  slow to import; errors above come first

        with locked(given.folder.absolute()) as folder:
            issued = {} if given.tokens else tokens.issue(folder / "tokens.json")
            options = stack.Options(
                folder=folder,
                built=given.built,
                tokens=given.tokens,
                pool=given.pool,
                queue=given.queue,
                schedules=given.schedules,
                timeouts=timeouts(given.timeout),
                parameters=pairs(given.parameter, "--parameter wants NAME=VALUE, such as AsyncByDefault=true."),
                administrator=os.environ.get(ADMINISTRATOR),
            )
            with stack.serve(bound, options) as running:
                shown = "".join(f"  {name.upper()}={token}\n" for name, token in issued.items())
                say(
                    BANNER.format(
                        url=f"http://{HOST}:{bound.getsockname()[1]}",
                        logs=folder / "logs",
                        aws=running.aws_url,
                        kms=running.kms_url,
                        mongo=running.mongo,
                        tokens=shown,
                    )
                )
                try:
                    signal.pause()
                finally:
                    for number in (signal.SIGINT, signal.SIGTERM):
                        signal.signal(
                            number, signal.SIG_IGN
                        )  # shutting down takes a moment and must not be interrupted


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Lock and empty the folder of a run.

    Raises:
        LocalError: another run uses it, or it holds what no run has left (a run leaves its lock beside it).
    """
    from local.start_api.stack import empty  # noqa: PLC0415  as above

    beside = folder.with_name(f"{folder.name}.lock")
    if folder.exists() and not beside.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LocalError(f"{folder} is not empty and not of an earlier run: remove it, or choose another --folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(f"Another `make start-api` uses {folder}: stop that one, or choose --folder.") from None
        empty(folder)
        yield folder


def timeouts(given: Sequence[str]) -> dict[str, int]:
    """Read options of the form FUNCTION=SECONDS.

    Raises:
        LocalError: an option has another form.
    """
    usage = "--timeout wants FUNCTION=SECONDS, such as IngestFunction=2."
    try:
        return {name: int(seconds) for name, seconds in pairs(given, usage).items()}
    except ValueError as error:
        raise LocalError(usage) from error


def pairs(given: Sequence[str], usage: str) -> dict[str, str]:
    """Read options of the form NAME=VALUE.

    Raises:
        LocalError: an option has another form; the text is ``usage``.
    """
    if not all("=" in text for text in given):
        raise LocalError(usage)
    return {name: value for name, _, value in (text.partition("=") for text in given)}
