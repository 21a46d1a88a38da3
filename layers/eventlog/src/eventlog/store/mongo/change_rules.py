"""Which changes of the database the log's own roles never make (``roles.py``), and what ``make db-setup`` makes.

The functions insert events, payloads, copies of anchors and cosignatures, and insert and update sequence documents and
reports; erasing empties the payload, the salt and the keys of an event. All of this but a few the server leaves out
already (``RELEVANT``). What an operator does to bring a database to its declared state, or to shard it, changes no row
and hides none (``settings_rules.py``). Whatever else is done to these collections is told: ``judge``. Whether what was
emptied was to be erased is for the audit to say, which knows what the log orders.

What comes by was looked up on MongoDB 6.0.5 (tests/integration/test_change_rules.py). No content of a row is asked for.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bson import Timestamp

from eventlog.store.interface.audits import MARK
from eventlog.store.interface.watch import Change
from eventlog.store.mongo.erasure_rules import IS_EMPTIED, is_erasure
from eventlog.store.mongo.reindex_rules import FIELDS_SET, SETS_FIELDS, SETS_KEYS, is_reindex
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.settings_rules import judge_setting

_NO_EVIDENCE = ("quotas", "heads", "erasures")
"""Nothing of the log rests on the first and the last, and the second is signed: nobody is told what is done to them."""
_DECLARED = {declared.name: declared for declared in COLLECTIONS if declared.name not in _NO_EVIDENCE}
_ROWS_NEVER_CHANGE = ("events", "bodies", "checkpoints", "cosignatures")
_ROWS_ARE_UPDATED = ("sequences", "audits")
_IS_MARK = {"ns.coll": "audits", "documentKey._id": MARK}
_OUR_UPDATE = SETS_FIELDS | {"$expr": {"$or": [SETS_KEYS, IS_EMPTIED]}}
"""One condition for both: MongoDB 6.0.5 fails to make a filter of a ``$nor`` of two."""
RELEVANT: dict[str, Any] = {
    "$or": [
        {"ns.coll": {"$in": _ROWS_NEVER_CHANGE}, "operationType": {"$ne": "insert"}, "$nor": [_OUR_UPDATE]},
        {"ns.coll": {"$in": _ROWS_ARE_UPDATED}, "operationType": {"$nin": ["insert", "update", "replace"]}},
        {"to.coll": {"$in": list(_DECLARED)}},
        {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
        _IS_MARK,
        {"$expr": {"$lte": [{"$tsIncrement": "$clusterTime"}, 3]}},
    ]
}
"""The server's filter: normal work does not cross the wire. A collection that is renamed to one of ours has ``to``.

The last condition lets the first three changes of each second pass, whatever they are. A server that goes through its
record answers only once it has something, so without them a day's record of nothing but inserts would outlast any time
limit, and the next try would begin at the same place. They cost nothing measurable (80,000 inserts: 0.65 s of the
server's processor with them, 0.61 s without).
"""
FIELDS: dict[str, Any] = {
    "operationType": 1,
    "ns": 1,
    "to": 1,
    "clusterTime": 1,
    "documentKey._id": 1,
    "operationDescription": 1,
    "set": FIELDS_SET,
    "erasure": IS_EMPTIED,
    "updateDescription.removedFields": 1,
    "updateDescription.truncatedArrays": 1,
    "fullDocument.chain": 1,
    "fullDocument.seq": 1,
    "fullDocument.mark": {"$cond": [{"$eq": ["$documentKey._id", MARK]}, "$fullDocument.mark", "$$REMOVE"]},
}
"""What is asked of a change. ``fullDocument`` is there after a replacement; an update is never asked for one."""
_SHOWN = 200
_LEAVES_ROWS_ALONE = frozenset({"shardCollection", "refineCollectionShardKey", "reshardCollection"})
"""An administrator's commands on a sharded cluster: rows move between shards, which a change stream does not show."""


def is_mark(event: Mapping[str, Any]) -> bool:
    """Whether a change is one of our own marks."""
    return (event.get("documentKey") or {}).get("_id") == MARK and "mark" in (event.get("fullDocument") or {})


def removed_payload(event: Mapping[str, Any]) -> str | None:
    """Return the id of a payload that was removed, as an operator may one that no event has; None for other changes."""
    where = str(event.get("operationType")), str((event.get("ns") or {}).get("coll", ""))
    body_id = (event.get("documentKey") or {}).get("_id")
    return body_id if where == ("delete", "bodies") and isinstance(body_id, str) else None


def judge(event: Mapping[str, Any]) -> Change | None:
    """Say what is wrong with a change; None: it is the log's own work, or an operator's honest work."""
    # First what is nobody's fault, then rows, then whole collections, then their settings, for which there are rules.
    operation = str(event.get("operationType"))
    collection = str((event.get("ns") or {}).get("coll", ""))
    described = event.get("operationDescription") or {}
    if operation in _LEAVES_ROWS_ALONE or _is_ours(operation, collection, event):
        return None
    if operation in _ROWS:
        return _change(event, f"the row {_id_of(event)} of {collection} was {_ROWS[operation]}")
    if operation in _WHOLE:
        return _change(event, _WHOLE[operation](collection, event))
    declared = _DECLARED.get(collection)
    verdict = None if declared is None else judge_setting(operation, declared, described)
    if verdict is None:
        return _change(event, f"{operation} on {collection}: this version does not know what that is", wrong=False)
    wrong, what = verdict
    return _change(event, f"{collection}: {what}", wrong=wrong) if what else None


def _is_ours(operation: str, collection: str, event: Mapping[str, Any]) -> bool:
    """Whether it is what the functions do, or is about none of the collections that are told of."""
    if operation == "dropDatabase":
        return False
    if operation == "invalidate":  # it follows a dropDatabase, which is told
        return True
    if collection not in _DECLARED:
        return (event.get("to") or {}).get("coll") not in _DECLARED
    if operation == "insert" or is_reindex(event) or is_erasure(event):
        return True
    return collection in _ROWS_ARE_UPDATED and operation in {"update", "replace"}


_ROWS = {"update": "updated", "replace": "replaced", "delete": "deleted"}
_WHOLE: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    "drop": lambda name, _: f"the collection {name} was dropped",
    "rename": lambda name, event: f"the collection {name[:_SHOWN]} was renamed to {_target(event)}",
    "dropDatabase": lambda *_: "the database was dropped",
}


def _change(event: Mapping[str, Any], what: str, *, wrong: bool = True) -> Change:
    time = event.get("clusterTime")
    chain, seq = _place(event)
    return Change(wrong, chain, seq, time.time * 1000 if isinstance(time, Timestamp) else 0, what)


def _place(event: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Tell the chain and seq of the row that was changed, as far as it says."""
    key, full = (event.get("documentKey") or {}).get("_id"), event.get("fullDocument") or {}
    seq = full.get("seq")
    chain = full.get("chain", key.partition("/")[0] if isinstance(key, str) else None)
    if (event.get("ns") or {}).get("coll") == "audits":  # the id of a report says nothing of its chain
        chain = None
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        seq = None
    return chain if isinstance(chain, str) else None, None if seq is None else int(seq)


def _id_of(event: Mapping[str, Any]) -> str:
    return repr((event.get("documentKey") or {}).get("_id"))[:_SHOWN]


def _target(event: Mapping[str, Any]) -> str:
    to = event.get("to") or {}
    return f"{to.get('db')}.{to.get('coll')}"[:_SHOWN]
