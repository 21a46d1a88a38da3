"""Rows that no version wrote and that are in no chain are found in every collection, whatever their BSON type."""

from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import uuid4

import bson
import pytest
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from eventlog.audit.auditor import Auditor
from eventlog.formats.cosignature import cosign
from eventlog.formats.cosigned_note import format_line
from eventlog.store.mongo import odd_rows
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.chains_in import chains_in
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.cosignatures import StoredCosignature, encode_cosignature
from tests.support.anchored import ORIGIN, kinds
from tests.support.each import each
from tests.support.used import database_of, rows
from tests.support.witnesses import ed25519

Document = dict[str, Any]


def undefined(document: Document, name: str) -> RawBSONDocument:
    """A document whose null is BSON's undefined, which no driver writes any more."""
    raw = bson.encode(document)
    return RawBSONDocument(raw.replace(b"\x0a" + name.encode(), b"\x06" + name.encode()))


def symbol(document: Document, name: str) -> RawBSONDocument:
    raw = bson.encode(document)
    return RawBSONDocument(raw.replace(b"\x02" + name.encode(), b"\x0e" + name.encode()))


ODD: list[Any] = [
    *(5, Int64(5), 3.5, float("nan"), float("inf"), Decimal128("3"), True, None, b"main", Binary(b"main", 5)),
    *(
        {},
        {"a": 1},
        ObjectId("0" * 24),
        DatetimeMS(0),
        Timestamp(1, 1),
        Code("main"),
        Code("x", {}),
        MinKey(),
        MaxKey(),
    ),
]
ARRAYS: list[Any] = [[], ["ghost"], ["main", "ghost"], [["ghost"]], [1], [None], Regex("^main$")]
"""What ``_id`` can't be."""


TEXTS: list[Any] = [["ghost"], ["main", "ghost"]]
"""Arrays of nothing but text."""


@each(
    "collection, value",
    [
        *product(["events"], [value for value in [*ODD, *ARRAYS] if value not in TEXTS]),
        *product(["checkpoints", "cosignatures", "audits"], [*ODD, *ARRAYS]),
    ],
)
def test_a_row_whose_chain_is_no_text_is_found_by_every_audit(used: MongoStore, collection: str, value: Any) -> None:
    held = database_of(used)[collection]
    held.insert_one({"_id": "planted", "chain": value})
    found = rows(used, whole=False), rows(used, whole=True)
    held.delete_one({"_id": "planted"})
    assert all(len(each) == 1 and "'planted'" in each[0] and collection in each[0] for each in found), found


@each(
    "row",
    [*({"_id": "planted", "chain": value} for value in TEXTS), symbol({"_id": "planted", "chain": "ghost"}, "chain")],
)
def test_an_event_whose_chain_is_text_in_an_array_or_a_symbol_is_reported_by_the_audit_of_that_chain(
    used: MongoStore, row: Any
) -> None:
    held = database_of(used)["events"]
    held.insert_one(row)
    reports = {report.chain: report for report in Auditor(used, AuditStore(used), ORIGIN).audit_all("incremental", 60)}
    held.delete_one({"_id": "planted"})
    assert (reports["ghost"].status, kinds(reports["ghost"])) == ("tampered", [("unexpected", None)])


@each(
    "collection, make",
    [
        *product(
            ["events", "checkpoints", "cosignatures", "audits"],
            [lambda: {"_id": "planted"}, lambda: undefined({"_id": "planted", "chain": None}, "chain")],
        ),
        *product(["checkpoints", "audits"], [lambda: symbol({"_id": "planted", "chain": "zz"}, "chain")]),
    ],
)
def test_so_is_one_without_a_chain_or_with_one_of_a_type_that_is_gone(
    used: MongoStore, collection: str, make: Callable[[], Any]
) -> None:
    held = database_of(used)[collection]
    held.insert_one(make())
    found = rows(used, whole=False), rows(used, whole=True)
    held.delete_one({"_id": "planted"})
    assert all(len(each) == 1 and collection in each[0] for each in found), found


