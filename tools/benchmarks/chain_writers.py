"""The kinds of writers that the benchmarks compare: ours, plain inserts, the naive chain and a transaction."""

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import DESCENDING, MongoClient
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Entry
from eventlog.formats.search_keys import SearchFields, parse_fields
from eventlog.store.interface import Draft
from eventlog.store.mongo import indexes
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import connect, open_log
from eventlog.stored import codec
from eventlog.stored.sequences import settled_fields
from tools.benchmarks import data
from tools.benchmarks.measure import Run
from tools.benchmarks.writers import Operation

ORIGIN = "bench"
CHAIN = "main"
FIELDS = SearchFields(parse_fields("message=/message; pid=/pid; template=/template").fields, 1)
"""All that a payload of ``data.payloads`` has."""
SEARCHED, UNSEARCHED = "searched", "unsearched"
"""The database with the indexes of search fields, and one without, to compare it with."""
_POOL = 64


@cache
def client_of(uri: str) -> MongoClient[dict[str, Any]]:
    """Return a process's only client: the background threads of more would take part in every measurement."""
    return connect(uri)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a writer writes: ``batch`` events at a time with payloads of ``size`` bytes (None: as sshd's).

    ``found``: each is found by its payload's three members (``FIELDS``).
    """

    batch: int = 1
    size: int | None = None
    chosen: bool = False
    found: bool = False

    def entries(self, rng: Random) -> "Entries":
        """Return an endless supply of such batches."""
        return Entries(self, rng)


class Entries:
    """An endless supply of batches."""

    def __init__(self, shape: Shape, rng: Random) -> None:
        self._shape = shape
        self._rng = rng
        self._payloads = data.payloads(rng, _POOL, shape.size)

    def __call__(self) -> list[Entry]:
        """Make the next batch."""
        rng = self._rng
        made = [data.entry(rng, CHAIN, rng.choice(self._payloads)) for _ in range(self._shape.batch)]
        # As a request has it: the keys are derived from each payload anew.
        return [entry._replace(keys=FIELDS.keys_of(entry.payload)) for entry in made] if self._shape.found else made


@dataclass(frozen=True, slots=True)
class Ours:
    """``MongoStore.append``."""

    shape: Shape
    database: str = "ours"

    def __call__(self, uri: str, rng: Random) -> Operation:
        """Make a writer's operation."""
        store = open_log(client_of(uri), self.database, ORIGIN)
        make = self.shape.entries(rng)

        def append() -> int:
            return len(store.append(CHAIN, [Draft(entry, self.shape.chosen) for entry in make()]))

        return append


@dataclass(frozen=True, slots=True)
class Plain:
    """Inserts of the same documents with the same indexes and ``w: majority``, in no order and with no chain."""

    shape: Shape
    database: str = "plain"

    def __call__(self, uri: str, rng: Random) -> Operation:
        """Make a writer's operation."""
        # Seqs from a random place and made-up hashes: documents of the same size, without anything shared between
        # writers.
        events = Operations(client_of(uri), self.database).raw_events
        make = self.shape.entries(rng)
        state = ChainState(rng.randrange(2**40) << 20, rng.randbytes(32))
        state.frontier = [state.hash] * state.size.bit_count()

        def insert() -> int:
            documents = [RawBSONDocument(codec.encode_event(event)) for event in state.extend(make())]
            if len(documents) == 1:
                events.insert_one(documents[0])
            else:
                events.insert_many(documents, ordered=False)
            return len(documents)

        return insert


@dataclass(frozen=True, slots=True)
class Naive:
    """The chain most people write: find the last event, hash, insert. Two writers may follow the same event."""

    shape: Shape
    database: str = "naive"

    def __call__(self, uri: str, rng: Random) -> Operation:
        """Make a writer's operation."""
        events = Operations(client_of(uri), self.database).events
        make = self.shape.entries(rng)

        def insert() -> int:
            last = events.find_one({"chain": CHAIN}, {"seq": 1, "hash": 1}, sort=[("seq", DESCENDING)])
            state = ChainState(last["seq"] + 1, last["hash"]) if last else ChainState(0, hashing.genesis(ORIGIN, CHAIN))
            state.frontier = [state.hash] * state.size.bit_count()
            documents = [RawBSONDocument(codec.encode_event(event)) for event in state.extend(make())]
            events.insert_many(documents)
            return len(documents)

        return insert


@dataclass(frozen=True, slots=True)
class Transaction:
    """The safe chain most people write next: a transaction that reads the head, inserts, and moves the head on."""

    shape: Shape
    database: str = "transaction"

    def __call__(self, uri: str, rng: Random) -> Operation:
        """Make a writer's operation."""
        client = client_of(uri)
        operations = Operations(client, self.database)
        events, heads = operations.raw_events, operations.sequences
        make = self.shape.entries(rng)

        def insert() -> int:
            entries = make()

            # The update matches only the head that was read; a writer that was faster makes MongoDB run the body again.
            def body(session: ClientSession) -> None:
                head = heads.find_one({"_id": CHAIN}, session=session)
                assert head is not None
                state = ChainState(head["size"], head["hash"], list(head["frontier"]))
                documents = [RawBSONDocument(codec.encode_event(event)) for event in state.extend(entries)]
                moved = heads.update_one(
                    {"_id": CHAIN, "size": head["size"]}, {"$set": settled_fields(state)}, session=session
                )
                assert moved.matched_count == 1
                events.insert_many(documents, session=session)

            with client.start_session() as session:
                session.with_transaction(body, ReadConcern("snapshot"), WriteConcern("majority"))
            return len(entries)

        return insert


def prepare(run: Run) -> None:
    """Make empty databases with the log's indexes; the naive chain's can't have a unique (chain, seq)."""
    with run.client() as client:
        for name in ("ours", "plain", "naive", "transaction", SEARCHED, UNSEARCHED):
            client.drop_database(name)
        for name in ("ours", "plain", "transaction", SEARCHED, UNSEARCHED):
            Operations(client, name).ensure_indexes()
        indexes.ensure(Operations(client, SEARCHED).events, indexes.SEARCH)
        naive = Operations(client, "naive").events
        for index in indexes.EVENTS:
            naive.create_index(index.keys)
        head = settled_fields(ChainState(0, hashing.genesis(ORIGIN, CHAIN)))
        Operations(client, "transaction").sequences.insert_one({"_id": CHAIN, **head})


def forks(run: Run, database: str) -> int:
    """Return how many events follow an event that another one follows too."""
    with run.client() as client:
        events = Operations(client, database).events
        distinct = events.aggregate([{"$group": {"_id": "$prev_hash"}}, {"$count": "n"}])
        return events.estimated_document_count() - next((found["n"] for found in distinct), 0)
