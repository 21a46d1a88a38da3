"""The storage of events by collStats: seeded in bulk, and grown insert by insert as a log grows."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from eventlog.store.mongo.operations import Operations
from tools.benchmarks.chain_writers import CHAIN
from tools.benchmarks.measure import Run, Table
from tools.benchmarks.stored import stored

_GROWN = "grown"
_BATCH = 100


def storage(run: Run, count: int) -> Table:
    """Return the bytes for each event: of its document, compressed and not, and of each index."""
    # Twice: indexes built after the events have full pages, those that grew with them don't, as in a log in use.
    seeded = stored(run, count)
    grown = min(count, 5_000 if run.quick else 100_000)
    with run.client() as client:
        _grow(client, seeded, grown)
        columns = [_sizes(client, seeded, count), _sizes(client, _GROWN, grown)]
        client.drop_database(_GROWN)
    return Table(
        f"Growth: storage at {count:,} events",
        "Bytes an event by `collStats` after a checkpoint. Events are those of an sshd log, with payloads of 75..184 "
        "bytes and random salts and hashes; WiredTiger compresses documents with snappy and indexes by prefix. Seeded: "
        "all indexes but the two unique ones were built after the events, so their pages are full. Grown: inserted "
        f"{_BATCH} at a time with every index in place, as settling does.",
        ["", f"{count:,} seeded", f"{grown:,} grown"],
        [[name, *(f"{column[name]:.1f}" for column in columns)] for name in columns[0]],
    )


def _grow(client: MongoClient[dict[str, Any]], source: str, count: int) -> None:
    """Insert a copy of the first events, in order of seq."""
    client.drop_database(_GROWN)
    target = Operations(client, _GROWN)
    target.ensure_indexes()
    events = target.raw_events.with_options(write_concern=WriteConcern(w=1))
    found = Operations(client, source).raw_events.find({"chain": CHAIN}, sort=[("seq", 1)], limit=count)
    while batch := list(islice(found, _BATCH)):
        events.insert_many(batch, ordered=False)


def _sizes(client: MongoClient[dict[str, Any]], database: str, count: int) -> Mapping[str, float]:
    client.admin.command("fsync")
    stats: dict[str, Any] = client[database].command("collStats", "events")
    sizes = {"documents as BSON": stats["size"], "documents as stored": stats["storageSize"]}
    sizes |= {f"index `{name.replace('_1', '')}`": size for name, size in stats["indexSizes"].items()}
    sizes |= {"all indexes": stats["totalIndexSize"], "all as stored": stats["storageSize"] + stats["totalIndexSize"]}
    return {name: size / count for name, size in sizes.items()}
