"""Settling many chains at once, for a round of audits over chains that have all grown a little: four round trips.

The rules of ``settle.py`` hold as they do there: the entries come from a majority read, and each is trimmed only once a
majority has its event. Whatever is not plain is left as it is, for ``Settler`` to settle alone, which says what is
wrong with it: a chain with much pending, one whose documents are damaged, one that another settler is at, one that
others append to meanwhile.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from bson.raw_bson import RawBSONDocument
from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError

from eventlog.formats.event import ChainState, Event
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.trim import place_of, trim_update
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage, decode_sequence

MUCH_BYTES = 64 << 10
"""A sequence document of more bytes, as much is pending, is settled alone: so a batch stays small."""


class _Grown(NamedTuple):
    """A chain with something pending: where it stood, its pending entries as events, and its state after them."""

    image: SequenceImage
    events: list[Event]
    after: ChainState


def settle_many(operations: Operations, chains: Sequence[str]) -> dict[str, str]:
    """Settle what is pending of these chains; return those that are known to be settled, with their origins.

    Raises:
        PyMongoError: the database can't be reached; what was done until then is right as it is.
    """
    with operations.session() as session:
        images = list(_images(operations, chains, session))
        grown = [_placed(image) for image in images if image.pending]
        if grown:
            _trim(operations, _insert(operations, grown, session), session)
            images = list(_images(operations, chains, session))
    return {image.chain: image.origin for image in images if not image.pending}


def _images(operations: Operations, chains: Sequence[str], session: ClientSession) -> Iterator[SequenceImage]:
    """Read the sequence documents (majority, rule 1), without large ones and those that can't be understood."""
    for found in operations.raw_sequences.find({"_id": {"$in": list(chains)}}, session=session):
        raw = bytes(found.raw)
        if len(raw) <= MUCH_BYTES:
            with suppress(NotOursError):
                yield decode_sequence(raw)


def _placed(image: SequenceImage) -> _Grown:
    after = image.settled.copy()
    return _Grown(image, list(after.extend(image.pending)), after)


def _insert(operations: Operations, grown: Sequence[_Grown], session: ClientSession) -> list[_Grown]:
    """Insert the events of all (w: majority); return the chains of which each event was stored by this.

    An event that is there already may be another settler's and not yet committed by a majority, or not what is pending
    at all. Which it is takes reads, and ``Settler`` makes them.
    """
    rows = [(number, codec.encode_event(event)) for number, one in enumerate(grown) for event in one.events]
    failed = set[int]()
    try:
        operations.raw_events.insert_many([RawBSONDocument(raw) for _, raw in rows], ordered=False, session=session)
    except BulkWriteError as error:
        details = error.details or {}
        if details.get("writeConcernErrors"):  # no majority is known to have any of them (rule 2)
            return []
        failed = {rows[wrong["index"]][0] for wrong in details.get("writeErrors", ())}
    return [one for number, one in enumerate(grown) if number not in failed]


def _trim(operations: Operations, stored: Sequence[_Grown], session: ClientSession) -> None:
    """Trim from each sequence document what was pending in its image, unless another settler has.

    Which trims did something is not asked for: the next read of the documents says what is settled.
    """
    trims = []
    for image, events, after in stored:
        place = place_of(image.chain, (image.settled.size, image.settled.hash, events[0].entry.content_hash))
        size = sum(len(codec.encode_entry(entry)) for entry in image.pending)
        trims.append(UpdateOne(place, trim_update(len(events), after, size)))
    if trims:
        with suppress(BulkWriteError):
            operations.sequences.bulk_write(trims, ordered=False, session=session)
