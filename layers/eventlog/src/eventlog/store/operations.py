"""Every single database step of append and settle, one method each, with its read and write concern.

Tests replace these methods to make a step fail, or to die between two of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, MongoClient, ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Entry, Event
from eventlog.store import codec
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.interface import SequenceImage

PENDING_LIMIT = 1 << 20
"""Bytes of pending entries beyond which a push is refused until they are settled."""

CLAIM_SECONDS = 0.25
"""A settler that has not trimmed for this long is taken for dead."""

RawCollection = Collection[RawBSONDocument]

_MAJORITY = WriteConcern(w="majority", wtimeout=5000)
_PUSH_MS = 5000
_DUPLICATE_KEY = 11000
_PUSH_FIELDS = {"settled": 1, "claim": 1, "pending.content_hash": 1, "pending.received_at": 1}

INDEXES: tuple[tuple[str, ...], ...] = (
    ("chain", "timestamp", "seq"),
    ("chain", "event_type", "timestamp", "seq"),
    ("chain", "source_id", "timestamp", "seq"),
    ("chain", "event_type", "source_id", "timestamp", "seq"),
)


class UnknownOutcomeError(Exception):
    """A push may or may not be in. ``in_flight``: the server may still apply it later."""

    def __init__(self, in_flight: bool) -> None:
        super().__init__("the outcome of a push is unknown")
        self.in_flight = in_flight


@dataclass(frozen=True, slots=True)
class PushImage:
    """What a sequence document held right after our own acknowledged push: majority-committed."""

    settled: ChainState
    pending: list[tuple[bytes, int]]
    claim: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Left:
    """What a trim left behind: the number of pending entries and who holds the claim."""

    pending: int
    claimed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a trim removes: ``count`` entries of ``bytes`` bytes after ``before``, with the chain's state ``after``.

    ``claim`` is what the settler leaves as the claim's holder: its own name, or nothing for a successor.
    """

    chain: str
    before: int
    after: ChainState
    count: int
    bytes: int
    owner: str
    claim: str


