"""Counts a chain's events through each index that queries are told to use, so that an index that lacks rows shows."""

from typing import Any

from bson import Int64, MaxKey, MinKey
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from eventlog.store.interface.audits import Counted
from eventlog.store.mongo.indexes import EVENTS
from eventlog.store.mongo.operations import Operations
from eventlog.stored import codec

INDEXES = {index.name: index for index in EVENTS}
_CAN_NOT_BE_USED = {2, 27, 168, 291, 51174}
"""Error codes that say that a hint names an index that is not there, is hidden, has a double or a collation, or that a
view or a time series is in the collection's place. The audit of the database reports each of these."""


def count(
    operations: Operations, session: ClientSession, chain: str, name: str, *, end: int, before: Counted, most: int
) -> Counted:
    """See ``AuditReads.count_through``; the server skips over what the index shows, in its order, and sends one key."""
    index = INDEXES[name]
    first: list[tuple[str, Any]] = [("chain", chain), *((field, MinKey()) for field in index.fields[1:])]
    last: list[tuple[str, Any]] = [("chain", chain), *((field, MaxKey()) for field in index.fields[1:])]
    if before.place is not None:
        place = codec.decode(before.place)
        first = [(field, place.get(field)) for field in index.fields]

    def keys(skip: int) -> Any:
        fields = {"_id": 0, **dict.fromkeys(index.fields, 1)}
        bounds = {"seq": {"$gte": Int64(0), "$lt": Int64(end)}}
        found = operations.events.find(bounds, fields, hint=index.keys, session=session, skip=skip, limit=int(skip > 0))
        return found.min(first).max(last)

    # A step: the key behind the next ``most`` tells where to go on. If there is none, the rest is counted one by one.
    try:
        if (following := next(keys(most), None)) is not None:
            return Counted(before.events + most, codec.encode(following))
        return Counted(before.events + sum(1 for _ in keys(0)), None, done=True)
    except OperationFailure as error:
        if error.code not in _CAN_NOT_BE_USED:
            raise
        return Counted(0, None, done=True, usable=False)
