"""Appends against plain inserts, the naive chain and a transaction: separate processes on one chain."""

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks import data
from benchmarks.measure import Report, Run
from benchmarks.writers import Operation
from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Entry
from eventlog.store import codec
from eventlog.store.interface import Draft
from eventlog.store.mongo import MongoStore, connect
from eventlog.store.operations import INDEXES, Operations

ORIGIN = "bench"
CHAIN = "main"
_POOL = 64


@cache
def client_of(uri: str) -> MongoClient[dict[str, Any]]:
    """A process's one client: its background threads would otherwise take part in every measurement."""
    return connect(uri)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a writer writes: ``batch`` events at a time with payloads of ``size`` bytes (None: as sshd's)."""

    batch: int = 1
    size: int | None = None
    chosen: bool = False

    def entries(self, rng: Random) -> "Entries":
        return Entries(self, rng)


class Entries:
    """An endless supply of batches."""

    def __init__(self, shape: Shape, rng: Random) -> None:
        self._shape = shape
        self._rng = rng
        self._payloads = data.payloads(rng, _POOL, shape.size)

    def __call__(self) -> list[Entry]:
        rng = self._rng
        return [data.entry(rng, CHAIN, rng.choice(self._payloads)) for _ in range(self._shape.batch)]


@dataclass(frozen=True, slots=True)
class Ours:
    """``MongoStore.append``."""

    shape: Shape
    database: str = "ours"

    def __call__(self, uri: str, rng: Random) -> Operation:
        store = MongoStore(Operations(client_of(uri), self.database), ORIGIN)
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
    """The chain most people write: find the last event, hash, insert. Nothing keeps two from following the same one."""

    shape: Shape
    database: str = "naive"

    def __call__(self, uri: str, rng: Random) -> Operation:
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
    """The safe way most people write next: read the head, insert, and move the head on if nobody else has."""

    shape: Shape
    database: str = "transaction"

    def __call__(self, uri: str, rng: Random) -> Operation:
        client = client_of(uri)
        operations = Operations(client, self.database)
        events, heads = operations.raw_events, operations.sequences
        make = self.shape.entries(rng)

        def insert() -> int:
            entries = make()

            def body(session: ClientSession) -> None:
                head = heads.find_one({"_id": CHAIN}, session=session)
                assert head is not None
                state = ChainState(head["size"], head["hash"], list(head["frontier"]))
                documents = [RawBSONDocument(codec.encode_event(event)) for event in state.extend(entries)]
                moved = heads.update_one(
                    {"_id": CHAIN, "size": head["size"]}, {"$set": codec.settled_fields(state)}, session=session
                )
                assert moved.matched_count == 1
                events.insert_many(documents, session=session)

            with client.start_session() as session:
                session.with_transaction(body, ReadConcern("snapshot"), WriteConcern("majority"))
            return len(entries)

        return insert


def prepare(run: Run) -> None:
    """Empty databases: all with the log's indexes, but that the naive one can't have a unique (chain, seq)."""
    with run.client() as client:
        for name in ("ours", "plain", "naive", "transaction"):
            client.drop_database(name)
        for name in ("ours", "plain", "transaction"):
            Operations(client, name).ensure_indexes()
        naive = Operations(client, "naive").events
        for fields in (("chain", "seq"), *INDEXES):
            naive.create_index([(field, ASCENDING) for field in fields])
        head = codec.settled_fields(ChainState(0, hashing.genesis(ORIGIN, CHAIN)))
        Operations(client, "transaction").sequences.insert_one({"_id": CHAIN, **head})


def forks(run: Run, database: str) -> int:
    """How many events follow one that another event follows too."""
    with run.client() as client:
        events = Operations(client, database).events
        distinct = events.aggregate([{"$group": {"_id": "$prev_hash"}}, {"$count": "n"}])
        return events.estimated_document_count() - next((found["n"] for found in distinct), 0)


def run(run: Run) -> Report:
    """Every table of the append benchmark."""
    prepare(run)
    return Report([])
