"""Standings on MongoDB: ``{_id: "standing/<chain>", chain, verdict, note}`` among the reports."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import DuplicateKeyError

from eventlog.store.interface.standings import STANDING_PREFIX, StandingRow
from eventlog.store.mongo.chain_filter import among
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.lenient import LENIENT
from eventlog.store.mongo.store import MongoStore, operations_of

_FIELDS = {"verdict": 1, "note": 1}
_AFTER = f"{STANDING_PREFIX[:-1]}{chr(ord(STANDING_PREFIX[-1]) + 1)}"
_IDS = {"$gte": STANDING_PREFIX, "$lt": _AFTER}
"""The ids of all standings."""


class StandingRows:
    """``StandingStore`` on MongoDB (w: majority)."""

    def __init__(self, log: MongoStore) -> None:
        self._sequences = operations_of(log).sequences
        self._audits = operations_of(log).audits.with_options(LENIENT)

    def of(self, chains: Sequence[str]) -> dict[str, StandingRow]:
        """See ``StandingReads.of``."""
        ids = [f"{STANDING_PREFIX}{chain}" for chain in chains]
        with mapped():
            found = [_row(row) for row in self._audits.find({"_id": {"$in": ids}}, _FIELDS)]
        return {row.chain: row for row in found}

    def with_verdict(
        self, verdict: str, after: str, limit: int, names: Sequence[str] | None = None
    ) -> list[StandingRow]:
        """See ``StandingReads.with_verdict``; it goes over the ids of all standings."""
        ids = _IDS | {"$gt": f"{STANDING_PREFIX}{after}"}
        query = {"_id": ids, "verdict": verdict} | ({} if names is None else among("chain", names))
        with mapped():
            return [_row(row) for row in self._audits.find(query, _FIELDS, sort=[("_id", 1)], limit=limit)]

    def verdicts(self, names: Sequence[str] | None = None) -> Counter[str]:
        """See ``StandingReads.verdicts``: one query over two collections, of two small fields for each chain."""
        chains, standings = ({} if names is None else among(field, names) for field in ("_id", "chain"))
        mine = {"_id": _IDS, "chain": {"$ne": ""}}
        theirs = [{"$match": mine}, {"$match": standings}, {"$project": {"chain": 1, "verdict": 1}}]
        steps: list[Mapping[str, Any]] = [
            {"$match": chains},
            {"$project": {"chain": "$_id", "there": {"$literal": True}}},
            {"$unionWith": {"coll": self._audits.name, "pipeline": theirs}},
            {"$group": {"_id": "$chain", "verdict": {"$max": "$verdict"}, "there": {"$max": "$there"}}},
            {"$match": {"$or": [{"there": True}, {"verdict": "tampered"}]}},
            {"$group": {"_id": "$verdict", "chains": {"$sum": 1}}},
        ]
        with mapped():
            return Counter({str(row["_id"] or ""): int(row["chains"]) for row in self._sequences.aggregate(steps)})

    def swap(self, before: StandingRow | None, after: StandingRow) -> bool:
        """See ``StandingStore.swap``; the note that stands there is the condition of the write."""
        with mapped():
            if before is not None:
                as_it_was = {"_id": _key(after), "note": before.note.decode()}
                return self._audits.replace_one(as_it_was, _document(after)).matched_count == 1
            try:
                self._audits.insert_one(_document(after))
            except DuplicateKeyError:
                return False
            return True

    def put(self, after: StandingRow) -> None:
        """See ``StandingStore.put``."""
        with mapped():
            self._audits.replace_one({"_id": _key(after)}, _document(after), upsert=True)


def _key(row: StandingRow) -> str:
    return f"{STANDING_PREFIX}{row.chain}"


def _document(row: StandingRow) -> dict[str, Any]:
    return {"_id": _key(row), "chain": row.chain, "verdict": row.verdict, "note": row.note.decode()}


def _row(found: dict[str, Any]) -> StandingRow:
    note, verdict = found.get("note"), found.get("verdict")
    chain = str(found["_id"]).removeprefix(STANDING_PREFIX)
    return StandingRow(chain, note.encode() if isinstance(note, str) else b"", str(verdict))