class Operations:
    """The steps against one database. ``client`` must not retry writes: a retried push could be applied twice."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        self._client = client
        majority = ReadConcern("majority")
        db = client.get_database(database, codec.CODEC, read_concern=majority, write_concern=_MAJORITY)
        self.events = db["events"]
        self.sequences = db["sequences"]
        self.audits = db["audits"]
        self.raw_events: RawCollection = db["events"].with_options(codec_options=codec.RAW)
        self.raw_sequences: RawCollection = db["sequences"].with_options(codec_options=codec.RAW)

    @contextmanager
    def session(self) -> Iterator[ClientSession]:
        """A causally consistent session on the primary."""
        with self._client.start_session(causal_consistency=True) as session:
            yield session

    def ensure_indexes(self) -> None:
        """Create what is missing; harmless when all is there."""
        self.events.create_index([("chain", ASCENDING), ("seq", ASCENDING)], unique=True)
        for fields in INDEXES:
            self.events.create_index([(name, ASCENDING) for name in fields])
        self.audits.create_index([("chain", ASCENDING), ("_id", ASCENDING)])
        self.audits.create_index([("chain", ASCENDING), ("status", ASCENDING), ("to_seq", ASCENDING)])

    def read_sequence(self, chain: str, session: ClientSession) -> SequenceImage | None:
        """Majority read of a sequence document."""
        found = self.raw_sequences.find_one({"_id": chain}, session=session)
        return None if found is None else codec.decode_sequence(bytes(found.raw))

    def read_events(self, chain: str, ids: Iterable[str], session: ClientSession) -> list[Event]:
        """Majority read of settled events by id."""
        keys = [codec.document_id(chain, event_id) for event_id in ids]
        return [
            codec.decode_event(bytes(found.raw))
            for found in self.raw_events.find({"_id": {"$in": keys}}, session=session)
        ]

    def has_events(self, chain: str) -> bool:
        """Whether any event of the chain is stored."""
        return self.events.find_one({"chain": chain}, {"_id": 1}) is not None

    def create(self, chain: str, origin: str) -> None:
        """Create the sequence document of an empty chain (w: majority); one that exists stays as it is."""
        try:
            self.sequences.insert_one(codec.new_sequence(chain, origin, hashing.genesis(origin, chain)))
        except DuplicateKeyError:
            return

    def push(self, chain: str, entries: Sequence[Entry], bound: int | None) -> PushImage | None:
        """The commit (w: majority): append entries to ``pending`` if none of their ids is there and it isn't full.

        With ``bound``, the size seen before the ids were looked up, the push is refused once anything pushed after
        that look-up has been settled: whoever pushed one of the ids meanwhile is then still in ``pending``, where the
        first condition sees it. So a bounded push can't double an id, however late the server applies it.

        Returns None when refused.

        Raises:
            UnknownOutcomeError: no acknowledgement.
        """
        encoded = [codec.encode_entry(entry) for entry in entries]
        condition: dict[str, Any] = {
            "_id": chain,
            "pending_bytes": {"$lt": PENDING_LIMIT},
            "pending.event_id": {"$nin": [entry.event_id for entry in entries]},
        }
        if bound is not None:
            condition["settled.size"] = {"$lte": Int64(bound)}
        update = {
            "$push": {"pending": {"$each": [RawBSONDocument(raw) for raw in encoded]}},
            "$inc": {"size": Int64(len(encoded)), "pending_bytes": Int64(sum(map(len, encoded)))},
        }
        try:
            found = self.sequences.find_one_and_update(
                condition, update, _PUSH_FIELDS, return_document=ReturnDocument.AFTER, maxTimeMS=_PUSH_MS
            )
        except ServerSelectionTimeoutError:  # nothing was sent
            raise
        except AutoReconnect as error:
            raise UnknownOutcomeError(in_flight=not isinstance(error, NotPrimaryError)) from error
        except OperationFailure as error:  # the server answered: a write-concern error, a step-down, a time limit
            raise UnknownOutcomeError(in_flight=False) from error
        return None if found is None else _push_image(found)

    def insert(self, events: Sequence[Event], session: ClientSession) -> None:
        """Insert events (w: majority); identical ones that exist are fine once a majority read shows them.

        Raises:
            CorruptionError: another document stands in an event's place.
        """
        documents = [codec.encode_event(event) for event in events]
        try:
            self.raw_events.insert_many(map(RawBSONDocument, documents), ordered=False, session=session)
        except BulkWriteError as error:
            details = error.details or {}
            failed = details.get("writeErrors", [])
            if details.get("writeConcernErrors") or any(e["code"] != _DUPLICATE_KEY for e in failed):
                raise StoreUnavailableError("MongoDB: settling was not acknowledged") from error
            self._check_duplicates(events, set(documents), session)

    def trim(self, cut: Cut) -> Left | None:
        """Drop the first ``count`` pending entries if ``settled.size`` is still as it was; None if it isn't.

        w: 1 would be safe; w: majority lets a writer that settled its own events see them in its next query.
        """
        more = {"$gt": [{"$size": "$pending"}, cut.count]}
        mine = {"by": {"$literal": cut.claim}, "at": "$$NOW"}
        successor = {"$not": [{"$in": [{"$ifNull": ["$claim.by", ""]}, ["", cut.owner]]}]}
        stage = {
            "settled": {"$literal": codec.settled_fields(cut.after)},
            "pending": {"$cond": [more, {"$slice": ["$pending", cut.count, 2147483647]}, []]},
            "pending_bytes": {"$subtract": ["$pending_bytes", Int64(cut.bytes)]},
            "claim": {"$cond": [more, {"$cond": [successor, "$claim", mine]}, None]},
        }
        found = self.sequences.find_one_and_update(
            {"_id": cut.chain, "settled.size": Int64(cut.before)},
            [{"$set": stage}],
            {"pending.received_at": 1, "claim": 1},
            return_document=ReturnDocument.AFTER,
        )
        return None if found is None else Left(len(found["pending"]), (found["claim"] or {}).get("by"))

    def claim(self, chain: str, owner: str) -> bool:
        """Claim settling (w: 1) unless someone alive has it. Only economy: correctness never depends on it."""
        stale = {"$lt": ["$claim.at", {"$subtract": ["$$NOW", int(CLAIM_SECONDS * 1000)]}]}
        free = {"$or": [{"claim": None}, {"claim.by": ""}, {"$expr": stale}]}
        update = [{"$set": {"claim": {"by": {"$literal": owner}, "at": "$$NOW"}}}]
        sequences = self.sequences.with_options(write_concern=WriteConcern(w=1))
        return sequences.update_one({"_id": chain, **free}, update).matched_count == 1

    def _check_duplicates(self, events: Sequence[Event], expected: set[bytes], session: ClientSession) -> None:
        """Majority reads alone tell corruption from an event that is there but not yet committed."""
        chain, ids = events[0].entry.chain, [codec.document_id(e.entry.chain, e.entry.event_id) for e in events]
        places = {"chain": chain, "seq": {"$in": [Int64(event.seq) for event in events]}}
        found = {
            bytes(document.raw)
            for query in ({"_id": {"$in": ids}}, places)
            for document in self.raw_events.find(query, session=session)
        }
        if found - expected:
            raise CorruptionError(f"another event stands in the place of one at seq {events[0].seq}..{events[-1].seq}")
        if expected - found:
            raise StoreUnavailableError("MongoDB: an event is not yet committed by a majority")


def _push_image(found: dict[str, Any]) -> PushImage:
    try:
        settled = found["settled"]
        state = ChainState(int(settled["size"]), settled["hash"], list(settled["frontier"]))
        pending = [(item["content_hash"], int(item["received_at"])) for item in found["pending"]]
        return PushImage(state, pending, found["claim"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptionError("the sequence document is damaged; run an audit") from error
