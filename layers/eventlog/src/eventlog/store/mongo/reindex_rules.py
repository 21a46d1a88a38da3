"""What ``make reindex`` changes, as MongoDB tells of it: an event's keys, which the audit derives anew."""

from collections.abc import Mapping
from typing import Any

_KEYS = ("keys_version", "keys")
FIELDS_SET: dict[str, Any] = {
    "$map": {"input": {"$objectToArray": {"$ifNull": ["$updateDescription.updatedFields", {}]}}, "in": "$$this.k"}
}
"""The names of the fields that an update has set, without their values."""
SETS_FIELDS: dict[str, Any] = {
    "ns.coll": "events",
    "operationType": "update",
    "updateDescription.removedFields": [],
    "updateDescription.truncatedArrays": {"$in": [None, []]},
}
"""An update of an event that sets fields and does nothing else."""
SETS_KEYS: dict[str, Any] = {"$setIsSubset": [FIELDS_SET, list(_KEYS)]}
"""Whether it sets keys alone: an expression for the server's filter, as a million of them need not cross the wire."""


def is_reindex(event: Mapping[str, Any]) -> bool:
    """Whether a change sets an event's keys and nothing else; one that removes them is none of ours."""
    if event.get("operationType") != "update" or (event.get("ns") or {}).get("coll") != "events":
        return False
    described = event.get("updateDescription") or {}
    taken = described.get("removedFields") or described.get("truncatedArrays")
    return bool(event.get("set")) and not taken and set(event["set"]) <= set(_KEYS)
