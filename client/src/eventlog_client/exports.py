"""Fetches evidence bundles part after part, and reads them as files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from eventlog.formats import bundle
from eventlog.formats.bundle_part import PartReport
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import parse_json
from eventlog_client.errors import UnexpectedAnswerError, UnreachableError
from eventlog_client.transport import Transport


def export(
    transport: Transport, destination: IO[bytes], selection: dict[str, Any], advance: Callable[[int], None]
) -> int:
    """Write a selection's bundle, one part after another; return the number of parts. ``advance`` counts events.

    Raises:
        UnreachableError: a part broke off; what was written of it does not verify.
    """
    # A part ends where the log's limits end it, and says where the next one begins. That must be further on each time,
    # or a log could keep the client busy forever.
    parts, reached, parameters = 0, -1, dict(selection)
    while True:
        end = _part(transport, destination, parameters, advance)
        parts += 1
        if end.next_seq is None:
            return parts
        if end.next_seq <= reached:
            raise UnexpectedAnswerError("the export does not go on where it says")
        reached = parameters["from_seq"] = end.next_seq


def file_lines(path: Path) -> Iterator[bytes]:
    """Yield a file's lines; a line longer than a bundle may have comes as two, neither of which verifies.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        while line := file.readline(bundle.MAX_LINE + 1):
            yield line


def complete_ranges(parts: tuple[PartReport, ...]) -> list[tuple[str, int, int]]:
    """Return each chain and range [start, end) of which no event is missing.

    Ranges of consecutive parts under one origin line are joined: only those are known to be linked.
    """
    # A part is joined to the one right before it if it starts where that one ended; any other starts a range of its
    # own.
    ranges: list[tuple[str, int, int]] = []
    before: PartReport | None = None
    for part in parts:
        if part.complete is not None:
            start, end = part.complete
            if before is not None and before.checkpoint.origin == part.checkpoint.origin:
                linked = before.complete is not None and before.complete[1] == start
                start = ranges.pop()[1] if linked else start
            ranges.append((part.chain, start, end))
        before = part
    return ranges


def _part(
    transport: Transport, destination: IO[bytes], parameters: dict[str, Any], advance: Callable[[int], None]
) -> bundle.End:
    # A streamed HTTP answer may be cut off without an error. The bundle shows it: its end line is missing.
    last = b""
    with transport.lines("/export", parameters) as lines:
        for line in lines:
            destination.write(line)
            last = line
            advance(line.startswith((b'{"event"', b'{"erased"')))
    if not last.startswith(b'{"end"'):
        raise UnreachableError("the export broke off before its end")
    try:
        return bundle.parse_end(parse_json(last))
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the export's last line is {error}") from error
