"""CloudEvents 1.0.2: JSON event format (structured, batch) and HTTP binary mode.

The CloudEvents SDK parses JSON leniently (duplicate keys, NaN), so it is not used here; the tests use it as the sender.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from urllib.parse import unquote_to_bytes

from eventlog.chain_names import OWN_PREFIX
from eventlog.errors import InvalidError, UnsupportedError
from eventlog.fields import CE_PREFIX, MAX_DEPTH, MAX_VALUES
from eventlog.formats import strict_json
from eventlog.formats.strict_json import MAX_PROBLEMS, MalformedJSONError, Problem
from eventlog.formats.times import parse_time
from eventlog.ingest.cloudevent_identity import JSON_TYPE, is_same
from eventlog.ingest.submission import Submission, canonical_payload

_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_CHARSET = re.compile(r";\s*charset\s*=\s*(?!\"?(utf-?8|us-ascii)\"?\s*(;|$))", re.IGNORECASE)
"""A charset parameter that names anything but UTF-8 (or ASCII)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_URI = re.compile(r"[^\s<>\"{}|\\^`]+")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
"""A quoted string (RFC 9110, section 5.6.4), as the whole of a header's value."""
_ONE_TYPE = re.compile(r"(?:[^\",]|\"(?:[^\"\\]|\\.)*\")+")
"""No comma outside of quotes: one media type, not two that were joined."""
_NAMES = ("id", "source", "type")
"""What an event is known by, and found by."""


def event_id(source: str, identifier: str) -> str:
    """Derive the event id: ``ce-`` and the first 32 hex digits of SHA-256(source || 0x00 || id).

    So a CloudEvent that is delivered again gets the same id, and its append is a replay.
    """
    return CE_PREFIX + sha256(source.encode() + b"\0" + identifier.encode()).hexdigest()[:32]


def is_binary(headers: Mapping[str, str]) -> bool:
    """Tell whether a request is in binary mode (HTTP binding, section 3).

    A structured event may repeat its attributes as headers, so its media type counts before them.
    """
    structured = headers.get("content-type", "").strip().lower().startswith("application/cloudevents")
    return "ce-specversion" in headers and not structured


def from_binary(headers: Iterable[tuple[str, str]], body: bytes, *, joined: bool = False) -> dict[str, object]:
    """Put a CloudEvent in binary mode (HTTP binding, section 3.1) into its JSON form.

    JSON data becomes ``data``, text in UTF-8 ``data`` as a string, everything else ``data_base64``.

    Args:
        headers: Names and values, a name for each time that it was sent; other headers than ``ce-`` are joined already.
        body: The data.
        joined: Whether headers of one name may have been joined with a comma on the way, as API Gateway does.

    Raises:
        MalformedJSONError: the data claims to be JSON and isn't.
        InvalidError: a header can't be decoded, was sent twice, or is not allowed in binary mode.
        UnsupportedError: JSON in another charset than UTF-8, or two content types.
    """
    sent = [(name.lower(), value) for name, value in headers]
    attributes = [(name[3:], value) for name, value in sent if name.startswith("ce-")]
    _check_sent_once(attributes, joined=joined)
    event: dict[str, object] = {name: _decoded(name, value) for name, value in attributes}
    if reserved := event.keys() & {"data", "data_base64", "datacontenttype"}:
        raise InvalidError([Problem(f"/{name}", "not as a ce- header in binary mode") for name in sorted(reserved)])
    content_type = dict(sent).get("content-type")
    if content_type:  # in binary mode it is the type of the data (section 3.1.1)
        if not _ONE_TYPE.fullmatch(content_type):
            raise UnsupportedError(
                [Problem("/header/content-type", "was sent twice, or is no media type; send it once")]
            )
        event["datacontenttype"] = content_type
    return event | _binary_data(content_type, body) if body else event


def _check_sent_once(attributes: Iterable[tuple[str, str]], *, joined: bool) -> None:
    """Refuse an attribute that was sent in two headers: nobody can say which of them is meant.

    Where they may have been joined, a comma outside of quotes looks like a second header. It is refused in what an
    event is known by. Elsewhere it is kept: subjects and tracestate have commas of their own, and nothing is lost.
    """
    given = list(attributes)
    problems = [
        Problem(f"/{name}", f"the header ce-{name} was sent {count} times; send it once")
        for name, count in Counter(name for name, _ in given).items()
        if count > 1
    ]
    if joined:
        detail = "the header has a comma, as if it had been sent twice; send it once, and write a comma as %2C"
        problems += [
            Problem(f"/{name}", detail)
            for name, value in given
            if name in _NAMES and "," in value and not _QUOTED.fullmatch(value)
        ]
    if problems:
        raise InvalidError(problems)


