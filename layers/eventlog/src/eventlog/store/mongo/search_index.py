"""The indexes of search fields: what is found by them, and how far a chain is indexed.

They are there only where fields are declared (``indexes.SEARCH``). An index entry has one key of an event, so a search
by one key reads one entry for each event that it shows. Of several keys the entries of one are walked, and each of its
events is looked at for the others: which one is in ``walked.py``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bson import MaxKey, MinKey
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from eventlog.formats.event import Entry
from eventlog.formats.name_filter import after_prefix
from eventlog.formats.search_keys import name_of
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.indexes import SEARCH
from eventlog.store.mongo.operations import Operations
from eventlog.stored.sequences import SequenceImage

BY_KEY, BY_VERSION = SEARCH
_NO_SUCH_INDEX = 2
"""BadValue: what MongoDB says to a hint of an index that is not there."""


def with_keys(keys: frozenset[str], walked: str | None = None) -> dict[str, Any]:
    """Build the filter of events that have all these keys; ``walked``: the one whose entries are walked."""
    # Of an ``$all`` MongoDB walks the key that sorts first, however many events have it. It makes no bounds of an
    # ``$expr``; keys that are no array, in a row that somebody damaged, must not end the query.
    if not keys:
        return {}
    if walked is None or len(keys) == 1:
        return {"keys": {"$all": sorted(keys)} if len(keys) > 1 else next(iter(keys))}
    others = {"$literal": sorted(keys - {walked})}
    return {"keys": walked, "$expr": {"$setIsSubset": [others, {"$cond": [{"$isArray": "$keys"}, "$keys", []]}]}}


def has_keys(entry: Entry, keys: frozenset[str]) -> bool:
    """Whether an entry has all these keys."""
    return not keys or (entry.keys is not None and keys.issubset(entry.keys.values))


@contextmanager
def needed_index() -> Iterator[None]:
    """Say what is missing where an index of search fields is not there.

    Raises:
        StoreUnavailableError: it is not there.
    """
    try:
        yield
    except OperationFailure as error:
        if error.code != _NO_SUCH_INDEX:
            raise
        raise StoreUnavailableError("the index of the search fields is not there (yet): see make db-setup") from error


def indexed_version(operations: Operations, image: SequenceImage, session: ClientSession) -> int | None:
    """Find the lowest version by which any of a chain's events has its keys; see ``Page.indexed_version``."""
    versions = [0 if entry.keys is None else entry.keys.version for entry in image.pending]
    if image.settled.size:
        # Events without a version come first in the index, so its first entry tells: one key, of which nothing is read.
        fields = {"_id": 0, "keys_version": 1}
        with needed_index():
            first = operations.events.find({"chain": image.chain}, fields, session=session, hint=BY_VERSION.keys)
            found: dict[str, Any] = next(iter(first.sort(BY_VERSION.keys[1:]).limit(1)), {})
        version = found.get("keys_version")
        versions.append(version if isinstance(version, int) else 0)
    return min(versions, default=None)


def values(
    operations: Operations, image: SequenceImage, begins: str, limit: int, session: ClientSession
) -> tuple[list[str], bool]:
    """List the first keys of a chain's events that begin so, and whether there are more: one index entry for each."""
    name = name_of(begins) + ":"
    pending = {key for entry in image.pending if entry.keys for key in entry.keys.values if key.startswith(begins)}
    find = _grouped if operations.routed else _walked
    found = find(operations, image.chain, begins, limit + 1, session) if image.settled.size else []
    merged = sorted({*found, *pending})
    return [key.removeprefix(name) for key in merged[:limit]], len(merged) > limit


def _walked(operations: Operations, chain: str, begins: str, limit: int, session: ClientSession) -> list[str]:
    """Find the first keys that begin so: from each one the index is sought for the next."""
    # Bounds of MongoDB's own, as a filter on an array can't give both ends.
    found: list[str] = []
    low, end = begins, after_prefix(begins)
    while len(found) < limit:
        rest: list[tuple[str, Any]] = [("timestamp", MinKey()), ("seq", MinKey())]
        first, last = ([("chain", chain), ("keys", key), *rest] for key in (low, MaxKey() if end is None else end))
        with needed_index():
            cursor = operations.events.find({}, session=session, hint=BY_KEY.keys, limit=1, return_key=True)
            key = next(iter(cursor.min(first).max(last)), None)
        if key is None:
            break
        found.append(key["keys"])
        low = key["keys"] + "\0"  # the first text after it
    return found


def _grouped(operations: Operations, chain: str, begins: str, limit: int, session: ClientSession) -> list[str]:
    """Find the same through a router, which gives the entries of several shards in no order.

    MongoDB does not sort by a field that has arrays by its index, so each shard reads all that begin so, once.
    """
    end = after_prefix(begins)
    bounds = {"$gte": begins} if end is None else {"$gte": begins, "$lt": end}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"chain": chain, "keys": bounds}},
        {"$project": {"keys": 1, "_id": 0}},
        {"$unwind": "$keys"},
        {"$match": {"keys": bounds}},
        {"$group": {"_id": "$keys"}},
        {"$sort": {"_id": 1}},
        {"$limit": limit},
    ]
    with needed_index():
        rows = operations.events.aggregate(pipeline, session=session, hint=dict(BY_KEY.keys))
        return [row["_id"] for row in rows]
