"""Whether what follows an event's nodes in its document is what the event is found by, and nothing else."""

from eventlog.formats.event import Keys
from eventlog.formats.search_keys import Rules, UnindexableError
from eventlog.stored.codec import encode
from eventlog.stored.keys import keys_fields

_VERSION = b"\x12keys_version\0"
"""How the version begins in BSON, the last field: an int64 of this name."""


def are_keys(fields: bytes, payload: bytes, rules: Rules) -> bool:
    """Whether these are the keys that a payload gives by the version they name, up to the zero that ends a document.

    Of an erased event, whose payload is empty, the keys are empty, whatever version they were of.
    """
    if fields[-9 - len(_VERSION) : -9] != _VERSION:
        return False
    version = int.from_bytes(fields[-9:-1], "little", signed=True)
    if not payload:
        keys = Keys(version, ()) if version > 0 else None
    else:
        rule = rules(version)
        try:
            keys = None if rule is None else rule.keys_of(payload)
        except UnindexableError:
            return False
    return keys is not None and fields == encode(keys_fields(keys))[4:]
