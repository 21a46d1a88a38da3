"""From a pending entry's bytes to those of its event's document, without encoding all fields a second time.

It writes what ``codec.encode_event`` writes; a property test keeps the two the same.
"""

import bson

from eventlog.formats.event import Event
from eventlog.stored.keys import keys_fields
from eventlog.stored.layout import LINKS

_HEAD = b"\x02_id\0%b%b/%b\0\x10v\0\1\0\0\0\x02chain\0%b%b\0\x02event_id\0%b%b\0\x12seq\0%b"
_TO_ID = len(b"size\x02event_id\0size")


def place(event: Event, entry: bytes) -> bytes:
    """Write the document of an event whose pending entry ``codec.encode_entry`` wrote as ``entry``."""
    # An entry is its size, event_id, the content, what the event is found by, and a zero. The content stands as it is
    # in the document, between the seq and the links.
    chain, event_id = event.entry.chain.encode(), event.entry.event_id.encode()
    keys = b"" if event.entry.keys is None else bson.encode(keys_fields(event.entry.keys))[4:-1]
    head = _HEAD % (
        *(_size(len(chain) + len(event_id) + 2), chain, event_id, _size(len(chain) + 1), chain),
        *(_size(len(event_id) + 1), event_id, event.seq.to_bytes(8, "little")),
    )
    content = entry[_TO_ID + len(event_id) + 1 : -1 - len(keys)]
    links = LINKS[len(event.nodes)] % (event.prev_hash, event.hash, *event.nodes)
    return b"%b%b%b%b%b\0" % (_size(len(head) + len(content) + len(links) + len(keys) + 5), head, content, links, keys)


def _size(number: int) -> bytes:
    return number.to_bytes(4, "little")
