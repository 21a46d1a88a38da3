"""Reads NDJSON files of events, and groups their lines into batches that the log accepts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventlog.formats.strict_json import MalformedJSONError, parse
from eventlog_client.errors import ClientError, RefusedError

MAX_EVENTS = 500
MAX_BYTES = 2 << 20
"""Half of what the log accepts: canonical text may be longer than what is sent."""
_DEPTH = 33


class EventFileError(ClientError):
    """A line of the file is not an event, or the log refuses it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it stands in the file."""

    number: int
    size: int
    event: dict[str, Any]


def read_events(name: str, lines: Iterable[bytes]) -> Iterator[Line]:
    """Yield the events of a file; blank lines are skipped.

    Raises:
        EventFileError: a line is not a JSON object; the text names the file and the line.
    """
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        # The log parses as strictly. Here the error has the line's number in the file, which the log can't know.
        try:
            event = parse(text, max_depth=_DEPTH)
        except MalformedJSONError as error:
            raise EventFileError(f"{name}, line {number}: {error}") from error
        if not isinstance(event, dict):
            raise EventFileError(f"{name}, line {number} is not a JSON object")
        yield Line(number, len(text), event)


def batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield the lines in order, in groups within the log's limits and of one chain each."""
    group: list[Line] = []
    size = 0
    for line in lines:
        full = len(group) == MAX_EVENTS or size + line.size > MAX_BYTES
        if group and (full or line.event.get("chain") != group[0].event.get("chain")):
            yield group
            group, size = [], 0
        group.append(line)
        size += line.size
    if group:
        yield group


def refusal(name: str, batch: Sequence[Line], error: RefusedError) -> EventFileError:
    """Make the error for a refused batch, with the number of the first bad line if the log names one."""
    for problem in error.errors:
        index, _, rest = problem.pointer.removeprefix("/").partition("/")
        if index.isascii() and index.isdecimal() and int(index) < len(batch):
            place = f"{rest}: " if rest else ""
            return EventFileError(f"{name}, line {batch[int(index)].number} was refused: {place}{problem.detail}")
    return EventFileError(f"{name}, lines {batch[0].number} to {batch[-1].number}: {error}")
