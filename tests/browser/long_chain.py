"""A chain of many events with real hashes, put into MongoDB directly: appending them would take too long."""

from collections.abc import Iterator
from itertools import islice

from bson import Int64
from bson.raw_bson import RawBSONDocument

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Event, make_entry
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.sequences import new_sequence, settled_fields
from tests.support.anchored import ORIGIN

TYPES = ("user.login", "order.paid", "order.shipped", "user.logout")
SOURCES = ("web-1", "web-2", "batch")
_BATCH = 5000


def fill(store: MongoStore, count: int, start: int, millis: int) -> None:
    """Store the chain main with events from ``start`` on, evenly over so many milliseconds."""
    operations = operations_of(store)
    operations.ensure_indexes()
    state = ChainState(0, hashing.genesis(ORIGIN, "main"))
    sequence = new_sequence("main", ORIGIN, state.hash)
    events = _events(state, count, start, millis)
    while batch := list(islice(events, _BATCH)):
        operations.raw_events.insert_many(batch, ordered=False)
    fields = {"size": Int64(count), "settled": settled_fields(state)}
    operations.sequences.insert_one(sequence | fields)


def _events(state: ChainState, count: int, start: int, millis: int) -> Iterator[RawBSONDocument]:
    salt = bytes(16)
    for seq in range(count):
        time = start + seq * millis // count
        entry = make_entry(
            chain="main",
            event_id=f"e-{seq}",
            event_type=TYPES[seq % 4],
            source_id=SOURCES[seq % 3],
            timestamp=time,
            received_at=time,
            principal="tester",
            payload='{"n":1}',
            salt=salt,
        )
        _, prev_hash, digest, nodes = state.append(entry.content_hash)
        yield RawBSONDocument(codec.encode_event(Event(entry, seq, prev_hash, digest, nodes)))