@each("collection", ["sequences", "audits"])
@each("value", ODD)
def test_a_row_whose_id_is_no_text_is_found_by_every_audit(used: MongoStore, collection: str, value: Any) -> None:
    held = database_of(used)[collection]
    held.insert_one({"_id": value, "chain": "main"})
    found = rows(used, whole=False), rows(used, whole=True)
    assert held.delete_many({"_id": {"$not": {"$type": "string"}}}).deleted_count == 1
    assert all(len(each) == 1 and collection in each[0] for each in found), found


REPORT = {"_id": str(uuid4()), "chain": "main", "mode": "full", "status": "intact", "started_at": DatetimeMS(0)}
NO_REPORTS: list[Any] = [
    *({**REPORT, name: value} for name, value in {"_id": "0", "mode": "x", "status": 1, "started_at": 5}.items()),
    *({name: value for name, value in REPORT.items() if name != left} for left in ("mode", "status", "started_at")),
    {"_id": "schedule/full", "holder": "x"},
    {"_id": "schedule/other", "holder": "x", "lease": DatetimeMS(0)},
    RawBSONDocument(bson.encode({**REPORT, "_id": "xxx"}).replace(b"xxx", b"\xff\xfe\xff")),
]
COPY = {
    "_id": "main/000000000009",
    "chain": "main",
    "number": Int64(9),
    "size": Int64(1),
    "time": DatetimeMS(0),
    "note": "n",
    "keys": [],
}
NO_COPIES: list[Any] = [
    *(
        {**COPY, name: value}
        for name, value in {
            "number": 9.0,
            "size": 1,
            "time": 0,
            "note": b"n",
            "keys": [1],
            "_id": "x",
            "more": 1,
        }.items()
    ),
    {**COPY, "_id": ObjectId("0" * 24)},
    {**COPY, "number": 9},
    dict(reversed(COPY.items())),
    RawBSONDocument(bson.encode({**COPY, "note": "xxx"}).replace(b"xxx", b"\xff\xfe\xff")),
]

(SIGNED,) = cosign("example.com/log/main\n1\n" + "A" * 43 + "=\n", 7, [ed25519("w", 1)])
LINE = codec.decode(encode_cosignature(StoredCosignature("main", 9, 1, "w", format_line(SIGNED))))
NO_LINES: list[Any] = [
    *(
        {**LINE, name: value}
        for name, value in {"number": 9.0, "size": 1, "time": DatetimeMS(0), "line": "x", "_id": "x", "more": 1}.items()
    ),
    {**LINE, "witness": "other"},
    dict(reversed(LINE.items())),
]


@each(
    "collection, row",
    [
        *(("audits", row) for row in NO_REPORTS),
        *(("checkpoints", row) for row in NO_COPIES),
        *(("cosignatures", row) for row in NO_LINES),
    ],
)
def test_a_row_of_another_shape_is_found_by_the_full_audit(used: MongoStore, collection: str, row: Any) -> None:
    held = database_of(used)[collection]
    held.insert_one(row)
    found = rows(used, whole=True)
    assert held.delete_one(row).deleted_count == 1
    assert len(found) == 1
    assert collection in found[0]


def test_reports_and_copies_are_gone_over_in_stretches(used: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odd_rows, "_STRETCH", 1)
    audits = operations_of(used).audits
    planted = [{"_id": name, "chain": "main"} for name in ("", "0", "5", "zz")]
    audits.insert_many(planted)
    found = rows(used, whole=True)
    assert audits.delete_many({"_id": {"$in": [row["_id"] for row in planted]}}).deleted_count == len(planted)
    assert [text.split("'")[1] for text in found] == [row["_id"] for row in planted]


def test_more_chains_than_one_answer_has_room_for_are_listed(client: MongoClient[Document], database: str) -> None:
    held = client[database]["held"]
    names = [letter * (1 << 21) for letter in "abcdefghi"]
    held.insert_many([{"chain": name} for name in names])
    assert sorted(chains_in(held)) == names
