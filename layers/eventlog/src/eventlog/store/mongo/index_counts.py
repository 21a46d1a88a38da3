"""Counts a chain's events through each index that queries are told to use, so that an index that lacks rows shows.

What can be counted in one command is: then MongoDB looks at keys alone. It can't go on from a key without looking at
each event, too, so a longer chain costs four times as much an event.
"""

from contextlib import suppress
from typing import Any

from bson import Int64, MaxKey, MinKey
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure

from eventlog.store.interface.audits import Counted
from eventlog.store.mongo.indexes import BY_SEQ, EVENTS, Index
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.snapshots import TooManyRowsError, read_snapshot
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError

INDEXES = {index.name: index for index in EVENTS}
_CAN_NOT_BE_USED = {2, 27, 168, 291, 51174}
"""Error codes that say that a hint names an index that is not there, is hidden, has a double or a collation, or that a
view or a time series is in the collection's place. The audit of the database reports each of these."""
_AT_ONCE = 1 << 22
"""So many events are counted in one command: some two seconds."""
_AT_ONCE_MILLIS = 5000
"""A server that takes longer for it goes step by step."""
_LONG = 1 << 16
"""From so many events on it is worth three commands more to have no key decoded."""
_FEW = 10_000
"""Where more were settled since, it isn't."""


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

    bounds = {"seq": _before(end)}

    def keys(skip: int, limit: int = 0) -> Any:
        fields, order = {"_id": 0, **dict.fromkeys(index.fields, 1)}, index.order(routed=operations.routed)
        found = operations.events.find(bounds, fields, sort=order, session=session, skip=skip, limit=limit)
        return found.hint(index.keys).min(first).max(last)

    try:
        if before.place is None and end <= _AT_ONCE:
            next(keys(0, 1), None)  # whether queries can be given this index: without a key to begin at, any will do
            with suppress(ExecutionTimeout):
                return Counted(_at_once(operations, session, index, chain, end), None, done=True)
        # A step: the key behind the next ``most`` tells where to go on. If there is none, the rest is counted one by
        # one.
        if (following := next(keys(most, 1), None)) is not None:
            return Counted(before.events + most, codec.encode(following))
        return Counted(before.events + sum(1 for _ in keys(0)), None, done=True)
    except OperationFailure as error:
        if error.code not in _CAN_NOT_BE_USED:
            raise
        return Counted(0, None, done=True, usable=False)


def _at_once(operations: Operations, session: ClientSession, index: Index, chain: str, end: int) -> int:
    """Count to the end, in one command if the chain is short or the log is sharded.

    Raises:
        ExecutionTimeout: it takes longer than ``_AT_ONCE_MILLIS``.
    """
    if end >= _LONG and not operations.routed:
        # Whatever is odd, and what the driver tries again only for its own methods, is left to the other way.
        with suppress(OperationFailure, AutoReconnect, NotOursError, TooManyRowsError):
            if (found := _by_keys_alone(operations, session, index, chain, end)) is not None:
                return found
    # Not the ``count`` command: on a sharded cluster that counts what a move has left behind, too.
    where, limit = {"chain": chain, "seq": _before(end)}, _AT_ONCE_MILLIS
    return operations.events.count_documents(where, session=session, hint=index.keys, maxTimeMS=limit)


def _by_keys_alone(operations: Operations, session: ClientSession, index: Index, chain: str, end: int) -> int | None:
    """Count all of the chain's entries, less the rows behind the end; None: not as of one moment, or some are odd.

    With a bound on ``seq`` MongoDB decodes each key. Without one it goes from key to key, in half of the time. But then
    what was settled since is counted, too, and an event that the index lacks could hide behind that. So that is looked
    for by ``seq``, as of the same moment. As a rule it is next to nothing; what is no event of the chain, by whatever
    it has in place of a number, would be among it, unless that index leaves it out: which the audit of the database
    finds, as it does of all indexes.

    Raises:
        OperationFailure: there is no such snapshot or index, or it takes longer than ``_AT_ONCE_MILLIS``.
        NotOursError, TooManyRowsError: as ``read_snapshot`` and ``Snapshot.rows``.
    """
    snapshot = read_snapshot(operations, chain, session)
    if snapshot is None or snapshot.image.settled.size < end:
        return None
    name, limit = operations.events.name, {"maxTimeMS": _AT_ONCE_MILLIS}
    # Bounds of MongoDB's own, which hold for values of every type. After a text comes the same one with a zero byte.
    # Of the rows only how many there are is read: there may be something in them that can't be decoded.
    lowest, first, behind = ({"chain": chain, "seq": seq} for seq in (MinKey(), Int64(0), Int64(end)))
    others = ({"min": lowest, "max": first}, {"min": behind, "max": {"chain": chain + "\0", "seq": MinKey()}})
    find = {"find": name, "hint": dict(BY_SEQ.keys), "projection": {"_id": 0, "n": {"$literal": 1}}, **limit}
    before, later = (len(snapshot.rows(find | bounds | {"limit": _FEW + 1, "singleBatch": True})) for bounds in others)
    # Those behind the end are events that were settled since, and perhaps some that a push is settling.
    since = range(snapshot.image.settled.size - end, snapshot.image.size - end + 1)
    if before or later > _FEW or later not in since:
        return None
    count = {"aggregate": name, "pipeline": [{"$match": {"chain": chain}}, {"$count": "events"}]}
    (row,) = snapshot.rows(count | {"hint": dict(index.keys)} | limit) or [{"events": 0}]
    return int(row["events"]) - later


def _before(end: int) -> dict[str, Any]:
    return {"$gte": Int64(0), "$lt": Int64(end)}
