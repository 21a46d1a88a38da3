"""The bytes of an event document exactly as this version writes it, by position and without a BSON library.

It reads what ``codec.encode_event`` writes and nothing else, so it needs no table of types and makes no objects. A
property test keeps the two the same. What it refuses, ``codec`` may still understand. A document whose payload is
stored apart is followed by the row that has it (``bodies.split``).
"""

import struct
from typing import NamedTuple


class BodyPlace(NamedTuple):
    """Where a payload that is stored apart was read: the document ends at ``stop``, and the row has the id ``key``."""

    stop: int
    key: bytes


Parts = tuple[int, str, str, str, int, int, str, bytes, bytes, int, BodyPlace | None]
"""seq, event_id, event_type, source_id, timestamp, received_at, principal, payload, salt; where the payload ends."""

_TO_TYPE = struct.Struct("<6sq12sI")
_TO_SOURCE = struct.Struct("<12sI")
_TO_PRINCIPAL = struct.Struct("<12sq13sq11sI")
_TO_PAYLOAD = struct.Struct("<10sI")
_APART = b"\0\x12payload_bytes\0"
_TO_SIZE = struct.Struct(f"<{len(_APART)}sq")
_TO_KEY = struct.Struct("<I5sI")
_TO_BODY = struct.Struct("<5sq9sI")
_BODY_NAMES = (b"\x02_id\0", b"\0\x09at\0", b"\x02payload\0", b"\0\0")


NAMES = (
    *(b"\x02_id\0", b"\0\x12seq\0", b"\x02event_type\0", b"\0\x02source_id\0"),
    *(b"\0\x09timestamp\0", b"\x09received_at\0", b"\x02principal\0", b"\0\x02payload\0"),
)
"""The names of a document's fields up to the payload, with their types, and with the zero that ends a text before them;
but for those of ``head_names``."""


def head_names(chain: str) -> tuple[bytes, bytes]:
    """Write what of a chain's documents stands before the event's id, and between that in ``_id`` and in its field."""
    name = chain.encode()
    size = (len(name) + 1).to_bytes(4, "little")
    return name + b"/", b"\0\x10v\0\1\0\0\0\x02chain\0%b%b\0\x02event_id\0" % (size, name)


class EventLayout:
    """The documents of one chain: strings with their lengths before them, names and fixed fields in between."""

    def __init__(self, chain: str) -> None:
        prefix, middle = head_names(chain)
        self._prefix = len(prefix)
        self._to_id = struct.Struct(f"<I5sI{len(prefix)}s")
        self._to_event_id = struct.Struct(f"<{len(middle)}sI")
        self._names = (NAMES[0], prefix, middle, *NAMES[1:])

    def split(self, raw: bytes) -> Parts | None:
        """Read the fields, if everything up to the payload is as this version writes it; else None.

        What follows the payload is not looked at: compare it with one of ``ENDINGS``.

        Raises:
            struct.error: the document is shorter than its lengths say.
            UnicodeDecodeError: a text is not UTF-8.
        """
        # From text to text: each step unpacks the fixed fields up to the length of the next text, which says where that
        # ends. The names between them are compared after that, all at once.
        size, name0, length0, prefix = self._to_id.unpack_from(raw)
        at = self._to_id.size
        end = at + length0 - self._prefix - 1
        key = raw[at:end]
        name1, length1 = self._to_event_id.unpack_from(raw, end)
        at = end + self._to_event_id.size
        end = at + length1 - 1
        again = raw[at:end]
        name2, seq, name3, length2 = _TO_TYPE.unpack_from(raw, end)
        at = end + _TO_TYPE.size
        end = at + length2 - 1
        event_type = raw[at:end].decode()
        name4, length3 = _TO_SOURCE.unpack_from(raw, end)
        at = end + _TO_SOURCE.size
        end = at + length3 - 1
        source_id = raw[at:end].decode()
        name5, timestamp, name6, received_at, name7, length4 = _TO_PRINCIPAL.unpack_from(raw, end)
        at = end + _TO_PRINCIPAL.size
        end = at + length4 - 1
        principal = raw[at:end].decode()
        name8, length5 = _TO_PAYLOAD.unpack_from(raw, end)
        if name8 == _APART[:10]:
            found = _split_apart(raw, end, size) if size < len(raw) else _without_row(raw, end)
            if found is None:
                return None
            payload, end, body = found
            name8, length5 = self._names[-1], 1
        else:
            at = end + _TO_PAYLOAD.size
            end = at + length5 - 1
            payload, body = raw[at:end], None
        if (name0, prefix, name1, name2, name3, name4, name5, name6, name7, name8) != self._names:
            return None
        # A length of 0 would read one byte backwards: a string has at least the NUL that ends it.
        long_enough = length0 > self._prefix and length1 and length2 and length3 and length4 and length5
        if not long_enough or (body is None and size != len(raw)) or key != again:
            return None
        payload.decode()
        salt = raw[end + 12 : end + 28]
        return seq, key.decode(), event_type, source_id, timestamp, received_at, principal, payload, salt, end, body


