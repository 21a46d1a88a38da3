"""Results of segments on MongoDB: ``{_id: "segment/<chain>/<start>", chain, note}`` among the reports.

``segment-count/<chain>/<index>`` stands there, too (``audit/index_counts.py``).
"""

from collections.abc import Iterator
from typing import Any

from eventlog.store.interface.segments import SEGMENT_PREFIX, segment_id
from eventlog.store.interface.standings import STANDING_PREFIX
from eventlog.store.mongo.cosignatures import AFTER_WITNESSES
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.lenient import LENIENT
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored.witness_records import WITNESS_PREFIX

_BEHIND_SEGMENTS = "segment0"
_BEHIND_STANDINGS = "standing0"
REPORTS_ALONE: dict[str, Any] = {
    "$or": [
        {"_id": {"$not": {"$gte": "segment-"}}},
        {"_id": {"$gte": _BEHIND_SEGMENTS, "$lt": STANDING_PREFIX}},
        {"_id": {"$gte": _BEHIND_STANDINGS, "$lt": WITNESS_PREFIX}},
        {"_id": {"$gte": AFTER_WITNESSES}},
    ]
}
"""All rows but results of segments, standings and those on witnesses: ranges of an index, so none is gone over.

"-" comes before "/" and that before "0": so each range of ids ends right where the next begins.
"""


class SegmentRows:
    """``SegmentStore`` on MongoDB (w: majority)."""

    def __init__(self, log: MongoStore) -> None:
        self._audits = operations_of(log).audits.with_options(LENIENT)

    def note(self, chain: str, start: int) -> bytes | None:
        """See ``SegmentStore.note``."""
        with mapped():
            found = self._audits.find_one({"_id": segment_id(chain, start)}, {"note": 1})
        return None if found is None else _note(found)

    def notes(self, chain: str) -> Iterator[bytes]:
        """See ``SegmentStore.notes``."""
        mine = {"$gte": f"{SEGMENT_PREFIX}{chain}/", "$lt": f"{SEGMENT_PREFIX}{chain}0"}
        with mapped():
            for found in self._audits.find({"_id": mine}, {"note": 1}, sort=[("_id", 1)], batch_size=500):
                yield _note(found)

    def keep(self, chain: str, start: int, note: bytes) -> None:
        """See ``SegmentStore.keep``."""
        key = segment_id(chain, start)
        with mapped():
            self._audits.replace_one({"_id": key}, {"chain": chain, "note": note.decode()}, upsert=True)


def _note(found: dict[str, Any]) -> bytes:
    note = found.get("note")
    return note.encode() if isinstance(note, str) else b""
