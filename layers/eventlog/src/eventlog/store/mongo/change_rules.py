"""Which changes of the database the log's own roles never make (``roles.py``), and what ``make db-setup`` makes.

The functions insert events, payloads, copies of anchors and cosignatures, and insert and update sequence documents and
reports; erasing empties the payload, the salt and the keys of an event. All of this but a few the server leaves out
already (``RELEVANT``). What an operator does to bring a database to its declared state, or to shard it, changes no row
and hides none. Whatever else is done to these collections is told: ``judge``. Whether what was emptied was to be erased
is for the audit to say, which knows what the log orders.

What comes by was looked up on MongoDB 6.0.5 (tests/integration/test_change_rules.py). No content of a row is asked for.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bson import Timestamp

from eventlog.store.interface.audits import MARK
from eventlog.store.interface.watch import Change
from eventlog.store.mongo.erasure_rules import IS_EMPTIED, is_erasure
from eventlog.store.mongo.indexes import Index
from eventlog.store.mongo.reindex_rules import FIELDS_SET, SETS_FIELDS, SETS_KEYS, is_reindex
from eventlog.store.mongo.schema import COLLECTIONS, Declared

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
_ANOTHER_COLLECTION = frozenset(
    {
        "capped",
        "cappedMax",
        "cappedSize",
        "clusteredIndex",
        "collation",
        "expireAfterSeconds",
        "max",
        "pipeline",
        "size",
    }
    | {"timeseries", "viewOn"}
)
"""Options with which queries return something else, or rows go by themselves."""
_ANOTHER_INDEX = frozenset({"collation", "expireAfterSeconds", "hidden", "partialFilterExpression", "sparse"})
"""Options with which an index leaves rows out, finds others, can't be used or removes rows."""
_HIDES_NOTHING = frozenset(
    {"changeStreamPreAndPostImages", "idIndex", "validator", "validationLevel", "validationAction"}
)


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
    if operation not in _SETTINGS:
        return _change(event, f"{operation} on {collection}: this version does not know what that is", wrong=False)
    wrong, what = _SETTINGS[operation](_DECLARED[collection], described)
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
_Verdict = tuple[bool, str]
"""Whether it is wrong for certain, and what was done; without words it is fine."""
_FINE: _Verdict = (False, "")


def _created(declared: Declared, options: Mapping[str, Any]) -> _Verdict:
    """Judge ``create``: as declared, or plain, as the first insert makes it where nobody has run ``make db-setup``."""
    return _options(declared, options, "it was made anew with")


def _modified(declared: Declared, options: Mapping[str, Any]) -> _Verdict:
    """Judge ``collMod``: of an index or of options."""
    if "index" in options:
        return _modified_index(declared, options["index"])
    return _options(declared, options, "it was changed in")


def _options(declared: Declared, options: Mapping[str, Any], what: str) -> _Verdict:
    """Judge options of a collection; what a later server may have more is not known to be wrong."""
    if other := sorted(options.keys() & _ANOTHER_COLLECTION):
        return True, f"{what} {', '.join(other)}"
    if unknown := sorted(options.keys() - _HIDES_NOTHING):
        return False, f"{what} {', '.join(unknown)}, which this version does not know"
    return _validator(declared, options)


def _validator(declared: Declared, options: Mapping[str, Any]) -> _Verdict:
    """Judge the rules for its documents, which another version of the log may declare in another way.

    No version declares none at all, or one without a schema, or one that is not enforced.
    """
    given = {name: value for name, value in options.items() if name.startswith("valid")}
    if all(declared.options[name] == value for name, value in given.items()):
        return _FINE
    schema = "validator" not in given or "$jsonSchema" in (given["validator"] or {})
    enforced = given.get("validationLevel") != "off" and given.get("validationAction") != "warn"
    if schema and enforced:
        return False, "its validator was changed to one that this version does not declare"
    return True, "its validator was removed or changed to one that no version declares"


def _modified_index(declared: Declared, change: Mapping[str, Any]) -> _Verdict:
    """Judge a change of one index: of a declared one, any but to show it again; of others, only an expiry."""
    index = _declared_index(declared, change)
    options = {name: value for name, value in change.items() if name not in {"name", "keyPattern"}}
    if (index is None and "expireAfterSeconds" not in options) or options == {"hidden": False}:
        return _FINE
    return True, f"the index {str(change.get('name'))[:_SHOWN]} was changed ({', '.join(sorted(options))})"


def _created_indexes(declared: Declared, described: Mapping[str, Any]) -> _Verdict:
    """Judge ``createIndexes``: none under a declared name or on declared fields may differ, and none may remove rows.

    Another index is an operator's business: no query of the log uses it.
    """
    for found in described.get("indexes") or []:
        index = _declared_index(declared, found)
        if "expireAfterSeconds" in found or (index is not None and not _is_as_declared(index, found)):
            return True, f"the index {str(found.get('name'))[:_SHOWN]} was made, and is none that is declared"
    return _FINE


def _dropped_indexes(declared: Declared, described: Mapping[str, Any]) -> _Verdict:
    """Judge ``dropIndexes``: only one that is as declared may not go. One that differs is dropped to be put right."""
    for found in described.get("indexes") or []:
        index = _declared_index(declared, found)
        # Without an index of search fields, searches that need it fail; none is answered from another.
        if index is not None and index not in declared.search and _is_as_declared(index, found):
            return True, f"the index {index.name} was dropped"
    return _FINE


_SETTINGS: dict[str, Callable[[Declared, Mapping[str, Any]], _Verdict]] = {
    "create": _created,
    "modify": _modified,
    "createIndexes": _created_indexes,
    "dropIndexes": _dropped_indexes,
}


def _declared_index(declared: Declared, found: Mapping[str, Any]) -> Index | None:
    """Find the declared index that has this one's name or its fields."""
    fields = tuple(found.get("key") or found.get("keyPattern") or ())
    return next(
        (
            index
            for index in (*declared.indexes, *declared.search)
            if index.name == found.get("name") or index.fields == fields
        ),
        None,
    )


def _is_as_declared(index: Index, found: Mapping[str, Any]) -> bool:
    """Whether an index has the declared fields and serves as the declared one does; its name is free."""
    same = list((found.get("key") or {}).items()) == index.keys and bool(found.get("unique")) == index.unique
    return same and not any(found.get(option) for option in _ANOTHER_INDEX)


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
