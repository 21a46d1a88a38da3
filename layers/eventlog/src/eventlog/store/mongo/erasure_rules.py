"""What erasing changes in an event, as MongoDB tells of it: payload, salt and keys become empty, and nothing else."""

from collections.abc import Mapping
from typing import Any

from eventlog.store.mongo.reindex_rules import FIELDS_SET

_UPDATED = "$updateDescription.updatedFields"
_EMPTY: dict[str, Any] = {"payload": "", "salt": b"", "keys": []}
IS_EMPTIED: dict[str, Any] = {
    "$and": [
        {"$setIsSubset": [FIELDS_SET, list(_EMPTY)]},
        {"$eq": [f"{_UPDATED}.salt", {"$literal": b""}]},
        *(
            {"$in": [{"$ifNull": [f"{_UPDATED}.{name}", {"$literal": empty}]}, [{"$literal": empty}]]}
            for name, empty in _EMPTY.items()
            if name != "salt"
        ),
    ]
}
"""Whether an update sets nothing but these, and those to what is empty; the salt always.

It is an expression, for the server's filter: no value of a row crosses the wire for it.
"""


def is_erasure(event: Mapping[str, Any]) -> bool:
    """Whether a change empties an event as erasing does."""
    if event.get("operationType") != "update" or (event.get("ns") or {}).get("coll") != "events":
        return False
    described = event.get("updateDescription") or {}
    return event.get("erasure") is True and not (described.get("removedFields") or described.get("truncatedArrays"))
