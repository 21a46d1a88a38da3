"""Bodies that are small as text and would be large as objects, in every form that an event is sent in."""

from collections.abc import Callable

from eventlog.fields import MAX_EVENT

_ROOM = 200
"""Bytes that an event takes beside its payload."""


def native(payload: bytes) -> bytes:
    """An event in the log's own form."""
    return b'{"event_type":"t","timestamp":"2026-11-23T12:00:00Z","source_id":"s","payload":' + payload + b"}"


def cloudevent(data: bytes) -> bytes:
    """A CloudEvent in structured mode."""
    return b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":' + data + b"}"


def around(wrap: Callable[[bytes], bytes], before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """One event as a batch."""
    return lambda payload: before + wrap(payload) + after


def filled(part: bytes, size: int = MAX_EVENT - _ROOM) -> bytes:
    """An object with a list of parts, of so many bytes; blanks fill it up."""
    return (b'{"a":[' + b",".join([part] * ((size - 8) // (len(part) + 1))) + b"]}").ljust(size)


HOSTILE = {
    "empty objects": filled(b"{}"),
    "empty arrays": filled(b"[]"),
    "blank arrays": filled(b"[ ]"),
    "objects of one": filled(b'{"":0}'),
    "towers": filled(b"[" * 20 + b"]" * 20),
    "numbers": filled(b"0"),
    "decimals": filled(b"1.5"),
    "strings": filled(b'""'),
    "strings that look like structure": filled(b'"]["'),
}
"""Payloads of nearly 1 MiB, each with more values than fit into 256 KiB."""
