"""Evidence bundles: fetched part after part, and verified as files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from eventlog.formats import bundle
from eventlog.formats.bundle_check import PartReport
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import parse_json
from eventlog_client.errors import UnexpectedAnswerError, UnreachableError
from eventlog_client.transport import Transport


def export(
    transport: Transport, destination: IO[bytes], selection: dict[str, Any], advance: Callable[[int], None]
) -> int:
    """Write a selection's bundle, going on where a part stopped; how many parts there are. ``advance`` counts events.

    Raises:
        UnreachableError: a part broke off; what was written of it is no bundle.
    """
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
    """A file's lines; one that is longer than a bundle's may be comes as two. Raises: OSError."""
    with path.open("rb") as file:
        while line := file.readline(bundle.MAX_LINE + 1):
            yield line


def complete_ranges(parts: tuple[PartReport, ...]) -> list[tuple[str, int, int]]:
    """Chains and ranges [start, end) of which no event is missing.

    Those of parts that follow each other in the file under one origin line are one: only they are known to be linked.
    """
    ranges: list[tuple[str, int, int]] = []
    before: PartReport | None = None
    for part in parts:
        if part.complete is not None:
            start, end = part.complete
            end_before = before.complete[1] if before and before.complete else None
            if before and end_before == start and before.checkpoint.origin == part.checkpoint.origin:
                start = ranges.pop()[1]
            ranges.append((part.chain, start, end))
        before = part
    return ranges


def _part(
    transport: Transport, destination: IO[bytes], parameters: dict[str, Any], advance: Callable[[int], None]
) -> bundle.End:
    last = b""
    with transport.lines("/export", parameters) as lines:
        for line in lines:
            destination.write(line)
            last = line
            advance(line.startswith(b'{"event"'))
    if not last.startswith(b'{"end"'):
        raise UnreachableError("the export broke off before its end")
    try:
        return bundle.parse_end(parse_json(last))
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the export's last line is {error}") from error
