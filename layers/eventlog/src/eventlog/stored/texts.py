"""From the bytes of stored events to the text that the API shows of them: many at once, and no object for each.

Events are read by their layout, which the audit reads them by too, and then written a column at a time. Everything is
checked that ``codec.decode_event`` and ``event_json.event_fields`` check. What is not as this version writes it, or
does not stand whole in its document (erased events, payloads that are stored apart), is left to those two. A property
test keeps both ways the same.
"""

import struct
from binascii import hexlify
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain as chained
from itertools import repeat
from typing import Any

import orjson

from eventlog.formats.times import format_time
from eventlog.stored.codec import decode
from eventlog.stored.errors import NotOursError
from eventlog.stored.keys import read_keys
from eventlog.stored.layout import EventLayout

Written = tuple[int, int, bytes]
"""An event's timestamp, in milliseconds since 1970, its seq, and its text as ``event_json.format_event`` writes it."""

_LAST_INT64 = (1 << 63) - 1
_SALT = b"\0\x05salt\0\x10\0\0\0\0"
_HASHES = tuple(b"\x05%b\0\x20\0\0\0\0" % name for name in (b"payload_hash", b"content_hash", b"prev_hash", b"hash"))
_BEFORE = (
    *(b'{"event_id":', b',"chain":', b',"seq":', b',"event_type":', b',"source_id":', b',"timestamp":"'),
    *(b'","received_at":"', b'","principal":', b',"payload":', b',"salt":"', b'","payload_hash":"'),
    *(b'","content_hash":"', b'","prev_hash":"', b'","hash":"'),
)
"""What stands before each value in the text of an event (``event_json.event_fields``)."""

_layout_of = lru_cache(maxsize=64)(EventLayout)


@cache
def _ending(nodes: int) -> tuple[struct.Struct, tuple[bytes, ...]]:
    """Lay out what follows a payload, for so many nodes: names with types and lengths, and behind each its value."""
    items = [b"\x05%d\0\x20\0\0\0\0" % place for place in range(nodes)]
    size = 5 + sum(len(item) + 32 for item in items)
    array = b"\x04nodes\0%b" % size.to_bytes(4, "little")
    names = [_SALT, *_HASHES, *([array + items[0], *items[1:]] if items else [])]
    last = b"\0" if items else array + b"\0"
    layout = f"{len(_SALT)}s16s" + "".join(f"{len(name)}s32s" for name in names[1:]) + f"{len(last)}s"
    return struct.Struct("<" + layout), (*names, last)


def event_texts(chain: str, documents: Iterable[bytes]) -> list[Written | None]:
    """Write the events of a chain's documents; None for each that ``codec.decode_event`` has to look at."""
    split = _layout_of(chain).split
    rows = [_row(split, raw) for raw in documents]
    read = [row for row in rows if row is not None]
    try:
        texts = iter(list(_texts(chain, read)) if read else ())
    except ValueError:  # something is damaged: whoever looks at one after the other says what
        return [None] * len(rows)
    return [row and next(texts) for row in rows]


def _row(split: Any, raw: bytes) -> tuple[Any, ...] | None:
    """Read the fields of an event that stands whole in its document; None if it does not, or not as we write it."""
    try:
        parts = split(raw)
        if parts is None:
            return None
        seq, event_id, event_type, source_id, timestamp, received_at, principal, payload, _, end, body = parts
        # As many nodes as the event completes: one for each 1 at the end of its seq.
        ending, names = _ending((seq ^ (seq + 1)).bit_length() - 1)
        values = ending.unpack_from(raw, end)
    except (struct.error, ValueError):  # shorter than its lengths say, or not UTF-8
        return None
    if body is not None or payload[:1] != b"{" or payload[-1:] != b"}" or values[::2] != names:
        return None
    rest = raw[end + ending.size :]
    if rest != b"\0" and not _are_keys(rest):
        return None
    return seq, event_id, event_type, source_id, timestamp, received_at, principal, payload, *values[1:10:2]


def _are_keys(fields: bytes) -> bool:
    """Whether this is how a document ends that says what its event is found by."""
    try:
        return read_keys(decode((len(fields) + 4).to_bytes(4, "little") + fields)) is not None
    except NotOursError:
        return False


def _texts(chain: str, rows: Sequence[tuple[Any, ...]]) -> Iterable[Written]:
    """Write rows, a column at a time.

    Raises:
        ValueError: something in them is not what an append stores.
    """
    seqs, ids, types, sources, times, received, principals, payloads, *binaries = zip(*rows, strict=True)
    if set(map(type, map(orjson.loads, payloads))) != {dict}:
        raise ValueError("a payload is no JSON object")
    if _LAST_INT64 in seqs:
        raise ValueError("a seq is the largest number there is")
    dumps = orjson.dumps
    written: tuple[Iterable[bytes], ...] = (
        *(map(dumps, ids), repeat(dumps(chain)), map(dumps, seqs), map(dumps, types), map(dumps, sources)),
        *(map(str.encode, map(format_time, column)) for column in (times, received)),
        *(map(dumps, principals), payloads, *(map(hexlify, column) for column in binaries)),
    )
    between = chained.from_iterable(zip(map(repeat, _BEFORE), written, strict=True))
    return zip(times, seqs, map(b"".join, zip(*between, repeat(b'"}'))), strict=True)