def _split_apart(raw: bytes, place: int, stop: int) -> tuple[bytes, int, BodyPlace] | None:
    """Read a payload that is stored apart: it, where ``payload_bytes`` at ``place`` ends, and the row from ``stop`` on.

    None if the row is not as this version writes it, or has not so many bytes. Its id is for the caller to compare.
    """
    name, size = _TO_SIZE.unpack_from(raw, place)
    row_size, name0, length0 = _TO_KEY.unpack_from(raw, stop)
    at = stop + _TO_KEY.size
    end = at + length0 - 1
    key = raw[at:end]
    name1, _, name2, length1 = _TO_BODY.unpack_from(raw, end)
    at = end + _TO_BODY.size
    payload, rest = raw[at : at + length1 - 1], raw[at + length1 - 1 :]
    whole = size == len(payload) and stop + row_size == len(raw)
    if name != _APART or (name0, name1, name2, rest) != _BODY_NAMES or not (whole and length0 and length1):
        return None
    # What follows the size begins with the zero byte that ends a payload elsewhere: the size's own last byte.
    return payload, place + _TO_SIZE.size - 1, BodyPlace(stop, key)


def _without_row(raw: bytes, place: int) -> tuple[bytes, int, None] | None:
    """Read where ``payload_bytes`` at ``place`` ends, of an event whose payload, stored apart, was erased."""
    name, size = _TO_SIZE.unpack_from(raw, place)
    return (b"", place + _TO_SIZE.size - 1, None) if name == _APART and size >= len("{}") else None


def hash_of_erased(raw: bytes, place: int) -> bytes | None:
    """Read the payload hash of a document whose payload ends at ``place``; None if its salt is not empty."""
    start = place + len(_NO_SALT)
    return raw[start : start + 32] if raw.startswith(_NO_SALT, place) else None


def _ending(salt: bytes, links: bytes) -> bytes:
    """Build the template of what follows the payload."""
    return b"%b%b%b%b\0" % (salt, _hash(b"payload_hash"), _hash(b"content_hash"), links)


def _links(nodes: int) -> bytes:
    """Build the template of the fields that a pending entry does not have, for so many nodes."""
    items = b"".join(_hash(b"%d" % number) for number in range(nodes))
    size = (5 + len(items) + 30 * nodes).to_bytes(4, "little")  # each %b stands for 32 bytes
    return b"%b%b\x04nodes\0%b%b\0" % (_hash(b"prev_hash"), _hash(b"hash"), size.replace(b"%", b"%%"), items)


def _hash(name: bytes) -> bytes:
    return b"\x05%b\0\x20\0\0\0\0%%b" % name


_SALT = b"\0\x05salt\0\x10\0\0\0\0%b"
_EMPTY_SALT = b"\0\x05salt\0\0\0\0\0\0"
_NO_SALT = _EMPTY_SALT + _hash(b"payload_hash")[:-2]
LINKS = tuple(map(_links, range(64)))
"""What stands in a document from prev_hash to nodes, by the number of nodes."""
ENDINGS = tuple(_ending(_SALT, links) for links in LINKS)
"""What follows the payload, by the number of nodes: salt, payload_hash, content_hash, prev_hash, hash and nodes."""
ERASED_ENDINGS = tuple(_ending(_EMPTY_SALT, links) for links in LINKS)
"""The same of erased events, whose salt is empty."""
