"""How many chains each caller has created today: counted in the database, which all functions share.

    {_id: whom the caller counts as, day, chains}

One small document a caller, written only when a chain is created. The day is the server's (UTC): functions' clocks
don't matter. The log's own audit creates chains without it.
"""

import time
from collections.abc import Iterable
from typing import Any

from pymongo import ReturnDocument

from eventlog.principals import counted_as
from eventlog.store.errors import LimitError
from eventlog.store.mongo.operations import Operations

DAY_SECONDS = 24 * 3600
_TODAY = {"$dateTrunc": {"date": "$$NOW", "unit": "day"}}


def admit(operations: Operations, chain: str, principals: Iterable[str], limit: int) -> None:
    """Count a chain that is about to be created, for the first of these callers who may create one more today.

    ``limit``: how many new chains a caller has in a day; 0: any number, and nothing is counted. What is counted stays
    so if the chain is not created after all: the limit is met a little early then, never late.

    Raises:
        LimitError: none of them may create one more today.
    """
    if not limit:
        return
    if any(_count(operations, name, limit) for name in dict.fromkeys(map(counted_as, principals))):
        return
    # It holds for each of them, and must name none: callers that share a write get the same words.
    raise LimitError(
        f"There is no chain {chain}, and you have created {limit} chains today, which is all that one caller may "
        "(EVENTLOG_NEW_CHAINS_PER_DAY). Nothing was stored; chains that exist take events as ever.",
        DAY_SECONDS - int(time.time()) % DAY_SECONDS,
    )


def open_chain(operations: Operations, chain: str, origin: str, principal: str, limit: int) -> None:
    """Create a chain that does not exist, if the caller may; see ``MongoStore.open_chain``."""
    if operations.sequences.find_one({"_id": chain}, {"_id": 1}) is not None:
        return
    if operations.has_events(chain):  # its sequence document was removed: whoever appends says so, and waits
        return
    admit(operations, chain, [principal], limit)
    operations.ensure_indexes()
    operations.create(chain, origin)


def _count(operations: Operations, name: str, limit: int) -> bool:
    """Count one chain more by one write, as far as one beyond the limit; return whether it is within the limit."""
    again = {"$cond": [{"$eq": ["$day", _TODAY]}, {"$min": [{"$add": ["$chains", 1]}, limit + 1]}, 1]}
    update: list[dict[str, Any]] = [{"$set": {"day": _TODAY, "chains": {"$toLong": again}}}]
    found = operations.quotas.find_one_and_update(
        {"_id": name}, update, {"chains": 1}, upsert=True, return_document=ReturnDocument.AFTER
    )
    return found is not None and bool(found["chains"] <= limit)
