"""Reads an NDJSON file of events, and groups its lines into batches that the API accepts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.machine import LocalError

MAX_EVENTS = 500
MAX_BYTES = 2 << 20  # half of what the API accepts: canonical text may be longer than what is sent


@dataclass(frozen=True)
class EventLine:
    """One event as it stands in the file."""

    number: int
    text: str
    event: dict[str, Any]


def read_lines(path: Path) -> list[EventLine]:
    """Read all events of a file; blank lines are skipped.

    Raises:
        LocalError: the file can't be read, or a line is not a JSON object; the text names the line.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LocalError(f"Can't read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LocalError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    # Split at newlines only: splitlines would also split at characters that JSON strings may hold.
    lines = [parse_line(path, number, text) for number, text in enumerate(content.split("\n"), 1) if text.strip()]
    if not lines:
        raise LocalError(f"{path} has no events.")
    return lines


def parse_line(path: Path, number: int, text: str) -> EventLine:
    """Read one line.

    Raises:
        LocalError: it is not a JSON object; the text names the file and the line.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LocalError(f"{path}, line {number} is not JSON: {error}.") from error
    if not isinstance(event, dict):
        raise LocalError(f"{path}, line {number} is not a JSON object.")
    return EventLine(number, text.strip(), event)


def batches(lines: Sequence[EventLine]) -> Iterator[list[EventLine]]:
    """Yield the lines in order, in groups within the API's limits."""
    group: list[EventLine] = []
    size = 0
    for line in lines:
        length = len(line.text.encode()) + 1
        if group and (len(group) == MAX_EVENTS or size + length > MAX_BYTES):
            yield group
            group, size = [], 0
        group.append(line)
        size += length
    if group:
        yield group
