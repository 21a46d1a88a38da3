"""The trim that drops settled entries from a sequence document: on what condition, and its update."""

from typing import Any

from bson import Int64

from eventlog.formats.event import ChainState
from eventlog.stored.sequences import settled_fields

SettledHead = tuple[int, bytes, bytes]
"""The size and last hash of what is settled, and the content hash of the first pending entry: where a trim begins.

Another chain of the same name, in a database that was restored meanwhile, has other hashes.
"""


def place_of(chain: str, head: SettledHead) -> dict[str, Any]:
    """Build the filter for the sequence document of a chain that stands exactly there."""
    size, settled_hash, first = head
    return {
        "_id": chain,
        "settled.size": Int64(size),
        "settled.hash": settled_hash,
        "pending.0.content_hash": first,
    }


def trim_update(count: int, after: ChainState, size: int | None) -> list[dict[str, Any]]:
    """Build the update that drops the first ``count`` entries, which have ``size`` bytes if that is known.

    They are dropped from the front by their number. "Keep the last n" would drop others if more was pushed meanwhile.
    """
    more = {"$gt": [{"$size": "$pending"}, count]}
    dropped = {"$map": {"input": {"$slice": ["$pending", count]}, "in": {"$bsonSize": "$$this"}}}
    dropped_bytes = {"$toLong": {"$sum": dropped}} if size is None else Int64(size)
    stage = {
        "settled": {"$literal": settled_fields(after)},
        "pending": {"$cond": [more, {"$slice": ["$pending", count, 2147483647]}, []]},
        "pending_bytes": {"$subtract": ["$pending_bytes", dropped_bytes]},
    }
    return [{"$set": stage}]
