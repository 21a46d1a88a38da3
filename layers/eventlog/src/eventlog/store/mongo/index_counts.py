"""Counts a chain's events through each index that queries are told to use, so that an index that lacks rows shows.

What can be counted in one command is: then MongoDB looks at keys alone. It can't go on from a key without looking at
each event, too, so a longer chain costs four times as much an event.
"""

from contextlib import suppress
from typing import Any

from bson import Int64, MaxKey, MinKey
from pymongo.client_session import ClientSession
from pymongo.errors import ExecutionTimeout, OperationFailure

from eventlog.store.interface.audits import Counted
from eventlog.store.mongo.indexes import EVENTS, Index
from eventlog.store.mongo.operations import Operations
from eventlog.stored import codec

INDEXES = {index.name: index for index in EVENTS}
_CAN_NOT_BE_USED = {2, 27, 168, 291, 51174}
"""Error codes that say that a hint names an index that is not there, is hidden, has a double or a collation, or that a
view or a time series is in the collection's place. The audit of the database reports each of these."""
_AT_ONCE = 1 << 22
"""So many events are counted in one command: some two seconds."""
_AT_ONCE_MILLIS = 5000
"""A server that takes longer for it goes step by step."""


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

    bounds = {"seq": {"$gte": Int64(0), "$lt": Int64(end)}}

    def keys(skip: int, limit: int = 0) -> Any:
        fields, order = {"_id": 0, **dict.fromkeys(index.fields, 1)}, index.order(routed=operations.routed)
        found = operations.events.find(bounds, fields, sort=order, session=session, skip=skip, limit=limit)
        return found.hint(index.keys).min(first).max(last)

    try:
        if before.place is None and end <= _AT_ONCE:
            next(keys(0, 1), None)  # whether queries can be given this index: without a key to begin at, any will do
            with suppress(ExecutionTimeout):
                return Counted(_at_once(operations, session, index, {"chain": chain} | bounds), None, done=True)
        # A step: the key behind the next ``most`` tells where to go on. If there is none, the rest is counted one by
        # one.
        if (following := next(keys(most, 1), None)) is not None:
            return Counted(before.events + most, codec.encode(following))
        return Counted(before.events + sum(1 for _ in keys(0)), None, done=True)
    except OperationFailure as error:
        if error.code not in _CAN_NOT_BE_USED:
            raise
        return Counted(0, None, done=True, usable=False)


def _at_once(operations: Operations, session: ClientSession, index: Index, where: dict[str, Any]) -> int:
    """Count to the end in one command.

    Raises:
        ExecutionTimeout: it takes longer than ``_AT_ONCE_MILLIS``.
    """
    # Not the ``count`` command: on a sharded cluster that counts what a move has left behind, too.
    limit = _AT_ONCE_MILLIS
    return operations.events.count_documents(where, session=session, hint=index.keys, maxTimeMS=limit)
