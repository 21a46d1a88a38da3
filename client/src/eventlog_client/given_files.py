"""Files of evidence as they come: changed on their way by an editor or a transfer, which is no misconduct of a log.

What the log and this client write has one form, byte for byte: UTF-8, line feeds, a newline at the end. A file that has
another can't be checked, and says nothing about whoever wrote it first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from eventlog.formats import bundle
from eventlog.formats.bundle_check import BundleReport, verify_bundle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey
from eventlog_client.errors import FileChangedError
from eventlog_client.exports import file_lines

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ENCODING = "it was saved as UTF-16 or UTF-32: save it as UTF-8"
_MARK = "a byte order mark was put before it: save it without one"
_ENDINGS = "its line endings were changed: change them back to line feeds (dos2unix)"
_NEWLINE = "its last newline is missing: it was cut off, or an editor left that out"
_BLANKS = "blanks or empty lines were added, or it is cut off"
_CUT_OFF = "it is cut off"


def text_damage(data: bytes) -> str | None:
    """Say what was done to a note, a proof file or a bundle's line, none of which looks like this when written."""
    if data.startswith(_UTF_16) or b"\0" in data:
        return _ENCODING
    if data.startswith(_BOM):
        return _MARK
    if b"\r" in data:
        return _ENDINGS
    if not data.endswith(b"\n"):
        return _NEWLINE
    lines = data[:-1].split(b"\n")
    return _BLANKS if not (lines[0] and lines[-1]) or any(line != line.strip(b" \t") for line in lines) else None


def parse_file(where: str, data: bytes) -> Any:
    """Parse a file, or a line of one, that is one JSON text; any line endings around its values are JSON too.

    Raises:
        FileChangedError: it is not JSON; the text says what was done to it, if that shows.
    """
    try:
        return parse_json(data)
    except EvidenceError as error:
        raise FileChangedError(f"{where}: {_json_damage(data) or error}") from error


def parse_text(where: str, data: bytes, parse: Callable[[bytes], T]) -> T:
    """Parse a note or a proof file; nothing in it is verified yet.

    Raises:
        FileChangedError: it can't be parsed, or shows that it was changed on its way.
    """
    # The second also where it can be parsed: a byte order mark would pass for a part of the origin line, and make the
    # checkpoint one of another log, that contradicts nothing.
    why = text_damage(data)
    if why is not None:
        raise FileChangedError(f"{where}: {why}")
    try:
        return parse(data)
    except EvidenceError as error:
        raise FileChangedError(f"{where}: {error}") from error


def verify_bundle_file(
    path: Path,
    keys: Sequence[VerifierKey],
    advance: Callable[[int], None],
    governance: Sequence[VerifierKey] | None = None,
) -> BundleReport:
    """Verify a bundle; ``advance`` gets the length of each line. ``governance``: as ``verify_bundle`` takes it.

    Raises:
        EvidenceError: a line does not verify, and it is a whole line as bundles have them.
        FileChangedError: it was changed on its way, or is no bundle.
        OSError: the file can't be read.
    """
    # Only the line that does not verify is looked at. All before it did, byte for byte, so nothing was done to them;
    # and damage after it takes nothing from what it shows.
    lines = _Lines(path, advance)
    try:
        return verify_bundle(lines, keys, governance=governance)
    except EvidenceError as error:
        why = lines.damage()
        if why is None:
            raise
        raise FileChangedError(f"{path}: {why}") from error


@dataclass(slots=True)
class _Lines:
    """A file's lines, of which the last one that was read is remembered."""

    path: Path
    advance: Callable[[int], None]
    line: bytes = b""
    number: int = 0
    ended: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for line in file_lines(self.path):
            self.line, self.number = line, self.number + 1
            self.advance(len(line))
            yield line
        self.ended = True

    def damage(self) -> str | None:
        """Say what was done to the file, to judge by the line at which the verification stopped."""
        if self.ended:
            return f"{_CUT_OFF} after line {self.number}: its end line is missing"
        if len(self.line) > bundle.MAX_LINE:
            return None
        why = text_damage(self.line)
        if why == _NEWLINE and not self.line.endswith(b"}"):
            return f"{_CUT_OFF} in line {self.number}"
        if why is None and self.number == 1 and not self.line.startswith(b"{"):
            return "it is no bundle"
        return why


def _json_damage(data: bytes) -> str | None:
    if data.startswith(_UTF_16) or b"\0" in data:
        return _ENCODING
    if data.startswith(_BOM):
        return _MARK
    text = data.strip()
    closing = {b"{": b"}", b"[": b"]"}.get(text[:1])
    if not text or (closing is not None and not text.endswith(closing)):
        return _CUT_OFF
    return None
