"""Seeding: a settled chain of any length, as the log itself would have written it, without its cost."""

from random import Random
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, MongoClient
from pymongo.write_concern import WriteConcern

from benchmarks import data
from benchmarks.append import ORIGIN
from eventlog.formats import hashing
from eventlog.formats.event import ChainState
from eventlog.store import codec
from eventlog.store.operations import Operations

_BATCH = 5_000
_POOL = 256


def seed(client: MongoClient[dict[str, Any]], database: str, chain: str, count: int) -> None:
    """Write a new chain of ``count`` settled events, one a second from ``data.START``."""
    operations = Operations(client, database)
    operations.events.create_index([("chain", ASCENDING), ("seq", ASCENDING)], unique=True)
    events = operations.raw_events.with_options(write_concern=WriteConcern(w=1))
    rng = Random(count)
    payloads = data.payloads(rng, _POOL)
    genesis = hashing.genesis(ORIGIN, chain)
    state = ChainState(0, genesis)
    for first in range(0, count, _BATCH):
        times = (data.START + 1000 * number for number in range(first, min(first + _BATCH, count)))
        entries = (data.entry(rng, chain, rng.choice(payloads), time) for time in times)
        events.insert_many([RawBSONDocument(codec.encode_event(e)) for e in state.extend(entries)], ordered=False)
    operations.ensure_indexes()
    settled = {"size": Int64(state.size), "settled": codec.settled_fields(state)}
    operations.sequences.insert_one(codec.new_sequence(chain, ORIGIN, genesis) | settled)
