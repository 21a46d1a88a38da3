"""What is left of an event's document once its payload was erased: payload, salt and the values of its keys are empty.

All else stays, byte for byte, so that every hash of the chain can still be checked. Of a payload that was stored apart
``payload_bytes`` stays, and its row is gone. ``keys_version`` stays, too: an event without it is one that was never
indexed, and then no search of its chain would be complete.

Specified in docs/formats/event-and-chain.md.
"""

from typing import Any

from eventlog.formats.event import Event
from eventlog.stored import codec


def erased(event: Event) -> Event:
    """Return an event as it is once its payload was erased."""
    keys = event.entry.keys
    return event._replace(entry=event.entry._replace(payload="", salt=b"", keys=keys and keys._replace(values=())))


def erased_document(raw: bytes) -> bytes:
    """Return an event's document as it is once its payload was erased.

    Raises:
        NotOursError: it is no event's.
    """
    return codec.encode_event(erased(codec.decode_event(raw)))


def fields_to_empty(event: Event) -> dict[str, Any]:
    """Return what an update has to set in the document of an event that is not erased yet."""
    inline = {"payload": ""} if event.entry.payload_bytes is None else {}
    return inline | {"salt": b""} | ({} if event.entry.keys is None else {"keys": list[str]()})
