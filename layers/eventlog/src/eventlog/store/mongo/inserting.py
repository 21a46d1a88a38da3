"""Inserting documents of which some may be there already."""

from collections.abc import Iterable, Sequence
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database

from eventlog.formats.event import Event
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.stored import codec
from eventlog.stored.erased import erased_document

_DUPLICATE_KEY = 11000


def insert_all(
    database: Database[dict[str, Any]], collection: str, documents: Iterable[bytes], session: ClientSession
) -> bool:
    """Insert documents (w: majority) in one round trip; return whether something stood in the place of any.

    All are tried. What stood there may be the very document, of which no majority knows yet: that takes a majority
    read.

    Raises:
        StoreUnavailableError: not known to be committed by a majority, nor what was stored.
    """
    command = {
        "insert": collection,
        "documents": [RawBSONDocument(document) for document in documents],
        "ordered": False,
        "writeConcern": database.write_concern.document,
    }
    reply = database.command(command, session=session)
    failed = reply.get("writeErrors", [])
    if "writeConcernError" in reply or any(error["code"] != _DUPLICATE_KEY for error in failed):
        raise StoreUnavailableError(f"MongoDB: storing {collection} was not acknowledged")
    return bool(failed)


def check_duplicates(
    rows: Collection[RawBSONDocument], events: Sequence[Event], expected: set[bytes], session: ClientSession
) -> None:
    """Tell corruption from events that are there but not yet committed, which only majority reads can.

    ``expected``: what the events were to be stored as.

    Raises:
        CorruptionError: another document stands in an event's place.
        StoreUnavailableError: an event is not yet committed by a majority.
    """
    # A duplicate key is one of the id or of the seq: both are looked up.
    chain, ids = events[0].entry.chain, [codec.document_id(e.entry.chain, e.entry.event_id) for e in events]
    places = {"chain": chain, "seq": {"$in": [Int64(event.seq) for event in events]}}
    # Keys say nothing of an event that its payload does not say: one that was indexed anew since is the same event.
    found = {
        bytes(document.raw)
        for query in ({"_id": {"$in": ids}}, places)
        for document in rows.find(query, session=session)
    }
    # Nor is one whose payload was erased since another event: all that is left of it is as it was inserted.
    left = {codec.without_keys(erased_document(raw)): codec.without_keys(raw) for raw in expected}
    found, expected = ({codec.without_keys(raw) for raw in documents} for documents in (found, expected))
    found = {left.get(raw, raw) for raw in found}
    if found - expected:
        raise CorruptionError(f"another event stands in the place of one at seq {events[0].seq}..{events[-1].seq}")
    if expected - found:
        raise StoreUnavailableError("MongoDB: an event is not yet committed by a majority")
