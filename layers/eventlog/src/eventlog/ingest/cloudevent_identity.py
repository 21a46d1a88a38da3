"""When two deliveries are one CloudEvent (CloudEvents 1.0.2, section "Context Attributes": source and id identify it).

Both have the same event id, as that is made of source and id. Brokers may send an event again with attributes of their
own, in another mode, or with its time written in another way. What its producer says of what happened must be equal.
"""

import base64
import re
from collections.abc import Mapping

from eventlog.fields import MAX_DEPTH
from eventlog.formats import strict_json
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import Entry
from eventlog.formats.times import parse_time

JSON_TYPE = re.compile(r"[^;]*[/+]json\s*(;.*)?", re.IGNORECASE)
"""A media type of JSON, with its parameters."""
_PLAIN_CHARSET = re.compile(r"charset=\"?(utf-?8|us-ascii)\"?", re.IGNORECASE)

Data = tuple[str, str, bytes]
"""Media type; whether the bytes are canonical JSON or the data itself; these bytes."""


def is_same(new: Entry, stored: Entry) -> bool:
    """Tell whether two entries of one event id are deliveries of one CloudEvent; their payloads are canonical text.

    Equal must be type, source, subject, dataschema and data; and time as a moment, where both have one, as a broker may
    add it. All other attributes are extensions, which anybody on the way may add or change.
    """
    if (new.event_type, new.source_id) != (stored.event_type, stored.source_id):
        return False
    if new.payload == stored.payload:
        return True
    # What was sent has been checked. What is stored may be damaged: then nobody can say that it is the same.
    try:
        one, other = _parsed(new.payload.encode()), _parsed(stored.payload.encode())
        return _said(one) == _said(other) and _times_agree(one.get("time"), other.get("time"))
    except (ValueError, TypeError, AttributeError):
        return False


def _parsed(text: bytes) -> dict[str, object]:
    value = strict_json.parse(text, max_depth=MAX_DEPTH, doubles=True)
    if not isinstance(value, dict):
        raise TypeError("a CloudEvent is an object")
    return value


def _said(event: Mapping[str, object]) -> tuple[object, object, Data | None]:
    """Return what the producer says beside type and source; null is as if it were not there."""
    return event.get("subject"), event.get("dataschema"), _data(event)


def _data(event: Mapping[str, object]) -> Data | None:
    """Return the data, the same whether it came as JSON, text or base64; None without data, whatever its type."""
    encoded, data = event.get("data_base64"), event.get("data")
    media_type = _media_type(str(event.get("datacontenttype") or "application/json"))
    is_json = JSON_TYPE.fullmatch(media_type) is not None
    # In base64 there are bytes. If they are said to be JSON and are, the JSON counts, as in the other two forms.
    if encoded is not None:
        found = base64.b64decode(str(encoded), validate=True)
        return (media_type, "json", _canonical(found)) if is_json and _is_json(found) else (media_type, "data", found)
    if data is None:
        return None
    # Text of another type than JSON stands as a string for its bytes (JSON event format, section 3.1).
    if isinstance(data, str) and not is_json:
        return media_type, "data", data.encode()
    return media_type, "json", canonicalize(data)


def _is_json(text: bytes) -> bool:
    try:
        _canonical(text)
    except ValueError:
        return False
    return True


def _canonical(text: bytes) -> bytes:
    return canonicalize(strict_json.parse(text, max_depth=MAX_DEPTH, doubles=True))


def _media_type(written: str) -> str:
    """Write a media type without what changes nothing: case, blanks, and a charset that is the default one."""
    name, *parameters = (part.strip() for part in written.split(";"))
    kept = [part for part in parameters if part and not _PLAIN_CHARSET.fullmatch(part)]
    return ";".join([name.lower(), *kept])


def _times_agree(one: object, other: object) -> bool:
    return one is None or other is None or parse_time(str(one)) == parse_time(str(other))