def _binary_data(content_type: str | None, body: bytes) -> dict[str, object]:
    """Put the data into ``data`` or ``data_base64``."""
    in_utf8 = _CHARSET.search(content_type or "") is None
    # Data of no type is JSON (JSON event format, section 3.1), and what is said to be JSON must be.
    if content_type is None or JSON_TYPE.fullmatch(content_type):
        if not in_utf8:
            raise UnsupportedError([Problem("/header/content-type", "JSON is accepted in utf-8 only")])
        return {"data": _json_data(body)}
    # Text is readable in the payload if it can be decoded; all else is kept byte for byte.
    if in_utf8 and content_type.lower().startswith("text/"):
        with suppress(UnicodeDecodeError):
            return {"data": body.decode()}
    return {"data_base64": base64.b64encode(body).decode()}


def read(value: object, chain: str) -> Submission:
    """Check a CloudEvent in its JSON form; the payload is the whole of it, so nothing is lost.

    Raises:
        InvalidError: all attributes that are wrong, each with its pointer into the CloudEvent.
        TooLargeError: it is over 256 KiB.
    """
    if not isinstance(value, dict):
        raise InvalidError([Problem("", "must be a JSON object, a CloudEvent")])
    problems = _problems(value)
    if problems:
        raise InvalidError(problems)
    # From here on every attribute is known to be of its type.
    time = value.get("time")
    return Submission(
        chain=chain,
        event_id=event_id(value["source"], value["id"]),
        event_type=value["type"],
        source_id=value["source"],
        timestamp=None if time is None else parse_time(time),
        payload=canonical_payload(value, ""),
        is_same=is_same,
    )


def _json_data(body: bytes) -> object:
    try:
        return strict_json.parse(body, max_depth=MAX_DEPTH - 1, max_values=MAX_VALUES - 1)
    except MalformedJSONError as error:
        raise type(error)([Problem(f"/data{p.pointer}", p.detail) for p in error.problems]) from error


def _decoded(name: str, value: str) -> str:
    """Decode a header's value (HTTP binding, section 3.1.3.2): take off quotes, then percent-decode once."""
    if not value.isascii():
        raise InvalidError([Problem(f"/{name}", "the header is not ASCII; percent-encode it")])
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise InvalidError([Problem(f"/{name}", "the header begins with a quote and is no quoted string")])
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise InvalidError([Problem(f"/{name}", "the header is not percent-encoded UTF-8")]) from error


def _problems(value: Mapping[str, object]) -> list[Problem]:
    """List what is wrong, one problem for each attribute."""
    found = [
        *(_required(value, name) for name in ("id", "source", "type")),
        None if value.get("specversion") == "1.0" else Problem("/specversion", "must be the string 1.0"),
        *islice(filter(None, map(_attribute, value, value.values())), MAX_PROBLEMS),
        _time(value),
        _data(value),
    ]
    # An attribute may fail twice: the first problem is the more telling one, and it goes where the second one stood.
    first = {problem.pointer: problem for problem in reversed(found) if problem}
    return list(first.values())[::-1]


def _required(value: Mapping[str, object], name: str) -> Problem | None:
    item = value.get(name)
    limit = 1024 if name == "id" else 256
    if not isinstance(item, str) or not 1 <= len(item) <= limit:
        return Problem(f"/{name}", f"must be a string of 1..{limit} characters")
    if name == "source" and not _URI.fullmatch(item):
        return Problem("/source", "must be a URI reference (RFC 3986)")
    if name == "type" and item.startswith(OWN_PREFIX):
        return Problem("/type", f"may not start with '{OWN_PREFIX}', which is for the log's own events")
    return None


def _attribute(name: str, item: object) -> Problem | None:
    if name in {"data", "data_base64"}:
        return None
    where = f"/{strict_json.escape(name)}"
    if not _ATTRIBUTE.fullmatch(name):
        return Problem(where, "an attribute's name has lower-case letters a-z and digits only")
    if item is not None and not isinstance(item, (str, bool, int)):
        return Problem(where, "an attribute is a string, a boolean or an integer")
    if isinstance(item, int) and not -(2**31) <= item < 2**31:
        return Problem(where, "an integer attribute has 32 bits")
    if isinstance(item, str) and _CONTROL.search(item):
        return Problem(where, "control characters are not allowed")
    return None


def _time(value: Mapping[str, object]) -> Problem | None:
    time = value.get("time")
    if time is None:
        return None
    if not isinstance(time, str):
        return Problem("/time", "must be a string with an RFC 3339 time")
    try:
        parse_time(time)
    except ValueError as error:
        return Problem("/time", str(error))
    return None


def _data(value: Mapping[str, object]) -> Problem | None:
    encoded = value.get("data_base64")
    if encoded is None:
        return None
    if "data" in value:
        return Problem("/data_base64", "not together with data")
    if isinstance(encoded, str):
        with suppress(ValueError):  # not base64 (binascii.Error), or not ASCII
            base64.b64decode(encoded, validate=True)
            return None
    return Problem("/data_base64", "must be a base64 string")
