"""Attacks on what events are found by: their keys, which are in no hash, and the declaration that they follow from."""

from bson import Int64

from eventlog.audit.declaring import Declaring
from eventlog.formats.search_keys import SearchFields, parse_fields
from eventlog.store.mongo.search_index import BY_KEY
from eventlog.store.search_fields import DeclaredFields
from local.drill.attack import FULL, INCREMENTAL, WATCHER, Attack
from local.drill.drafts import new_draft
from local.drill.log import Document, DrillLog

VICTIM = 40
"""The second of the events that have keys."""


def _found_by_user(log: DrillLog) -> Document:
    """Declare a field and append events that are found by it, honestly; return the victim."""
    Declaring(log.store, parse_fields("user=/user"), log.store.make_search_indexes, log.now).declare()
    fields = DeclaredFields(lambda: log.store).newest() or SearchFields({})
    drafts = [new_draft("main", {"user": f"u-{number}"}) for number in range(3)]
    for each in drafts:
        keys = fields.keys_of(each.entry.payload)
        log.store.append("main", [each._replace(entry=each.entry._replace(keys=keys))])
    log.store.settle("main")
    log.audit("incremental")
    log.watched.clear()
    return log.events.find_one({"chain": "main", "seq": VICTIM}) or {}


def hide(log: DrillLog) -> None:
    """Edit an event's key away, so that no search finds it."""
    victim = _found_by_user(log)
    log.events.update_one({"_id": victim["_id"]}, {"$set": {"keys": []}})


def unindex(log: DrillLog) -> None:
    """Remove an event's keys, as if it had never been indexed."""
    victim = _found_by_user(log)
    log.events.update_one({"_id": victim["_id"]}, {"$unset": {"keys": 1, "keys_version": 1}})


def mislead(log: DrillLog) -> None:
    """Give an event keys by a declaration that nobody has made."""
    victim = _found_by_user(log)
    log.events.update_one({"_id": victim["_id"]}, {"$set": {"keys": ["user:u-9"], "keys_version": Int64(7)}})


def hide_by_index(log: DrillLog) -> None:
    """Make the index of keys anew, with a filter that leaves a user's events out."""
    victim = _found_by_user(log)
    log.events.drop_index(BY_KEY.name)
    log.events.create_index(BY_KEY.keys, partialFilterExpression={"seq": {"$lt": victim["seq"]}})


ATTACKS = [
    Attack("edit an event's key away", "3", hide, FULL, "main index_mismatch 40"),
    Attack("remove an event's keys", "3", unindex, WATCHER, "main altered"),
    Attack("give an event keys by a rule that nobody declared", "3", mislead, FULL, "main index_mismatch 40"),
    Attack("leave events out of the index of keys", "3", hide_by_index, INCREMENTAL, "database schema_mismatch"),
]
