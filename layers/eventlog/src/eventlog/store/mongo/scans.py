"""Reads of a chain's stored events in the order of their seq, for the audit: in batches, of which one is read ahead."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

from bson import Int64
from pymongo.client_session import ClientSession

from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.raw_reads import Batches, find_batches

BATCH = 2_000
"""Documents that one answer of MongoDB has at most."""
_T = TypeVar("_T")


def scan_batches(
    operations: Operations,
    session: ClientSession,
    chain: str,
    seqs: tuple[int, int | None],
    *,
    limit: int = 0,
    arrays: bool = True,
) -> Batches:
    """Read what ``AuditReads.scan`` reads; ``seqs``: start and end."""
    start, end = seqs
    # A bound matches a seq of any numeric type, and an array if one of its items lies within: the audit sees what
    # nobody should have written, too.
    bounds: dict[str, Any] = {"$gte": Int64(start)} | ({} if end is None else {"$lt": Int64(end)})
    bounds |= {} if arrays else {"$not": {"$type": "array"}}
    query = {"chain": chain, "seq": bounds}
    find = {"filter": query, "sort": {"seq": 1}, "batchSize": BATCH} | ({"limit": limit} if limit else {})
    batches = find_batches(operations, find, session)
    with closing(batches):
        for batch in batches:
            yield from operations.bodies.joined_portions(batch, session)


def ahead(items: Generator[_T, None, None]) -> Generator[_T, None, None]:
    """Yield items, while another thread fetches the next one: who takes them and the database work side by side."""
    # Only ever one thread at a time is in ``items``, and so in its session.
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
