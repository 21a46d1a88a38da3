"""A chain's sequence document and its settled events by one command, both of one moment.

An event that is settled between two reads has to be in both, so that the sequence document is read first. Of one
snapshot it is in one of them, or in both, whichever is read first. So MongoDB can begin with the events, whose index is
named, and a page is one round trip.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.raw_reads import opened, run
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage, decode_sequence

_SNAPSHOT = {"level": "snapshot"}
"""The latest moment that a majority has, as where ``majority`` is asked for; and it is one for the whole command."""


class ReadAtOnce(NamedTuple):
    """A chain as of one moment; None: there is none. ``documents`` may have events that are pending, too."""

    image: SequenceImage | None
    documents: list[bytes]


def read_at_once(
    operations: Operations, chain: str, find: Mapping[str, Any], session: ClientSession
) -> ReadAtOnce | None:
    """Find events, with a sort, a hint and a limit, and read the chain's sequence document with them.

    None if it is not all in one answer, or anything is wrong: two reads say what.
    """
    # A router would have to merge what shards have of two collections.
    if operations.routed:
        return None
    database, events = operations.events.database, operations.events.name
    pipeline = [
        *({f"${stage}": find[name]} for stage, name in (("match", "filter"), ("sort", "sort"), ("limit", "limit"))),
        {"$unionWith": {"coll": operations.sequences.name, "pipeline": [{"$match": {"_id": chain}}]}},
    ]
    command = {"aggregate": events, "pipeline": pipeline, "hint": find["hint"], "readConcern": _SNAPSHOT}
    try:
        # With room for one more than there can be: a cursor that may have more stays open.
        number, documents = opened(run(database, command | {"cursor": {"batchSize": find["limit"] + 2}}, session))
        if number:  # more than 16 MiB
            database.command({"killCursors": events, "cursors": [number]}, session=session)
            return None
        return ReadAtOnce(decode_sequence(documents.pop()) if documents else None, documents)
    except (PyMongoError, NotOursError):
        return None
