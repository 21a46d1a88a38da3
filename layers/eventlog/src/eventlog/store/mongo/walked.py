"""What a search that names several things walks: the key, or the types and sources, that the fewest events have.

An index has one of them each, so MongoDB walks the events of one and looks at the others in these. It would take the
key that sorts first: of ``ip:10.0.0.1`` and ``user:u-17`` all events of an address that everybody comes from.
"""

from typing import Any

from pymongo.client_session import ClientSession

from eventlog.store.mongo.names import Values
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.search_index import BY_KEY, needed_index

MOST_COUNTED = 1000
"""Index entries of each that are counted for it, in less than a millisecond; what has more is frequent."""


def walked_of(
    operations: Operations, within: dict[str, Any], keys: frozenset[str], values: Values, session: ClientSession
) -> str | None:
    """Choose the key to walk, for a search by keys; None: the types and sources (``values``) are walked.

    ``within``: the bounds on chain and timestamp. However it is chosen, the same events are found.
    """
    # One key alone costs no look. Each count ends where it can't be the smallest any more; ``limit: 0`` would be none.
    chosen, fewest = min(keys), MOST_COUNTED
    if len(keys) == 1 and not values:
        return chosen
    for key in sorted(keys):
        found = _count(operations, within | {"keys": key}, BY_KEY.fields, fewest, session)
        if found < fewest:
            fewest, chosen = found, key
        if not found:
            return chosen
    if values:
        names = {name: {"$in": list(given)} for name, given in values.items()}
        index = ("chain", *(name for name in ("event_type", "source_id") if name in values), "timestamp", "seq")
        if _count(operations, within | names, index, fewest, session) < fewest:
            return None
    return chosen


def _count(
    operations: Operations, query: dict[str, Any], index: tuple[str, ...], most: int, session: ClientSession
) -> int:
    """Count what fits, up to so many."""
    command = {"count": operations.events.name, "query": query, "hint": dict.fromkeys(index, 1), "limit": most}
    with needed_index():
        return int(operations.events.database.command(command, session=session)["n"])
