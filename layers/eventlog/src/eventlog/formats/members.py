"""Strict reading of untrusted JSON: a whole text, and single members of an object in their one accepted form."""

import re
from collections.abc import Mapping
from typing import Any

from eventlog.formats import strict_json
from eventlog.formats.errors import EvidenceError
from eventlog.formats.names import ID_PATTERN, MAX_NAME, NAME_PATTERN, is_chain_name
from eventlog.formats.times import format_time, parse_time

MAX_DEPTH = 64
"""Payloads nest 32 deep; an event in a page, or in a line of a bundle, is a few levels more."""
MAX_WHOLE = 2**53 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_HEX = re.compile("[0-9a-f]*")
_ID, _NAME = re.compile(ID_PATTERN), re.compile(NAME_PATTERN)


def parse_json(data: bytes) -> Any:
    """Parse a JSON text strictly (no duplicate keys, no lone surrogates, bounded depth), every number as a double.

    Raises:
        EvidenceError: it is not such a text; the error has the first reason.
    """
    try:
        return strict_json.parse(data, max_depth=MAX_DEPTH, doubles=True)
    except strict_json.MalformedJSONError as error:
        raise EvidenceError(f"not JSON as the log writes it: {error.problems[0].detail}") from error


def members(value: Any, what: str) -> dict[str, Any]:
    """Return the value if it is a JSON object."""
    if not isinstance(value, dict):
        raise EvidenceError(f"{what} must be a JSON object")
    return value


def text(fields: Mapping[str, Any], name: str) -> str:
    """Return a member that is a string of Unicode characters, without lone surrogates."""
    value = fields.get(name)
    if type(value) is not str or _SURROGATE.search(value):
        raise EvidenceError(f"{name} must be a string")
    return value


def chain_name(fields: Mapping[str, Any], name: str = "chain") -> str:
    """Return a member that is a chain's name."""
    value = text(fields, name)
    if not is_chain_name(value):
        raise EvidenceError(f"{name} must be a chain's name")
    return value


def event_id(fields: Mapping[str, Any], name: str = "event_id") -> str:
    """Return a member that is an event's id."""
    value = text(fields, name)
    if not _ID.fullmatch(value):
        raise EvidenceError(f"{name} must be an event's id")
    return value


def event_name(fields: Mapping[str, Any], name: str) -> str:
    """Return a member that is a type or a source."""
    value = text(fields, name)
    if not 1 <= len(value) <= MAX_NAME or not _NAME.fullmatch(value):
        raise EvidenceError(f"{name} must be 1 to {MAX_NAME} characters, none of them a control character")
    return value


def whole(fields: Mapping[str, Any], name: str) -> int:
    """Return a member that is a whole number which a double holds exactly, 0..2^53-1."""
    value = fields.get(name)
    if type(value) is not int or not 0 <= value <= MAX_WHOLE:
        raise EvidenceError(f"{name} must be a whole number 0..2^53-1")
    return value


def hex_bytes(fields: Mapping[str, Any], name: str, size: int = 32) -> bytes:
    """Return the bytes of a member that is ``size`` bytes in lower-case hex."""
    value = fields.get(name)
    if type(value) is not str or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise EvidenceError(f"{name} must be {size} bytes in lower-case hex")
    return bytes.fromhex(value)


def time(fields: Mapping[str, Any], name: str) -> int:
    """Return a member that is a time in the form the log writes, as milliseconds since 1970."""
    value = text(fields, name)
    try:
        millis = parse_time(value)
    except ValueError as error:
        raise EvidenceError(f"{name}: {error}") from error
    if format_time(millis) != value:
        raise EvidenceError(f"{name} must be a time written as 2024-11-23T12:34:56.789Z")
    return millis
