"""Every single database step of append and settle, one method each, with its read and write concern.

Tests replace these methods to make a step fail, or to die between two of them.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from bson import Int64, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReturnDocument
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
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.mongo import indexes
from eventlog.store.mongo.push import (
    DAMAGED,
    SHARD_SILENT,
    PushImage,
    UnknownOutcomeError,
    content_hashes,
    push_command,
    push_image,
)
from eventlog.store.mongo.sessions import causal_session
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage, decode_sequence, new_sequence, settled_fields

SettledHead = tuple[int, bytes, bytes]
"""What is settled, as its size and its last event's hash, and the content hash of the first pending entry. No other
chain of the same name, in a database restored meanwhile, has the same."""

RawCollection = Collection[RawBSONDocument]

_MAJORITY = WriteConcern(w="majority", wtimeout=5000)
_DUPLICATE_KEY = 11000


class Operations:
    """The steps against one database. ``client`` must not retry writes: a retried push could be applied twice."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        self._client = client
        majority = ReadConcern("majority")
        self._db = db = client.get_database(database, codec.CODEC, read_concern=majority, write_concern=_MAJORITY)
        self.events = db["events"]
        self.sequences = db["sequences"]
        self.audits = db["audits"]
        self.checkpoints = db["checkpoints"]
        self.raw_events: RawCollection = db["events"].with_options(codec_options=codec.RAW)
        self.raw_sequences: RawCollection = db["sequences"].with_options(codec_options=codec.RAW)

    def session(self) -> AbstractContextManager[ClientSession]:
        """A causally consistent session on the primary."""
        return causal_session(self._client)

    def ensure_indexes(self) -> None:
        """See ``indexes.ensure``."""
        indexes.ensure(self.events, indexes.EVENTS)
        indexes.ensure(self.audits, indexes.AUDITS)

    def read_sequence(self, chain: str, session: ClientSession | None = None) -> SequenceImage | None:
        """Majority read of a sequence document."""
        found = self.raw_sequences.find_one({"_id": chain}, session=session)
        return None if found is None else decode_sequence(bytes(found.raw))

    def read_events(self, chain: str, ids: Iterable[str], session: ClientSession) -> list[Event]:
        """Majority read of settled events by id."""
        keys = [codec.document_id(chain, event_id) for event_id in ids]
        return [
            codec.decode_event(bytes(found.raw))
            for found in self.raw_events.find({"_id": {"$in": keys}}, session=session)
        ]

    def read_hashes(self, chain: str, start: int, end: int) -> dict[int, Any]:
        """Majority read of the hashes of the stored documents with start <= seq < end."""
        places = {"chain": chain, "seq": {"$gte": Int64(start), "$lt": Int64(end)}}
        return {int(found["seq"]): found.get("hash") for found in self.events.find(places, {"seq": 1, "hash": 1})}

    def read_links(self, chain: str, start: int, end: int, session: ClientSession) -> dict[int, tuple[Any, Any]]:
        """Majority read of (prev_hash, content_hash) of the stored documents with start <= seq < end."""
        places = {"chain": chain, "seq": {"$gte": Int64(start), "$lt": Int64(end)}}
        fields = {"_id": 0, "seq": 1, "prev_hash": 1, "content_hash": 1}
        found = self.events.find(places, fields, session=session)
        return {int(item["seq"]): (item.get("prev_hash"), item.get("content_hash")) for item in found}

    def any_settled(self, chain: str, ids: Iterable[str], time: Timestamp) -> bool:
        """Majority read, not older than ``time``, in one round trip: whether one of the ids is in ``events``."""
        keys = [codec.document_id(chain, event_id) for event_id in ids]
        found = self._db.command(
            {
                "find": self.events.name,
                "filter": {"_id": {"$in": keys} if len(keys) > 1 else keys[0]},
                "projection": {"_id": 1},
                "limit": 1,
                "singleBatch": True,
                "readConcern": {"level": "majority", "afterClusterTime": time},
            }
        )
        return bool(found["cursor"]["firstBatch"])

    def has_events(self, chain: str) -> bool:
        """Whether any event of the chain is stored."""
        return self.events.find_one({"chain": chain}, {"_id": 1}) is not None

    def create(self, chain: str, origin: str) -> None:
        """Create the sequence document of an empty chain (w: majority); one that exists stays as it is."""
        try:
            self.sequences.insert_one(new_sequence(chain, origin, hashing.genesis(origin, chain)))
        except DuplicateKeyError:
            return

    def read_pending(self, chain: str, start: int, end: int) -> tuple[int, list[Entry]]:
        """Majority read of pending entries: the first of start..end-1 that is pending still, and those from there on.

        Raises:
            NotOursError
        """
        skip = {"$max": [0, {"$subtract": [start, "$settled.size"]}]}
        fields = {"settled.size": 1, "pending": {"$slice": ["$pending", skip, end - start]}}
        found = self.sequences.find_one({"_id": chain}, fields)
        if found is None:
            return end, []
        try:
            first = max(start, int(found["settled"]["size"]))
            return first, [codec.decode_entry(item, chain) for item in found["pending"][: max(0, end - first)]]
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptionError(DAMAGED) from error

    def read_unsettled(self) -> list[dict[str, Any]]:
        """Majority read of the names and sizes of all chains that have pending entries."""
        return list(self.sequences.find({"pending.0": {"$exists": True}}, {"size": 1}))

    def read_raw(self, chain: str, start: int, end: int) -> set[bytes]:
        """Majority read of the stored documents with start <= seq < end."""
        places = {"chain": chain, "seq": {"$gte": Int64(start), "$lt": Int64(end)}}
        return {bytes(found.raw) for found in self.raw_events.find(places)}

    def push(self, chain: str, entries: Sequence[Entry], bound: int | None) -> PushImage | None:
        """The commit (w: majority): append entries to ``pending`` if it isn't full.

        With ``bound``, the size seen before the ids were looked up, the push is refused if one of the ids is pending,
        or once anything pushed after that look-up has been settled: whoever pushed one of the ids meanwhile is then
        still in ``pending``. So a bounded push can't double an id, however late the server applies it. Ids that
        nobody else can have need no bound.

        Returns None when refused.

        Raises:
            UnknownOutcomeError: no acknowledgement.
        """
        command, size = push_command(chain, entries, bound)
        command["writeConcern"] = _MAJORITY.document
        try:
            reply = self._db.command(command, codec_options=codec.CODEC)
        except ServerSelectionTimeoutError:  # nothing was sent
            raise
        except AutoReconnect as error:
            raise UnknownOutcomeError(in_flight=not isinstance(error, NotPrimaryError)) from error
        except OperationFailure as error:  # the server answered: a step-down, a time limit
            raise UnknownOutcomeError(in_flight=error.code in SHARD_SILENT) from error
        if "writeConcernError" in reply:
            raise UnknownOutcomeError(in_flight=False)
        return None if reply["value"] is None else push_image(reply, size)

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

    def trim(
        self,
        chain: str,
        before: SettledHead,
        after: ChainState,
        size: int | None = None,
        session: ClientSession | None = None,
    ) -> list[bytes] | None:
        """Drop the pending entries between two states (w: 1) if what is settled is still ``before``.

        With a session the caller reads on in it, which would wait for the journal's next turn: then the majority is
        waited for, which comes at once. ``size``: the entries' bytes, if known. Returns the content hashes of what is
        pending then, or None if it wasn't so.
        """
        count = after.size - before[0]
        more = {"$gt": [{"$size": "$pending"}, count]}
        dropped = {"$map": {"input": {"$slice": ["$pending", count]}, "in": {"$bsonSize": "$$this"}}}
        dropped_bytes = {"$toLong": {"$sum": dropped}} if size is None else Int64(size)
        stage = {
            "settled": {"$literal": settled_fields(after)},
            "pending": {"$cond": [more, {"$slice": ["$pending", count, 2147483647]}, []]},
            "pending_bytes": {"$subtract": ["$pending_bytes", dropped_bytes]},
        }
        sequences = self.sequences if session else self.sequences.with_options(write_concern=WriteConcern(w=1))
        found = sequences.find_one_and_update(
            _at(chain, before),
            [{"$set": stage}],
            {"pending.content_hash": 1},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        return None if found is None else content_hashes(found)

    def trim_all(self, chain: str, before: SettledHead, after: ChainState, size: int) -> bool:
        """As ``trim``, but only if nothing else is pending; whether it was so. Much cheaper for many entries."""
        update = {"settled": settled_fields(after), "pending": [], "pending_bytes": Int64(0)}
        sequences = self.sequences.with_options(write_concern=WriteConcern(w=1))
        place = _at(chain, before) | {"size": Int64(after.size), "pending_bytes": Int64(size)}
        return sequences.update_one(place, {"$set": update}).matched_count == 1

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


def _at(chain: str, head: SettledHead) -> dict[str, Any]:
    size, settled_hash, first = head
    return {
        "_id": chain,
        "settled.size": Int64(size),
        "settled.hash": settled_hash,
        "pending.0.content_hash": first,
    }
