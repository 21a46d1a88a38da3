"""Finds whose documents stay the bytes that the server sent: the driver makes an object of each, of bytes too."""

from collections.abc import Generator, Iterator
from struct import unpack_from
from typing import Any

import pymongo
from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

from eventlog.store.mongo.operations import Operations
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError

Batches = Generator[list[bytes], None, None]
_MAJORITY = {"level": "majority"}
_TRY_AGAIN = frozenset({6, 7, 89, 134, 262, 9001})
"""Error codes after which a read may be tried again (specification of retryable reads); of others that it names the
driver makes an ``AutoReconnect``."""
_DOCUMENT = 3
"""The type of an element of an array that is a document (bsonspec.org)."""


def find_batches(operations: Operations, find: dict[str, Any], session: ClientSession) -> Batches:
    """Find stored events, in batches of ``batchSize``; ``find``: the command's fields but the collection's name."""
    if not operations.routed:
        return read_documents(operations.events.database, {"find": operations.events.name, **find}, session)
    # The driver knows at which of several routers a cursor is; a command could go to another.
    options: dict[str, Any] = {"sort": list(find["sort"].items()), "limit": find.get("limit", 0)}
    if "hint" in find:
        options["hint"] = list(find["hint"].items())
    size = find["batchSize"]
    return _raw_batches(operations.raw_events.find(find["filter"], session=session, batch_size=size, **options), size)


def _raw_batches(cursor: Cursor[RawBSONDocument], size: int) -> Batches:
    with cursor:
        while found := cursor.to_list(size):
            yield [bytes(document.raw) for document in found]


def read_documents(database: Database[dict[str, Any]], find: dict[str, Any], session: ClientSession) -> Batches:
    """Run a ``find`` command (majority, causally after what the session has read); yield batches of documents.

    It is tried once more where the connection was lost, or a router's to a shard, as the driver does for its own reads.

    Raises:
        NotOursError: an answer is none of a cursor.
    """
    time = session.operation_time
    concern = _MAJORITY if time is None else _MAJORITY | {"afterClusterTime": time}
    command = find | {"readConcern": concern}
    try:
        reply = run(database, command, session)
    except (AutoReconnect, OperationFailure) as error:
        if isinstance(error, OperationFailure) and error.code not in _TRY_AGAIN:
            raise
        reply = run(database, command, session)
    number: Int64 = Int64(0)
    size = {"batchSize": find["batchSize"]} if "batchSize" in find else {}
    try:
        while True:
            number, documents = opened(reply)
            del reply  # it is as large as the documents
            yield documents
            if not number:
                return
            more = {"getMore": number, "collection": find["find"]}
            with pymongo.timeout(None):  # a limit would be sent as ``maxTimeMS``, which such a getMore may not have
                reply = run(database, more | size, session)
    finally:
        if number:  # nobody wants the rest
            database.command({"killCursors": find["find"], "cursors": [number]}, session=session)


def run(database: Database[dict[str, Any]], command: dict[str, Any], session: ClientSession) -> RawBSONDocument:
    """Run a command; return the bytes of its answer."""
    return database.command(command, codec_options=codec.RAW, session=session)


def opened(reply: RawBSONDocument) -> tuple[Int64, list[bytes]]:
    """Return a cursor's number, 0 if it has no more, and its documents.

    Raises:
        NotOursError: it is the answer of no cursor.
    """
    cursor = reply["cursor"]
    raw = bytes(cursor.raw)
    # A server writes the batch first, and then what is short: number and name.
    at = raw.index(0, 5) + 1
    if raw[4] != 4 or not raw[5:at].endswith(b"Batch\0"):
        if cursor.get("firstBatch") == []:  # of a collection that is not there it writes them the other way round
            return cursor["id"], []
        raise NotOursError("an answer does not begin with a batch")
    end = at + unpack_from("<i", raw, at)[0]
    documents = list(_items(raw, at + 4, end - 1))
    rest = codec.decode((len(raw) - end + 4).to_bytes(4, "little") + raw[end:])
    return rest["id"], documents


def _items(raw: bytes, at: int, end: int) -> Iterator[bytes]:
    while at < end and raw[at] == _DOCUMENT:
        start = raw.index(0, at) + 1
        at = start + unpack_from("<i", raw, start)[0]
        yield raw[start:at]
