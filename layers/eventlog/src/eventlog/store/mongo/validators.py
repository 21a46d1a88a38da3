"""What the documents of each collection are, as MongoDB's validators check it.

A validator refuses what this version never writes, such as an update through a tool that turns an int64 into a double.
It fits what ``stored/`` and the audit's reports make. It is a help and no proof: the audit is that.
Of a sequence document's pending entries it checks nothing: it would look at each of them again on every push.
"""

from collections.abc import Iterable
from typing import Any

from eventlog.formats.hashing import HASH_SIZE, SALT_SIZE
from eventlog.store.interface.audits import MARK, POSITION, ROUND_IDS
from eventlog.store.interface.segments import SEGMENT_COUNT_PREFIX, SEGMENT_PREFIX
from eventlog.store.interface.standings import STANDING_PREFIX
from eventlog.store.mongo.leases import LEASES
from eventlog.stored.heads import NEWEST
from eventlog.stored.witness_records import COSIGNING_STATES, WITNESS_PREFIX

Schema = dict[str, Any]

_HASH = {"bsonType": "binData"}
_HASHES = {"bsonType": "array", "items": _HASH}
_STRING = {"bsonType": "string"}
_NAME = {"bsonType": "string", "minLength": 1}
_DATE = {"bsonType": "date"}
_COUNT = {"bsonType": "long", "minimum": 0}
_PAYLOAD = {"bsonType": "string", "pattern": r"^\{"}
_PAYLOAD_OR_ERASED = {"bsonType": "string", "pattern": r"^(\{|$)"}


