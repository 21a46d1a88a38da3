"""From the bytes of a request to submissions: its media type says which format they are in.

A payload may nest ``MAX_DEPTH`` levels. In the native form the event around it is one level more, and an array one more
again; a CloudEvent is itself the payload.
"""

from collections.abc import Mapping

from eventlog.errors import InputError, InvalidError, TooLargeError
from eventlog.fields import MAX_BATCH, MAX_DEPTH
from eventlog.formats import strict_json
from eventlog.formats.strict_json import MalformedJSONError, Problem
from eventlog.http.requests import media_type
from eventlog.ingest import cloudevents, native
from eventlog.ingest.submission import Submission

JSON, NDJSON = "application/json", "application/x-ndjson"
CLOUDEVENT, CLOUDEVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"


def decode_one(headers: Mapping[str, str], body: bytes, chain: str) -> Submission:
    """Decode the event of a request; ``chain`` is where it goes unless it says so itself.

    Raises:
        MalformedJSONError: the body is not JSON as the log takes it.
        UnsupportedError: it is in no format that the log takes.
        InvalidError: all fields that are wrong, each with its pointer into the event.
        TooLargeError: the payload is over 256 KiB.
    """
    if cloudevents.is_binary(headers):  # asked first: in binary mode the content type is that of the data
        return cloudevents.read(cloudevents.from_binary(headers, body), chain)
    if media_type(headers, JSON, CLOUDEVENT) == CLOUDEVENT:
        return cloudevents.read(strict_json.parse(body, max_depth=MAX_DEPTH), chain)
    return native.read(strict_json.parse(body, max_depth=MAX_DEPTH + 1), chain)


def decode_batch(headers: Mapping[str, str], body: bytes, chain: str) -> list[Submission]:
    """Decode the 1..500 events of a request, in their order; ``chain`` is where those go that name none.

    Raises:
        MalformedJSONError: the body, or a line of it, is not JSON as the log takes it.
        UnsupportedError: it is in no format that the log takes.
        InvalidError: all fields that are wrong in all items, pointers begin with the item's index.
        TooLargeError: too many events; or payloads over 256 KiB, and nothing else is wrong.
    """
    kind = media_type(headers, JSON, NDJSON, CLOUDEVENTS)
    submissions: list[Submission] = []
    refused: list[InputError] = []
    for index, value in enumerate(_values(kind, body)):
        try:
            submissions.append(cloudevents.read(value, chain) if kind == CLOUDEVENTS else native.read(value, chain))
        except InputError as error:  # kept until the others are read, so that the answer names every bad item
            refused.append(type(error)(_inside(index, error.problems)))
    if refused:
        kind_of_all = InvalidError if any(isinstance(error, InvalidError) for error in refused) else TooLargeError
        raise kind_of_all([problem for error in refused for problem in error.problems])
    return submissions


def _values(kind: str, body: bytes) -> list[object]:
    """Parse the items of a batch, 1..500 of them."""
    if kind == NDJSON:
        return _lines(body)
    if kind == CLOUDEVENTS:
        values, items = strict_json.parse(body, max_depth=MAX_DEPTH + 1), "CloudEvents"
    else:
        values, items = strict_json.parse(body, max_depth=MAX_DEPTH + 2), "events"
    if not isinstance(values, list):
        raise InvalidError([Problem("", f"must be a JSON array of {items}")])
    _check_count(len(values))
    return values


def _lines(body: bytes) -> list[object]:
    """Parse newline-delimited JSON. Blank lines don't count; the problems of all lines are collected."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    _check_count(len(lines))  # before any is parsed: 4 MiB may hold millions of lines
    values: list[object] = []
    problems: list[Problem] = []
    for index, line in enumerate(lines):
        try:
            values.append(strict_json.parse(line, max_depth=MAX_DEPTH + 1))
        except MalformedJSONError as error:
            problems += _inside(index, error.problems)
    if problems:
        raise MalformedJSONError(problems)
    return values


def _check_count(events: int) -> None:
    if not events:
        raise InvalidError([Problem("", "the batch is empty")])
    if events > MAX_BATCH:
        raise TooLargeError([Problem("", f"{events} events; at most {MAX_BATCH} are allowed")])


def _inside(index: int, problems: list[Problem]) -> list[Problem]:
    """Problems of one item as problems of the batch."""
    return [Problem(f"/{index}{problem.pointer}", problem.detail) for problem in problems]
