"""CloudEvents 1.0.2: JSON event format (structured, batch) and HTTP binary mode, turned into drafts.

The CloudEvents SDK parses JSON leniently (duplicate keys, NaN), so it can't stand behind the strict parser;
the tests use it as the other end.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_to_bytes

from eventlog.chain_names import OWN_PREFIX
from eventlog.errors import InvalidError, UnsupportedError
from eventlog.formats import strict_json
from eventlog.formats.event import make_entry
from eventlog.formats.strict_json import MalformedJSONError, Problem
from eventlog.formats.times import parse_time
from eventlog.ingest.submission import CE_PREFIX, DEFAULT_CHAIN, MAX_DEPTH, canonical_payload
from eventlog.store.interface import Draft

_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_JSON_TYPE = re.compile(r"[^;]*[/+]json\s*(;.*)?", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*(?!\"?(utf-?8|us-ascii)\"?\s*(;|$))", re.IGNORECASE)
"""A charset parameter that names anything but UTF-8 (or ASCII)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_URI = re.compile(r"[^\s<>\"{}|\\^`]+")


def event_id(source: str, identifier: str) -> str:
    """``ce-`` and 32 hex digits of SHA-256(source || 0x00 || id): redelivery is a replay."""
    return CE_PREFIX + sha256(source.encode() + b"\0" + identifier.encode()).hexdigest()[:32]


def parse_structured(body: bytes) -> Any:
    """One CloudEvent in the JSON event format."""
    return strict_json.parse(body, max_depth=MAX_DEPTH)


def parse_batch(body: bytes) -> list[Any]:
    """A JSON array of CloudEvents (JSON batch format)."""
    value = strict_json.parse(body, max_depth=MAX_DEPTH + 1)
    if not isinstance(value, list):
        raise InvalidError([Problem("", "must be a JSON array of CloudEvents")])
    return value


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request is in binary mode: a CloudEvents media type means another, whatever else the headers repeat."""
    structured = headers.get("content-type", "").strip().lower().startswith("application/cloudevents")
    return "ce-specversion" in headers and not structured


def from_binary(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The CloudEvent of a request in binary mode (HTTP binding, section 3.1), in its JSON form.

    JSON data becomes ``data``, UTF-8 text a string, everything else ``data_base64``.
    """
    event: dict[str, Any] = {}
    for name, value in headers.items():
        if name.lower().startswith("ce-"):
            event[name[3:].lower()] = _unquote(name.lower(), value)
    if reserved := event.keys() & {"data", "data_base64", "datacontenttype"}:
        raise InvalidError([Problem(f"/{name}", "not as a ce- header in binary mode") for name in sorted(reserved)])
    content_type = headers.get("content-type")
    if content_type:
        event["datacontenttype"] = content_type
    if not body:
        return event
    in_utf8 = _CHARSET.search(content_type or "") is None
    if content_type is None or _JSON_TYPE.fullmatch(content_type):
        if not in_utf8:
            raise UnsupportedError([Problem("/header/content-type", "JSON is accepted in utf-8 only")])
        return event | {"data": _json_data(body)}
    if in_utf8 and content_type.lower().startswith("text/"):
        try:
            return event | {"data": body.decode()}
        except UnicodeDecodeError:
            pass
    return event | {"data_base64": base64.b64encode(body).decode()}


def draft(value: Any, *, chain: str | None, principal: str, received_at: int) -> Draft:
    """Check one CloudEvent in its JSON form and make its draft; its payload is the whole CloudEvent.

    Raises:
        InvalidError, TooLargeError: with pointers into the CloudEvent.
    """
    problems = _problems(value)
    if problems:
        raise InvalidError(problems)
    time = value.get("time")
    entry = make_entry(
        chain=chain or DEFAULT_CHAIN,
        event_id=event_id(value["source"], value["id"]),
        event_type=value["type"],
        source_id=value["source"],
        timestamp=received_at if time is None else parse_time(time),
        received_at=received_at,
        principal=principal,
        payload=canonical_payload(value, ""),
        salt=os.urandom(16),
    )
    return Draft(entry, id_chosen=True, time_given=time is not None)


def _json_data(body: bytes) -> Any:
    try:
        return strict_json.parse(body, max_depth=MAX_DEPTH - 1)
    except MalformedJSONError as error:
        raise MalformedJSONError([Problem(f"/data{p.pointer}", p.detail) for p in error.problems]) from error


def _unquote(name: str, value: str) -> str:
    if not value.isascii():
        raise InvalidError([Problem(f"/{name[3:]}", "the header is not ASCII; percent-encode it")])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise InvalidError([Problem(f"/{name[3:]}", "the header is not percent-encoded UTF-8")]) from error


def _problems(value: Any) -> list[Problem]:
    if not isinstance(value, dict):
        return [Problem("", "must be a JSON object, a CloudEvent")]
    problems = [_required(value, name) for name in ("id", "source", "type")]
    if value.get("specversion") != "1.0":
        problems.append(Problem("/specversion", "must be the string 1.0"))
    problems += [_attribute(name, item) for name, item in value.items() if name not in {"data", "data_base64"}]
    problems += [_time(value), _data(value)]
    return list({problem.pointer: problem for problem in reversed(problems) if problem}.values())[::-1]


def _required(value: dict[str, Any], name: str) -> Problem | None:
    item = value.get(name)
    limit = 1024 if name == "id" else 256
    if not isinstance(item, str) or not 1 <= len(item) <= limit:
        return Problem(f"/{name}", f"must be a string of 1..{limit} characters")
    if name == "source" and not _URI.fullmatch(item):
        return Problem("/source", "must be a URI reference (RFC 3986)")
    if name == "type" and item.startswith(OWN_PREFIX):
        return Problem("/type", f"may not start with '{OWN_PREFIX}', which is for the log's own events")
    return None


def _attribute(name: str, item: Any) -> Problem | None:
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


def _time(value: dict[str, Any]) -> Problem | None:
    time = value.get("time")
    try:
        if time is not None:
            parse_time(time)
    except (ValueError, TypeError) as error:
        return Problem("/time", str(error) if isinstance(time, str) else "must be a string with an RFC 3339 time")
    return None


def _data(value: dict[str, Any]) -> Problem | None:
    encoded = value.get("data_base64")
    if encoded is None:
        return None
    if "data" in value:
        return Problem("/data_base64", "not together with data")
    try:
        base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return Problem("/data_base64", "must be a base64 string")
    return None
