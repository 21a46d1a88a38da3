"""Standard output and error for any text, whatever the locale, and for readers that leave early."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, ParamSpec, TextIO

P = ParamSpec("P")
_ESCAPES = "eventlog-escapes"


def prepare() -> None:
    r"""Make standard output and error take any text.

    A character that the encoding of the locale has not is written as JSON escapes it: ``\u00fc``, ``\ud83d\ude00``.
    A stream that whoever started this process has closed takes everything, and shows nothing.
    """
    codecs.register_error(_ESCAPES, _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPES)


def run(main: Callable[P, int], *arguments: P.args, **named: P.kwargs) -> int:
    """Run a command that prints; return its exit code, 1 if it could not finish as nobody reads its output any more."""
    # What is still in the buffer is written here: at the interpreter's own end an error would replace the exit code.
    # By then the command has done its work, whoever reads of it.
    prepare()
    try:
        code = main(*arguments, **named)
    except BrokenPipeError:
        code = 1
    for stream in (sys.stdout, sys.stderr):
        write(stream, "")
    return code


def write(stream: TextIO, text: str) -> bool:
    """Write a text at once; return False, from then on for good, if its reader has left."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        leave(stream)
        return False
    return True


def leave(stream: TextIO) -> None:
    """Let what is still written to a stream whose reader has left go nowhere, also what is in its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


def ascii_json(text: str) -> str:
    """Return a JSON text with escapes for all but ASCII, which is the same text in JSON."""
    codecs.register_error(_ESCAPES, _escaped)
    return text.encode("ascii", _ESCAPES).decode()


def takes_utf8(stream: TextIO) -> bool:
    """Return whether what a stream writes is UTF-8, as JSON must be (RFC 8259, section 8.1)."""
    return not isinstance(stream, io.TextIOWrapper) or codecs.lookup(stream.encoding).name == "utf-8"


def utf8(argument: str) -> str:
    """Return a text of the command line as UTF-8, which it is also where the locale knows ASCII alone.

    Raises:
        UnicodeError: it is not.
    """
    # Bytes that the locale has no characters for come as lone surrogates (PEP 383), which no log takes.
    return argument.encode("utf-8", "surrogateescape").decode()


def stdin() -> IO[bytes]:
    """Return standard input's bytes.

    Raises:
        OSError: it is closed.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "is closed", "standard input")
    return sys.stdin.buffer


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)), error.end
