"""Rows of all collections but quotas that no version wrote, by exact BSON types, so that no chain's audit can see them.

``$type`` and comparisons look into arrays, so ``chain: ["x"]`` passes for text. Here the values themselves are read.
What is text belongs to a chain, however odd its name: that chain's audit reports it, and so it does what is text within
an array, or BSON's symbol, as MongoDB takes either for the text.

Of events, which are many, only what stands before and behind all text in an index is read, whatever arrays there are.
Of the others an index on ``chain`` gives each of its different values, at the cost of one key as long as none is an
array. Indexes do not tell everything about copies of anchors and about reports: those are read whole, if that is asked
for.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from bson import MaxKey, MinKey
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from eventlog.store.mongo.indexes import EVENTS
from eventlog.store.mongo.operations import Operations, RawCollection
from eventlog.store.mongo.validators import BESIDE_REPORTS, IN_AUDITS
from eventlog.stored import codec
from eventlog.stored.anchor_copies import encode_copy, read_copy
from eventlog.stored.cosignatures import encode_cosignature, read_cosignature
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import decode_roughly

_NAMED = 100
"""Rows that are named for each condition; a report names no more."""
_STRETCH = 100_000
"""Reports that one query goes over: it must answer within the driver's timeout."""
_STRING = 2
_NO_TEXT: dict[str, Any] = {"$not": {"$type": "string"}}
_BEFORE_TEXT: Any = ""
_AFTER_TEXT: Any = {}
"""In BSON's order every text is at least the first of these two, and less than the second."""
_NO_REPORT = "is neither a report nor anything else that is kept there"


class OddRows:
    """Finds them, in one database."""

    def __init__(self, operations: Operations) -> None:
        self._events, self._sequences, self._checkpoints, self._audits, self._cosignatures = (
            collection.with_options(codec_options=codec.RAW)
            for collection in (
                operations.events,
                operations.sequences,
                operations.checkpoints,
                operations.audits,
                operations.cosignatures,
            )
        )

    def read(self, *, whole: bool) -> Iterator[str]:
        """See ``DatabaseReads.odd_rows``."""
        yield from self._events_of_no_chain()
        sequences = self._sequences.find({"_id": _NO_TEXT}, {"_id": 1}, limit=_NAMED)
        yield from _told("sequences", sequences, "is of no chain")
        yield from self._all(self._checkpoints, _copy_again) if whole else _of_no_chain(self._checkpoints)
        yield from self._all(self._cosignatures, _line_again) if whole else _of_no_chain(self._cosignatures)
        yield from _told("audits", _beside_text(self._audits, [("_id", 1)]), _NO_REPORT)
        yield from self._all_reports() if whole else _of_no_chain(self._audits, {"_id": {"$nin": list(BESIDE_REPORTS)}})

    @staticmethod
    def _all(collection: RawCollection, again: Callable[[dict[str, Any]], bytes]) -> Iterator[str]:
        """Go over all rows of a collection; each must be what is written ``again`` of what was understood of it."""
        for found in collection.find({}):
            raw = bytes(found.raw)
            why = "is not as this version writes it"
            with suppress(NotOursError):
                if again(codec.decode(raw)) == raw:
                    continue
            yield from _told(collection.name, [found], why)

    def _events_of_no_chain(self) -> Iterator[str]:
        try:
            rows = _beside_text(self._events, EVENTS[0].keys)
        except OperationFailure:  # the index is not there, which the shape says: without it all events are gone over
            rows = list(self._events.find({"chain": _NO_TEXT}, {"chain": 1}, limit=_NAMED))
        for row in rows:
            yield from _told("events", [row], f"belongs to no chain: chain is {_shown(row, 'chain')}")

    def _all_reports(self) -> Iterator[str]:
        """Go over all reports and leases whose id is text, a stretch of ids at a time."""
        start: RawBSONDocument | dict[str, Any] = {"$gte": ""}
        while True:
            ends = self._audits.find({"_id": start}, {"_id": 1}, sort=[("_id", 1)], skip=_STRETCH, limit=1)
            end = next(ends, None)
            stretch = [{"_id": start}, *([] if end is None else [{"_id": _condition(end, b"$lt")}])]
            odd = {"$and": stretch, "$nor": [{"$jsonSchema": IN_AUDITS}]}
            yield from _told("audits", self._audits.find(odd, {"_id": 1}, limit=_NAMED), _NO_REPORT)
            if end is None:
                return
            start = _condition(end, b"$gte")


def _copy_again(document: dict[str, Any]) -> bytes:
    return encode_copy(read_copy(document))


def _line_again(document: dict[str, Any]) -> bytes:
    return encode_cosignature(read_cosignature(document))


def _beside_text(collection: RawCollection, keys: list[tuple[str, int]]) -> list[RawBSONDocument]:
    """Find rows whose first field of an index is no text: the index has them before and behind all text.

    A row with an array there stands at each item, so it may come more than once.
    """
    # The lowest values of the other fields: what begins with the bound's own value is on its far side.
    rest: list[tuple[str, Any]] = [(name, MinKey()) for name, _ in keys[1:]]
    field = keys[0][0]
    before, after = (collection.find({}, {field: 1}, hint=keys, limit=_NAMED) for _ in range(2))
    behind_every_bound = collection.find({field: MaxKey()}, {field: 1}, limit=_NAMED)
    found = [
        *before.max([(field, _BEFORE_TEXT), *rest]),
        *after.min([(field, _AFTER_TEXT), *rest]),
        *behind_every_bound,
    ]
    return list({bytes(row.raw): row for row in found}.values())


def _of_no_chain(collection: RawCollection, among: dict[str, Any] | None = None) -> Iterator[str]:
    """Find rows whose ``chain`` is no text, by the different values that an index has for it."""
    for value in collection.aggregate([{"$sort": {"chain": 1}}, {"$group": {"_id": "$chain"}}]):
        if bytes(value.raw)[4] == _STRING:
            continue
        rows: list[RawBSONDocument] = []
        with suppress(OperationFailure):  # a value that can't be looked for (BSON's undefined): it is told without rows
            query = {"chain": _condition(value, b"$eq")} | (among or {})
            rows = list(collection.find(query, {"_id": 1}, limit=_NAMED))
            if not rows and among:
                continue
        why = f"belongs to no chain: chain is {_shown(value)}"
        yield from _told(collection.name, rows or [value], why)


def _told(collection: str, rows: Iterable[RawBSONDocument], why: str) -> Iterator[str]:
    for row in rows:
        yield f"the row {_shown(row)} of {collection} {why}"


def _shown(row: RawBSONDocument, field: str = "_id") -> str:
    return f"{decode_roughly(bytes(row.raw)).get(field)!r:.200}"


def _condition(row: RawBSONDocument, operator: bytes) -> RawBSONDocument:
    """Build a condition on the very value that stands in ``_id``, whatever it is, from a document with nothing else."""
    raw, name = bytes(row.raw), b"_id\0"
    at = 5 + len(name)
    size = len(raw) + len(operator) + 1 - len(name)
    return RawBSONDocument(size.to_bytes(4, "little") + raw[4:5] + operator + b"\0" + raw[at:])
