"""Which types and sources a chain has that fit a filter: one key of an index for each, however many events have it.

MongoDB answers a group by the one field of an index that the others before it fix with a DISTINCT_SCAN: it looks at the
first key of each value and seeks the next value. So a prefix becomes a list of values, and a page of it is what a page
of several types is: a merge of scans that are in order already. An index range over the prefix itself would be in the
order of the types, and every event of them would have to be read and sorted.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import ExecutionTimeout

from eventlog.formats.name_filter import NameFilter, after_prefix
from eventlog.store.errors import TooManyNamesError
from eventlog.store.mongo.operations import Operations

Values = Mapping[str, Sequence[str]]
"""The types and sources to look for, by field; a field that is not there may have any."""
_WORDS = {"event_type": "types", "source_id": "sources"}
MAX_NAMES = 1000
"""Values, or pairs of a type and a source, that one page merges: MongoDB 6.0.5 takes a quarter of a second for so many.

Twenty types and twenty sources, all that can be asked for without a prefix, make 400.
"""
MAX_SECONDS = 5.0
"""What looking for the values of all prefixes may take: half a million of them, if few have events in the times."""


def values_of(
    operations: Operations, chain: str, wanted: Mapping[str, NameFilter], times: dict[str, Any], session: ClientSession
) -> Values:
    """Return the values that fit: those that are asked for as they are, and of prefixes those with settled events.

    ``times`` bounds the timestamps of those events; values of events that are settled later may be among them.

    Raises:
        TooManyNamesError: there are more than ``MAX_NAMES``, or pairs of them, or finding them takes too long.
    """
    values: dict[str, Sequence[str]] = {}
    deadline = time.monotonic() + MAX_SECONDS
    for field, names in wanted.items():
        if not names:
            continue
        found = set(names.exact)
        for prefix in _disjoint(names.prefixes):
            match = {"chain": chain, field: _range(prefix), "timestamp": times}
            found.update(_beginning(operations, match, field, deadline - time.monotonic(), session))
        values[field] = sorted(found)
    # Each pair is a scan of its own, so two lists that are short enough may still be too long together.
    if prod(map(len, values.values())) > MAX_NAMES:
        raise _too_many(max(values, key=lambda field: len(values[field])))
    return values


def beginning(
    operations: Operations, chain: str, field: str, prefix: str, *, limit: int, session: ClientSession
) -> list[str]:
    """List so many settled values of a field that begin so, whatever their times."""
    match: dict[str, Any] = {"chain": chain} | ({field: _range(prefix)} if prefix else {})
    pipeline: list[dict[str, Any]] = [{"$match": match}, {"$group": {"_id": f"${field}"}}, {"$limit": limit}]
    index = dict.fromkeys(("chain", field, "timestamp", "seq"), 1)
    return [row["_id"] for row in operations.events.aggregate(pipeline, session=session, hint=index)]


def _beginning(
    operations: Operations, match: dict[str, Any], field: str, seconds: float, session: ClientSession
) -> Iterator[str]:
    pipeline: list[dict[str, Any]] = [{"$match": match}, {"$group": {"_id": f"${field}"}}, {"$limit": MAX_NAMES + 1}]
    index = dict.fromkeys(("chain", field, "timestamp", "seq"), 1)
    # To MongoDB no milliseconds mean no limit.
    millis = round(1000 * seconds)
    if millis <= 0:
        raise _too_slow(field)
    limits: dict[str, Any] = {"maxTimeMS": millis}
    try:
        for row in operations.events.aggregate(pipeline, session=session, hint=index, **limits):
            yield row["_id"]
    except ExecutionTimeout as error:
        raise _too_slow(field) from error


def _too_many(field: str) -> TooManyNamesError:
    return _refused(field, f"more than {MAX_NAMES} {_WORDS[field]} fit, or pairs of a type and a source")


def _too_slow(field: str) -> TooManyNamesError:
    return _refused(field, f"finding the {_WORDS[field]} that begin so takes more than {MAX_SECONDS:g} seconds")


def _refused(field: str, why: str) -> TooManyNamesError:
    return TooManyNamesError(field, f"{why}; give a longer prefix, or a shorter range of times")


def _range(prefix: str) -> dict[str, str]:
    end = after_prefix(prefix)
    return {"$gte": prefix} if end is None else {"$gte": prefix, "$lt": end}


def _disjoint(prefixes: tuple[str, ...]) -> list[str]:
    """Leave out prefixes of which a shorter one has all names already."""
    return [one for one in prefixes if not any(one != other and one.startswith(other) for other in prefixes)]
