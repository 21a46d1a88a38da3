"""Payloads that were stored apart and that no event has: their writer died, or was refused, before its push.

They harm nothing. Audits count them, and an operator removes them (``make sweep``): no function of the log may remove a
payload. Whoever removes one must never take one whose push is still to come, so it is done in three steps:

1. ``swept`` of the chain's sequence document is set to an hour ago, w: majority. From then on that document refuses
   pushes whose payloads are as old (``push_command``).
2. Only after that it looks for the events of such payloads: in what was pending at step 1, then among those settled.
3. It removes those of before ``swept`` that no event has.

A push is applied either before step 1, so that step 2 sees its event, or after it, so that it is refused. This needs no
clock: the two times that are compared are one writer's, and the order is the sequence document's. ``tests/model`` shows
each step to be necessary.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from bson import DatetimeMS
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from eventlog.store.mongo.operations import Operations
from eventlog.stored import codec

AFTER_MILLIS = 3_600_000
"""A payload that no event has by then is left over: an append takes a few seconds at most."""
_AT_ONCE = 1000
_PENDING = {"pending.event_id": 1, "pending.payload_hash": 1}


class Leftover(NamedTuple):
    """How many payloads no event has though they are old enough; ``all``: whether all payloads were looked at."""

    payloads: int
    all: bool


class Sweep:
    """Looks through the payloads of one database."""

    def __init__(self, operations: Operations) -> None:
        self._ops = operations
        self._rows = operations.bodies.rows

    def count(self, seconds: float) -> Leftover:
        """Count what is left over, for so many seconds at most."""
        until, count = time.monotonic() + seconds, 0
        for chain, ids in self._candidates():
            if ids:
                with self._ops.session() as session:
                    found = self._ops.sequences.find_one({"_id": chain}, _PENDING, session=session)
                    count += len(self._without_event(chain, ids, found, session))
            if time.monotonic() > until:
                return Leftover(count, all=False)
        return Leftover(count, all=True)

    def remove(self) -> int:
        """Remove what is left over of chains that are there; return how many payloads that were."""
        return sum(self._remove(chain, ids) for chain, ids in self._candidates() if ids)

    def is_used(self, body_id: str) -> bool:
        """Whether an event has the payload of this id, pending or settled."""
        chain = body_id.partition("/")[0]
        with self._ops.session() as session:
            found = self._ops.sequences.find_one({"_id": chain}, _PENDING, session=session)
            return not self._without_event(chain, [body_id], found, session)

    def _remove(self, chain: str, ids: list[str]) -> int:
        swept = {"$max": ["$swept", {"$subtract": ["$$NOW", AFTER_MILLIS]}]}
        with self._ops.session() as session:
            # The post-image of a write that a majority has: what is pending in it is committed, and later pushes of
            # payloads that old are refused. Without the document nobody can tell what the chain had.
            found = self._ops.sequences.find_one_and_update(
                {"_id": chain},
                [{"$set": {"swept": swept}}],
                _PENDING | {"swept": 1},
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            if found is None or not _is_readable(found.get("pending")):
                return 0
            unused = self._without_event(chain, ids, found, session)
            gone = {"_id": {"$in": unused}, "at": {"$lt": found["swept"]}}
            return self._rows.delete_many(gone, session=session).deleted_count if unused else 0

    def _candidates(self) -> Iterator[tuple[str, list[str]]]:
        """Iterate over the chains and the ids of old payloads that no settled event seems to have, some at a time."""
        last: Any = ""
        while ids := self._next(last):
            last = ids[-1]
            by_chain: dict[str, list[str]] = defaultdict(list)
            for body_id in ids:
                by_chain[body_id.partition("/")[0]].append(body_id)
            for chain, some in by_chain.items():
                unused = self._unsettled(chain, some, None)
                old = {"_id": {"$in": unused}, "at": {"$lt": DatetimeMS(int(time.time() * 1000) - AFTER_MILLIS)}}
                yield chain, [row["_id"] for row in self._rows.find(old, {"_id": 1})] if unused else []

    def _next(self, last: str) -> list[str]:
        """Read the next ids, from the index alone."""
        found = self._rows.find({"_id": {"$gt": last, "$type": "string"}}, {"_id": 1}, sort=[("_id", 1)])
        return [row["_id"] for row in found.hint([("_id", 1)]).limit(_AT_ONCE)]

    def _without_event(
        self, chain: str, ids: Iterable[str], sequence: dict[str, Any] | None, session: ClientSession
    ) -> list[str]:
        """Return those ids that neither a pending event has nor, read after that in the same session, a settled one."""
        pending = (sequence or {}).get("pending", [])
        used = {_body_id(chain, entry) for entry in pending if isinstance(entry, dict)}
        return self._unsettled(chain, [body_id for body_id in ids if body_id not in used], session)

    def _unsettled(self, chain: str, ids: list[str], session: ClientSession | None) -> list[str]:
        """Return those ids that no settled event has. An erased event has none: it left its payload to be removed."""
        names = [codec.document_id(chain, body_id.split("/")[1]) for body_id in ids if body_id.count("/") > 1]
        fields = {"event_id": 1, "payload_hash": 1}
        there = {"_id": {"$in": names}, "salt": {"$ne": b""}}
        found = self._ops.events.find(there, fields, session=session) if names else ()
        used = {_body_id(chain, event) for event in found}
        return [body_id for body_id in ids if body_id not in used]


def _is_readable(pending: Any) -> bool:
    """Whether it can be told which payloads pending entries have: else nothing is removed."""
    return isinstance(pending, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("payload_hash"), bytes) for entry in pending
    )


def _body_id(chain: str, fields: dict[str, Any]) -> str:
    digest = fields.get("payload_hash")
    return f"{chain}/{fields.get('event_id')}/{digest.hex() if isinstance(digest, bytes) else ''}"
