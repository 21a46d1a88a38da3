"""The steps of append and settle, one method for each, with its read and write concern.

Tests override these methods to make a step fail, or to end a process between two steps.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pymongo
from bson import Int64, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Entry, Event
from eventlog.store.errors import CorruptionError
from eventlog.store.mongo import indexes
from eventlog.store.mongo.answers import is_over
from eventlog.store.mongo.bodies import BodyRows
from eventlog.store.mongo.by_id import ById
from eventlog.store.mongo.inserting import check_duplicates, insert_all
from eventlog.store.mongo.push import (
    DAMAGED,
    PUSH_SECONDS,
    PushImage,
    UnknownOutcomeError,
    content_hashes,
    push_command,
    push_image,
)
from eventlog.store.mongo.sessions import causal_session
from eventlog.store.mongo.trim import SettledHead, place_of, trim_update
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage, decode_sequence, new_sequence, settled_fields

RawCollection = Collection[RawBSONDocument]

_MAJORITY = WriteConcern(w="majority", wtimeout=4000)  # less than a push may take: the answer says what became of it


class Operations:
    """The steps against one database. ``client`` must not retry writes: a retried push could be applied twice."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        self.client = client
        majority = ReadConcern("majority")
        self._db = db = client.get_database(database, codec.CODEC, read_concern=majority, write_concern=_MAJORITY)
        self._by_id = ById(client)
        self.events = db["events"]
        self.sequences = db["sequences"]
        self.audits = db["audits"]
        self.checkpoints = db["checkpoints"]
        self.cosignatures = db["cosignatures"]
        self.quotas = db["quotas"]
        self.bodies = BodyRows(db)
        self.heads = db["heads"]
        self.erasures = db["erasures"]
        self.raw_events: RawCollection = db["events"].with_options(codec_options=codec.RAW)
        self.raw_sequences: RawCollection = db["sequences"].with_options(codec_options=codec.RAW)

    def close(self) -> None:
        """Close the client."""
        self.client.close()

    @property
    def routed(self) -> bool:
        """Whether a router is between: this is a sharded cluster."""
        return self._by_id.routed

    def session(self) -> AbstractContextManager[ClientSession]:
        """Open a causally consistent session on the primary."""
        return causal_session(self.client)

    def ensure_indexes(self) -> None:
        """See ``indexes.ensure``."""
        indexes.ensure(self.events, indexes.EVENTS)
        indexes.ensure(self.audits, indexes.AUDITS)

    def read_sequence(self, chain: str, session: ClientSession | None = None) -> SequenceImage | None:
        """Read a sequence document (majority)."""
        found = self.raw_sequences.find_one({"_id": chain}, session=session)
        return None if found is None else decode_sequence(bytes(found.raw))

    def read_events(self, chain: str, ids: Iterable[str], session: ClientSession) -> list[Event]:
        """Read settled events by id (majority)."""
        return [
            codec.decode_event(bytes(found.raw))
            for found in self.raw_events.find(**self._by_id.query(chain, ids), session=session)
        ]

    def read_bodies(self, events: Sequence[Event], session: ClientSession | None) -> list[Event]:
        """Give events their payloads where these are stored apart (majority); see ``BodyRows.fill``."""
        return self.bodies.fill(events, session)

    def insert_bodies(self, entries: Sequence[Entry], at: int) -> None:
        """Insert payloads that are stored apart (w: majority); see ``BodyRows.insert``."""
        self.bodies.insert(entries, at)

    def read_hashes(self, chain: str, start: int, end: int) -> dict[int, Any]:
        """Read the hashes of the stored documents with start <= seq < end (majority)."""
        places = {"chain": chain, "seq": {"$gte": Int64(start), "$lt": Int64(end)}}
        return {int(found["seq"]): found.get("hash") for found in self.events.find(places, {"seq": 1, "hash": 1})}

    def read_links(self, chain: str, start: int, end: int, session: ClientSession) -> dict[int, tuple[Any, Any]]:
        """Read (prev_hash, content_hash) of the stored documents with start <= seq < end (majority)."""
        places = {"chain": chain, "seq": {"$gte": Int64(start), "$lt": Int64(end)}}
        fields = {"_id": 0, "seq": 1, "prev_hash": 1, "content_hash": 1}
        found = self.events.find(places, fields, session=session)
        return {int(item["seq"]): (item.get("prev_hash"), item.get("content_hash")) for item in found}

    def any_settled(self, chain: str, ids: Iterable[str], time: Timestamp) -> bool:
        """Whether one of the ids is in ``events``: a majority read not older than ``time``, in one round trip."""
        found = self._db.command(
            {
                "find": self.events.name,
                **self._by_id.query(chain, ids),
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
        """Read the pending ones of start..end-1 (majority); return the seq of the first of them, and the entries.

        Raises:
            CorruptionError: the sequence document is damaged.
            NotOursError: an entry is not one that this version writes.
        """
        # The server skips what comes before ``start``. If more was settled meanwhile, the entries begin after it.
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
        """Read the names and sizes of all chains that have pending entries (majority)."""
        return list(self.sequences.find({"pending.0": {"$exists": True}}, {"size": 1}))

    def read_raw(self, chain: str, start: int, end: int) -> set[bytes]:
        """Read the stored documents with start <= seq < end (majority)."""
        places = {"chain": chain, "seq": {"$gte": Int64(start), "$lt": Int64(end)}}
        return {bytes(found.raw) for found in self.raw_events.find(places)}

    def push(
        self, chain: str, entries: Sequence[Entry], bound: int | None, stored_at: int | None = None
    ) -> PushImage | None:
        """Commit entries: append them to ``pending`` if it isn't full (w: majority). None if the push was refused.

        ``bound`` is the chain's size before the ids were looked up. With it the push is refused if one of the ids is
        pending, or if anything pushed after that look-up has been settled. Until then, an entry of another writer with
        one of the ids is still pending. So a bounded push can't store an id twice, however late the server applies it.
        Ids that no other writer can have need no bound.

        ``stored_at``: when the payloads that are stored apart were. The push is refused if some that were stored later
        than that may have been removed by now, as no event had them.

        Raises:
            UnknownOutcomeError: it was not acknowledged, and may or may not be in.
            CorruptionError: the sequence document is damaged.
        """
        command, own = push_command(chain, entries, bound, stored_at)
        command["writeConcern"] = _MAJORITY.document
        try:
            with pymongo.timeout(PUSH_SECONDS):
                reply = self._db.command(command, codec_options=codec.CODEC)
        except ServerSelectionTimeoutError:  # nothing was sent
            raise
        except (AutoReconnect, OperationFailure) as error:  # the connection broke, or a server or router answered
            raise UnknownOutcomeError(in_flight=not is_over(error)) from error
        if "writeConcernError" in reply:  # applied, and no majority has it yet: it may still be rolled back
            raise UnknownOutcomeError(in_flight=False)
        return None if reply["value"] is None else push_image(reply, own)

    def insert(self, events: Sequence[Event], session: ClientSession, documents: Sequence[bytes] | None = None) -> None:
        """Insert events (w: majority); identical ones that exist are fine once a majority read shows them.

        ``documents``: those of the events, if they are encoded already.

        Raises:
            CorruptionError: another document stands in an event's place.
            StoreUnavailableError: not known to be committed by a majority.
        """
        documents = documents or [codec.encode_event(event) for event in events]
        # A duplicate means that another settler was here, or that something else stands in the place; a read tells.
        if insert_all(self._db, self.events.name, documents, session):
            check_duplicates(self.raw_events, events, set(documents), session)

    def trim(
        self,
        chain: str,
        before: SettledHead,
        after: ChainState,
        size: int | None = None,
        session: ClientSession | None = None,
    ) -> list[bytes] | None:
        """Drop the pending entries between two states, if what is settled is still ``before``.

        Losing a trim loses nothing, so w: 1 is enough. In a session whose caller reads on, w: majority is faster: the
        next read would wait for the journal's next turn otherwise. ``size``: the entries' bytes, if known.

        Returns the content hashes of what is pending then, or None if something else was settled.
        """
        sequences = self.sequences if session else self.sequences.with_options(write_concern=WriteConcern(w=1))
        # The filter names what was settled before: if another process has trimmed meanwhile, nothing matches.
        found = sequences.find_one_and_update(
            place_of(chain, before),
            trim_update(after.size - before[0], after, size),
            {"pending.content_hash": 1},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        return None if found is None else content_hashes(found)

    def trim_all(self, chain: str, before: SettledHead, after: ChainState, size: int) -> bool:
        """Trim as ``trim`` does, if nothing else is pending; return whether that was so. Cheaper for many entries."""
        update = {"$set": {"settled": settled_fields(after), "pending": [], "pending_bytes": Int64(0)}}
        place = place_of(chain, before) | {"size": Int64(after.size), "pending_bytes": Int64(size)}
        updates = {"updates": [{"q": place, "u": update}], "writeConcern": {"w": 1}}
        found = self._db.command({"update": self.sequences.name, **updates})
        return bool(found["n"] == 1)
