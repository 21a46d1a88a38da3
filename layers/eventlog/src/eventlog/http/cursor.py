"""Keyset cursors: opaque, of fixed typed fields, bound to their query and the chain's size at its first page."""

import base64
import binascii
import struct
from hashlib import sha256

import orjson

from eventlog.formats.times import MAX_MILLIS
from eventlog.store.interface import Position, Query

_LAYOUT = struct.Struct(">B8sQqQ")
_VERSION = 1


def format_cursor(query: Query, size: int, after: Position) -> str:
    """The cursor of the page after ``after``."""
    packed = _LAYOUT.pack(_VERSION, _digest(query), size, after.timestamp, after.seq)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def parse_cursor(query: Query, text: str) -> tuple[int, Position]:
    """The size and position of a cursor made for this query.

    Raises:
        ValueError: not a cursor of ours, or another query's.
    """
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, digest, size, timestamp, seq = _LAYOUT.unpack(packed)
    except (binascii.Error, struct.error, ValueError) as error:
        raise ValueError("not a cursor of this log; pass next_cursor as it was given") from error
    after = Position(timestamp, seq)
    # It decodes, but who made it? Places that no event can have would be errors of the database.
    if version != _VERSION or not 0 <= timestamp <= MAX_MILLIS or max(size, seq) >= 2**63 - 1:
        raise ValueError("not a cursor of this log; pass next_cursor as it was given")
    if digest != _digest(query):
        raise ValueError("the cursor belongs to another query; repeat the first page's parameters")
    return size, after


def _digest(query: Query) -> bytes:
    fields = [query.chain, query.sort, query.order, query.start_time, query.end_time]
    filters = [query.event_types.texts(), query.source_ids.texts(), query.from_seq, query.to_seq]
    keys = [sorted(query.keys)] if query.keys else []  # cursors of queries without them are as they were
    return sha256(orjson.dumps([fields, filters, *keys])).digest()[:8]
