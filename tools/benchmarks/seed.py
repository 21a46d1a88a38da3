"""Puts a chain of any length straight into the database: the same documents that appends would have stored."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel, MongoClient
from pymongo.write_concern import WriteConcern

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Entry
from eventlog.formats.search_keys import SearchFields
from eventlog.store.mongo import indexes
from eventlog.store.mongo.operations import Operations
from eventlog.stored import codec
from eventlog.stored.sequences import new_sequence, settled_fields
from tools.benchmarks import data

ORIGIN = "bench"
_BATCH = 1_000
"""Documents of one insert. The mongod that plays a router aborts when it is asked to insert 5,000 of them at once."""
_POOL = 1_024


def seed(
    client: MongoClient[Any],
    database: str,
    chain: str,
    count: int,
    *,
    start: int = data.START,
    fields: SearchFields | None = None,
) -> None:
    """Store a new chain of ``count`` settled events, one a second from ``start`` on, with all the log's indexes.

    ``fields``: each event has the keys that follow from them, and the indexes of keys are there too.

    Documents are made while the previous batch is stored; indexes that no insert needs are built last.
    """
    # Only the unique index on (chain, seq) is there from the start. ``w: 1``, as nobody else needs the data to be
    # durable.
    operations = Operations(client, database)
    indexes.ensure(operations.events, indexes.EVENTS[:1])
    events = operations.raw_events.with_options(write_concern=WriteConcern(w=1))
    state = ChainState(0, hashing.genesis(ORIGIN, chain))
    with ThreadPoolExecutor(1) as storing:
        stored: Future[Any] = storing.submit(list)
        for first in range(0, count, _BATCH):
            entries = _entries(chain, range(first, min(first + _BATCH, count)), start, fields)
            documents = [RawBSONDocument(codec.encode_event(event)) for event in state.extend(entries)]
            stored.result()
            stored = storing.submit(events.insert_many, documents)
        stored.result()
    document = new_sequence(chain, ORIGIN, state.hash)
    operations.sequences.insert_one(document | {"size": Int64(state.size), "settled": settled_fields(state)})
    built = [*indexes.EVENTS[1:], *(indexes.SEARCH if fields else ())]
    operations.events.create_indexes([IndexModel(index.keys) for index in built])
    operations.ensure_indexes()


def _entries(chain: str, numbers: range, start: int, fields: SearchFields | None) -> Iterator[Entry]:
    """Yield the entries of these numbers: the same types, sources and payloads every time, own ids and salts."""
    rng = Random(numbers.start)
    payloads = data.payloads(rng, _POOL)
    keys = {payload: fields.keys_of(payload) for payload in payloads} if fields else {}
    for number in numbers:
        payload = rng.choice(payloads)
        yield data.entry(rng, chain, payload, start + number * 1000)._replace(keys=keys.get(payload))