def _fields(properties: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Describe a document with exactly these fields; the optional ones may be left out."""
    return {
        "bsonType": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties | (optional or {}),
    }


def _either(kinds: Iterable[str]) -> Schema:
    return {"bsonType": list(kinds)}


EVENT = _fields(
    {
        "_id": _NAME,
        "v": {"bsonType": "int", "enum": [1]},
        "chain": _NAME,
        "event_id": _NAME,
        "seq": _COUNT,
        "event_type": _STRING,
        "source_id": _STRING,
        "timestamp": _DATE,
        "received_at": _DATE,
        "principal": _STRING,
        "salt": _HASH,
        "payload_hash": _HASH,
        "content_hash": _HASH,
        "prev_hash": _HASH,
        "hash": _HASH,
        "nodes": _HASHES,
    },
    {"payload": _PAYLOAD_OR_ERASED, "payload_bytes": {"bsonType": "long", "minimum": 2}},
) | {"oneOf": [{"required": ["payload"]}, {"required": ["payload_bytes"]}]}
EVENT["properties"] |= {
    "keys_version": {"bsonType": "long", "minimum": 1},
    "keys": {"bsonType": "array", "items": _STRING},
}
EVENT["dependencies"] = {"keys_version": ["keys"], "keys": ["keys_version"]}
EVENT_LENGTHS = dict.fromkeys(("payload_hash", "content_hash", "prev_hash", "hash"), HASH_SIZE)
_SALT_BYTES = {"$binarySize": "$salt"}
EVENT_RULE = {
    "$or": [
        {"$and": [{"$eq": [_SALT_BYTES, SALT_SIZE]}, {"$ne": ["$payload", ""]}]},
        {"$and": [{"$eq": [_SALT_BYTES, 0]}, {"$in": [{"$ifNull": ["$payload", ""]}, [""]]}]},
    ]
}
"""An event has a salt and a payload, here or stored apart. If it was erased, it has neither."""
SEQUENCE = _fields(
    {
        "_id": _NAME,
        "origin": _NAME,
        "size": _COUNT,
        "settled": _fields({"size": _COUNT, "hash": _HASH, "frontier": _HASHES}),
        "pending": {"bsonType": "array"},
        "pending_bytes": _COUNT,
    },
    {"swept": _DATE},
)
BODY = _fields(
    {"_id": {"bsonType": "string", "pattern": "^[^/]+/[^/]+/[0-9a-f]{64}$"}, "at": _DATE, "payload": _PAYLOAD}
)
CHECKPOINT = _fields(
    {
        "_id": _NAME,
        "chain": _NAME,
        "number": {"bsonType": "long", "minimum": 1},
        "size": _COUNT,
        "time": _DATE,
        "note": _NAME,
        "keys": {"bsonType": "array", "items": _NAME},
    },
    {"pack": {"bsonType": "long", "minimum": 1}},
)
_REPORT = _fields(
    {
        "_id": _NAME,
        "chain": _STRING,
        "mode": {"enum": ["full", "incremental"]},
        "status": {"enum": ["running", "intact", "tampered", "incomplete"]},
        "from_seq": _COUNT,
        "to_seq": _either(["long", "null"]),
        "events_checked": _COUNT,
        "started_at": _DATE,
        "finished_at": _either(["date", "null"]),
        "findings": {"bsonType": "array", "items": {"bsonType": "object"}},
        "findings_total": _COUNT,
        "lease": _DATE,
    }
) | {"additionalProperties": True}  # what a running audit keeps to go on from is its own affair
QUOTA = _fields({"_id": _NAME, "day": _DATE, "chains": _COUNT})
_LEASE = _fields({"_id": {"enum": list(LEASES)}, "holder": _NAME, "lease": _DATE})
_NAMES = {"bsonType": "array", "items": _STRING}
_ROUND = _fields(
    {
        "_id": {"enum": list(ROUND_IDS)},
        "round": _NAME,
        "mode": {"enum": ["full", "incremental"]},
        "started_at": _DATE,
        "chains": _COUNT,
        "tampered": _COUNT,
        "left": _NAMES,
        "begun": _NAMES,
    }
) | {"additionalProperties": True}  # a voucher, where there are keys
_POSITION = _fields(
    {"_id": {"enum": [POSITION]}, "token": _HASH, "time": _DATE, "signature": _either(["binData", "null"])}
)
_MARK = _fields({"_id": {"enum": [MARK]}, "mark": _NAME})
HEADS = _fields(
    {
        "_id": {"enum": [NEWEST]},
        "event_id": _STRING,
        "before": _STRING,
        "key": _HASH,
        "read_to": _COUNT,
        "chains": _STRING,
        "numbers": {"bsonType": "array", "items": _COUNT},
        "anchors": _HASH,
        "sequences": _HASH,
        "others": _NAMES,
    }
) | {"additionalProperties": True}  # a voucher
_STANDING = _fields(
    {
        "_id": {"bsonType": "string", "pattern": f"^{STANDING_PREFIX}"},
        "chain": _STRING,
        "verdict": {"enum": ["intact", "tampered", "incomplete", "not_audited"]},
        "note": _NAME,
    }
)
COSIGNATURE = _fields(
    {
        "_id": _NAME,
        "chain": _NAME,
        "number": {"bsonType": "long", "minimum": 1},
        "size": _COUNT,
        "witness": _NAME,
        "time": _DATE,
        "line": _NAME,
    }
)
_WITNESS = _fields(
    {
        "_id": {"bsonType": "string", "pattern": f"^{WITNESS_PREFIX}"},
        "chain": _NAME,
        "witness": _NAME,
        "size": _either(["long", "null"]),
        "time": _either(["date", "null"]),
        "state": {"enum": list(COSIGNING_STATES)},
        "since": _DATE,
        "detail": _STRING,
        "asked_at": _either(["date", "null"]),
        "next_try": _DATE,
        "failures": _COUNT,
        "evidence": _either(["string", "null"]),
    }
)
_SEGMENT = _fields({"_id": {"bsonType": "string", "pattern": f"^{SEGMENT_PREFIX}"}, "chain": _NAME, "note": _NAME})
_SEGMENT_COUNT = _fields(
    {
        "_id": {"bsonType": "string", "pattern": f"^{SEGMENT_COUNT_PREFIX}"},
        "chain": _NAME,
        "audit": _NAME,
        "index": _NAME,
        "events": _COUNT,
        "place": _either(["binData", "null"]),
        "done": {"bsonType": "bool"},
        "usable": {"bsonType": "bool"},
        "voucher": _HASH,
        "vouched_at": _DATE,
    }
)
ERASURES = _fields({"_id": _NAME, "next": _COUNT, "open": _NAMES, "waiting": {"bsonType": "array", "items": _COUNT}})
_BESIDE = (_LEASE, _ROUND, _POSITION, _MARK, _STANDING, _WITNESS, _SEGMENT, _SEGMENT_COUNT)
_ANY_REPORT: Schema = {
    "bsonType": "object",
    "required": ["_id", "chain", "mode", "status", "started_at"],
    "properties": {
        "_id": {"bsonType": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        "chain": _STRING,
        "mode": _REPORT["properties"]["mode"],
        "status": _REPORT["properties"]["status"],
        "started_at": _DATE,
    },
}
AUDIT: Schema = {"anyOf": [_REPORT, *_BESIDE]}
"""What this version writes into ``audits``."""

IN_AUDITS: Schema = {"anyOf": [_ANY_REPORT, *_BESIDE]}
"""What a row of ``audits`` is at the least, whichever version wrote it."""

BESIDE_REPORTS = (*LEASES, *ROUND_IDS, POSITION, MARK)
"""Ids in ``audits`` of what is no report: leases, how far rounds are, and how far changes were watched.

What stands of a chain is there, too, under an id that begins with ``STANDING_PREFIX``, what is known of a witness under
one that begins with ``WITNESS_PREFIX``, and results of segments under ``SEGMENT_PREFIX`` and ``SEGMENT_COUNT_PREFIX``.
"""
