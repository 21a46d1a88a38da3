"""Leases on what only one process at a time should do, kept among the audits, where the audit's role may write.

    {_id: "schedule/<mode>", holder, lease}

``lease`` is the server's time when the holder last said that it is at work; on a sharded cluster the router's, as
``$$NOW`` is the clock of whoever was asked. Nothing rests on a lease but that work is not done twice: a document that
is damaged, or of the future, counts as none.
"""

from typing import Any

from bson import DatetimeMS
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from eventlog.store.interface.audits import LEASE_MILLIS
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.store import MongoStore, operations_of

LEASES = ("schedule/full", "schedule/incremental")
_NOBODY = "nobody"


def is_held(millis: int, ahead: int) -> dict[str, Any]:
    """Express that the document's lease was renewed within ``millis``, or says so.

    One of the future counts as none beyond ``ahead`` milliseconds: else a forged one would hold for ever.
    """
    return {
        "$and": [
            {"$eq": [{"$type": "$lease"}, "date"]},
            {"$gt": ["$lease", {"$subtract": ["$$NOW", millis]}]},
            {"$lt": ["$lease", {"$add": ["$$NOW", ahead]}]},
        ]
    }


_IS_HELD = is_held(LEASE_MILLIS, LEASE_MILLIS)


class Leases:
    """``LeaseStore`` on MongoDB (w: majority)."""

    def __init__(self, log: MongoStore) -> None:
        self._audits = operations_of(log).audits

    def take(self, name: str, holder: str) -> bool:
        """Take a lease by one conditional write, unless a live process holds it."""
        ours = {"_id": name, "holder": {"$literal": holder}, "lease": "$$NOW"}
        update: list[dict[str, Any]] = [{"$replaceWith": {"$cond": [_IS_HELD, "$$ROOT", ours]}}]
        with mapped():
            try:
                found = self._audits.find_one_and_update(
                    {"_id": name}, update, {"holder": 1}, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # another has made the document in this very moment
                return False
        return found is not None and bool(found.get("holder") == holder)

    def renew(self, name: str, holder: str) -> None:
        """Extend a lease; nothing happens if another holder has it by now."""
        with mapped():
            self._audits.update_one({"_id": name, "holder": holder}, [{"$set": {"lease": "$$NOW"}}])

    def release(self, name: str, holder: str) -> None:
        """Give a lease back. The audit's role may not remove the document."""
        free = {"holder": _NOBODY, "lease": DatetimeMS(0)}
        with mapped():
            self._audits.update_one({"_id": name, "holder": holder}, {"$set": free})
