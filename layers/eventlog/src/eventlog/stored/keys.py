"""What an event is found by, as the last fields of its document or pending entry: ``keys_version`` and ``keys``."""

from collections.abc import Mapping
from typing import Any

from bson import Int64

from eventlog.formats.event import Keys
from eventlog.stored.errors import NotOursError

KEY_FIELDS = ("keys_version", "keys")


def keys_fields(keys: Keys | None) -> dict[str, Any]:
    """Write the two fields; an event without keys has none of them.

    In this order, by name: MongoDB adds them so to a document that has none.
    """
    return {} if keys is None else {"keys": list(keys.values), "keys_version": Int64(keys.version)}


def read_keys(document: Mapping[str, Any]) -> Keys | None:
    """Read the two fields.

    Raises:
        NotOursError: one of them is there without the other, or is of another type.
    """
    version, keys = (document.get(name) for name in KEY_FIELDS)
    if version is None and keys is None and not any(name in document for name in KEY_FIELDS):
        return None
    if type(version) is not Int64 or version < 1 or type(keys) is not list:
        raise NotOursError("keys_version is no number from 1 on, or keys is no list")
    if not all(type(key) is str for key in keys):
        raise NotOursError("keys holds something that is no string")
    return Keys(int(version), tuple(keys))
