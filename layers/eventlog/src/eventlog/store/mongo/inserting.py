"""Inserting documents of which some may be there already."""

from collections.abc import Iterable
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database

from eventlog.store.errors import StoreUnavailableError

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
