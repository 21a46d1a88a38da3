"""From the bytes of a request to submissions: its media type says which format they are in.

A payload may nest ``MAX_DEPTH`` levels. In the native form the event around it is one level more; a CloudEvent is
itself the payload. A batch in which nothing is wrong and whose values are not many is parsed at once. Any other is cut
into its events first, and each is read to its end before the next one is parsed: whatever is sent, no more than one
event's values are in memory.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

from eventlog.errors import InputError, InvalidError, TooLargeError
from eventlog.fields import MAX_BATCH, MAX_DEPTH, MAX_EVENT, MAX_VALUES
from eventlog.formats import strict_json
from eventlog.formats.json_structure import SplitError, is_array, split_array, split_lines
from eventlog.formats.strict_json import MAX_PROBLEMS, MalformedJSONError, OversizedJSONError, Problem
from eventlog.http.requests import media_type
from eventlog.ingest import cloudevents, native
from eventlog.ingest.submission import Submission

JSON, NDJSON = "application/json", "application/x-ndjson"
CLOUDEVENT, CLOUDEVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
_AT_ONCE = 16 << 10
"""Values of a batch that is parsed at once: 500 events of thirty. One event may have eight times as many."""


def decode_one(headers: Mapping[str, str], body: bytes, chain: str, *, joined: bool = False) -> Submission:
    """Decode the event of a request; ``chain`` is where it goes unless it says so itself.

    ``joined``: headers of one name may have been joined on the way (see ``cloudevents.from_binary``).

    Raises:
        MalformedJSONError: the body is not JSON as the log takes it.
        UnsupportedError: it is in no format that the log takes.
        InvalidError: all fields that are wrong, each with its pointer into the event.
        OversizedJSONError: it has more values than any payload of 256 KiB.
        TooLargeError: the payload is over 256 KiB.
    """
    if cloudevents.is_binary(headers):  # asked first: in binary mode the content type is that of the data
        return cloudevents.read(cloudevents.from_binary(headers.items(), body, joined=joined), chain)
    kind = media_type(headers, JSON, CLOUDEVENT)
    if kind == JSON and _is_lines(body):
        raise MalformedJSONError([Problem("", f"one event a line: send it to /api/v1/events/batch as {NDJSON}")])
    return _read(kind == CLOUDEVENT, body, chain)


def decode_batch(headers: Mapping[str, str], body: bytes, chain: str) -> list[Submission]:
    """Decode the 1..500 events of a request, in their order; ``chain`` is where those go that name none.

    Raises:
        MalformedJSONError: the body, or a line of it, is not JSON as the log takes it.
        UnsupportedError: it is in no format that the log takes.
        InvalidError: all fields that are wrong in all items, pointers begin with the item's index.
        TooLargeError: too many events; or events or payloads that are too large, and nothing else is wrong.
    """
    # Counted as they come, so that no more than one event too many is looked at. All are read before any is answered
    # for, as the status is that of the worst of them.
    kind = media_type(headers, JSON, NDJSON, CLOUDEVENTS)
    if kind != NDJSON and (found := _read_at_once(kind == CLOUDEVENTS, body, chain)):
        return found
    submissions: list[Submission] = []
    refused = _Refused()
    for index, text in enumerate(_items(kind, body)):
        if index == MAX_BATCH:
            raise TooLargeError([Problem("", f"more than {MAX_BATCH} events, which is the limit")])
        try:
            _check_size(text)
            submissions.append(_read(kind == CLOUDEVENTS, text, chain))
        except (InputError, MalformedJSONError) as error:  # kept until the others are read: all bad items are named
            refused.add(index, error)
            if isinstance(error, OversizedJSONError):
                break  # no honest client's batch is worth counting on in this one
    refused.check()
    if not submissions:
        raise InvalidError([Problem("", "the batch is empty")])
    return submissions


def _read_at_once(is_cloudevents: bool, body: bytes, chain: str) -> list[Submission] | None:
    """Read a batch that is an array of valid events; None if it is another, or so large that it has to be cut."""
    # Faster by far than one by one, and with the same result. What is wrong where, and which of it counts, is not asked
    # here: one by one the same will be found again, and told.
    if len(body) > MAX_EVENT or not is_array(body):
        return None
    depth, read = (MAX_DEPTH, cloudevents.read) if is_cloudevents else (MAX_DEPTH + 1, native.read)
    values = strict_json.parse_items(body, max_depth=depth, max_values=_AT_ONCE)
    if values is None or len(values) > MAX_BATCH:
        return None
    try:
        return [read(value, chain) for value in values]
    except InputError:
        return None


def _read(is_cloudevent: bool, text: bytes, chain: str) -> Submission:
    """Parse and check one event."""
    if is_cloudevent:
        return cloudevents.read(strict_json.parse(text, max_depth=MAX_DEPTH, max_values=MAX_VALUES), chain)
    value = strict_json.parse(text, max_depth=MAX_DEPTH + 1, max_values=MAX_VALUES + native.OTHER_VALUES)
    return native.read(value, chain)


def _items(kind: str, body: bytes) -> Iterator[bytes]:
    """Cut a batch into the texts of its events; nothing is parsed."""
    if kind == NDJSON:
        if is_array(body):  # no line of it would be an event
            raise InvalidError([Problem("", f"an array: send it as {JSON}; {NDJSON} has one event a line")])
        yield from split_lines(body, MAX_EVENT)
        return
    if not is_array(body):
        if kind == CLOUDEVENTS:
            wanted = "must be a JSON array of CloudEvents"
        else:
            wanted = f"must be a JSON array of events; what has one event a line is {NDJSON}"
            if _is_lines(body):
                raise MalformedJSONError([Problem("", wanted)])
        strict_json.parse(body, max_depth=MAX_DEPTH + 1, max_values=MAX_VALUES + native.OTHER_VALUES)
        raise InvalidError([Problem("", wanted)])
    try:
        yield from split_array(body, MAX_EVENT)
    except SplitError as error:
        raise MalformedJSONError([Problem("", f"not JSON: {error}")]) from error


def _is_lines(body: bytes) -> bool:
    """Whether a text has an object on its first line and begins another on the next one: no JSON text does."""
    first, second = (*islice(split_lines(body, MAX_EVENT), 2), b"", b"")[:2]
    return first.startswith(b"{") and first.endswith(b"}") and second.startswith(b"{")


def _check_size(text: bytes) -> None:
    if len(text) > MAX_EVENT:
        raise TooLargeError([Problem("", f"one event has at most {MAX_EVENT} bytes as it is sent; this one has more")])


class _Refused:
    """What is wrong with the events of a batch.

    One that is not JSON counts more than fields that are wrong, and these more than sizes: the answer's status is that
    of what counts most. Of problems that count no less than others, as many are kept as an answer shows.
    """

    def __init__(self) -> None:
        self._malformed: list[Problem] = []
        self._wrong: list[Problem] = []
        self._invalid = False

    def add(self, index: int, error: InputError | MalformedJSONError) -> None:
        """Take an event's problems; pointers get its index."""
        is_malformed = isinstance(error, MalformedJSONError) and not isinstance(error, OversizedJSONError)
        kept = self._malformed if is_malformed else self._wrong
        self._invalid = self._invalid or isinstance(error, InvalidError)
        room = MAX_PROBLEMS - len(kept)
        kept += [Problem(f"/{index}{problem.pointer}", problem.detail) for problem in error.problems[:room]]

    def check(self) -> None:
        """Raise what counts most, if anything was taken."""
        if self._malformed:
            raise MalformedJSONError(self._malformed)
        if self._wrong:
            raise (InvalidError if self._invalid else TooLargeError)(self._wrong)
