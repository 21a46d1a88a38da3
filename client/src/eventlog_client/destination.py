"""Where a command's result goes: a file, as ``eventlog.files`` writes it, or standard output by any of its names."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eventlog import console
from eventlog.files import written
from eventlog_client.errors import ClientError


class NotReadError(ClientError):
    """Whoever read what is written has left before its end."""


def is_stdout(path: Path) -> bool:
    """Return whether a path is standard output: ``-``, /dev/stdout, or the very file or device that it goes to."""
    # Then nothing else may be printed, or it would stand in the middle of what is written.
    if str(path) == "-":
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # no such path yet, or a standard output that is no file
        return False


@contextmanager
def destination(path: Path) -> Iterator[IO[bytes]]:
    """Yield what is written to a path; ``-`` is standard output.

    Raises:
        OSError: it can't be written.
        NotReadError: it is a pipe, and its reader has left.
    """
    try:
        if not is_stdout(path):
            with written(path) as file:
                yield file
            return
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        if is_stdout(path):
            console.leave(sys.stdout)
        raise NotReadError(f"the reader of {path} left before the end") from error
