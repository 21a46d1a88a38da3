"""What somebody with the database in hand could do to a stored event, and the finding that each edit must give."""

from typing import Any

import bson
from bson import DatetimeMS, Int64

from eventlog.formats import hashing

Document = dict[str, Any]

EDITS: list[tuple[str, Document]] = [
    ("payload_mismatch", {"payload": '{"n":"forged"}'}),
    ("payload_mismatch", {"payload": "{}"}),
    ("unexpected", {"payload": ""}),
    ("unexpected", {"payload": "[1]"}),
    ("payload_mismatch", {"salt": b"\0" * 16}),
    ("unexpected", {"salt": b""}),
    ("unexpected", {"salt": b"\0" * 17}),
    ("payload_mismatch", {"payload_hash": b"\0" * 32}),
    ("unexpected", {"payload_hash": b""}),
    ("unexpected", {"content_hash": b"\0" * 33}),
    ("content_mismatch", {"event_type": "forged"}),
    ("content_mismatch", {"source_id": "forged"}),
    ("content_mismatch", {"event_id": "forged"}),
    ("content_mismatch", {"principal": "forged"}),
    ("content_mismatch", {"timestamp": DatetimeMS(1_700_000_000_001)}),
    ("content_mismatch", {"timestamp": DatetimeMS(-(2**62))}),
    ("content_mismatch", {"received_at": DatetimeMS(0)}),
    ("content_mismatch", {"content_hash": b"\0" * 32}),
    ("hash_mismatch", {"hash": b"\0" * 32}),
    ("link_mismatch", {"prev_hash": b"\0" * 32}),
    ("node_mismatch", {"nodes": [b"\0" * 32]}),
    ("node_mismatch", {"nodes": [b"\0" * 32] * 2}),
    ("unexpected", {"v": 2}),
    ("unexpected", {"v": Int64(1)}),
    ("unexpected", {"note": None}),
    ("unexpected", {"hash": b"\0" * 31}),
    ("unexpected", {"payload": {"n": 1}}),
    ("unexpected", {"timestamp": "2023-11-14T22:13:20.000Z"}),
    ("unexpected", {"nodes": None}),
    ("unexpected", {"salt": bson.Binary(b"\0" * 16, 4)}),
]

NOT_CANONICAL = ['{"n": 1}', '{"n":1.0}', '{"n":1,"n":1}', '{"b":1,"a":1}', '{"n":1} ', "{}}", '{"n":"\\u0061"}', "{n}"]
"""Payloads that no append writes."""


def forged(document: Document, **fields: Any) -> Document:
    """The document with fields changed and every one of its own hashes recomputed; its nodes stay."""
    changed = document | fields
    payload = hashing.payload_hash(changed["salt"], changed["payload"].encode())
    names = ("chain", "event_id", "event_type", "source_id", "principal")
    content = hashing.content_hash(
        **{name: changed[name] for name in names},
        timestamp=int(changed["timestamp"]),
        received_at=int(changed["received_at"]),
        payload_hash=payload,
    )
    digest = hashing.leaf_hash(hashing.leaf(int(changed["seq"]), changed["prev_hash"], content))
    return changed | {"payload_hash": payload, "content_hash": content, "hash": digest}
