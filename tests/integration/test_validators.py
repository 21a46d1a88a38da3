"""Validators let everything through that the log writes and nothing that a careless tool would make of it."""

from pathlib import Path
from typing import Any

import pytest
from bson import Binary, DatetimeMS, Int64
from pymongo import MongoClient
from pymongo.errors import WriteError

from admin.setup import Setup
from eventlog.audit.watch import Watcher
from eventlog.formats.cosignature import cosign
from eventlog.formats.cosigned_note import format_line
from eventlog.store.interface.audits import MARK, POSITION
from eventlog.store.interface.erasures import ErasingState
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.cosignatures import CosignatureRows, WitnessRows
from eventlog.store.mongo.erasures import MongoErasures
from eventlog.store.mongo.quotas import admit
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.sweep import Sweep
from eventlog.store.mongo.watch import MongoWatch
from eventlog.stored.bodies import APART_FROM, put_apart
from eventlog.stored.codec import RAW
from eventlog.stored.cosignatures import StoredCosignature
from eventlog.stored.witness_records import WitnessRecord
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.factories import draft
from tests.support.witnesses import ed25519

pytestmark = pytest.mark.new_database

REFUSED = 121
Client = MongoClient[dict[str, Any]]


@pytest.fixture
def log(client: Client, mongo_uri: str, database: str, store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """An anchored log on a database that was set up."""
    states = {found.state for found in Setup(client, mongo_uri, database, check=False).collections()}
    assert states in ({"created", "skipped"}, {"created", "as declared"})  # on a cluster the second: of shard keys
    return AnchoredLog(store, tmp_path)


def live(log: AnchoredLog) -> None:
    """Something of everything that the log writes."""
    log.append(40)
    odd = [draft("~", payload={"$set": {"a.b": "\u0000"}}, event_type="\u00e9" * 256, timestamp=0)]
    log.store.append("main", odd)
    log.store.append("main", [draft(payload={"text": "x" * APART_FROM})])
    operations_of(log.store).insert_bodies(put_apart([draft(payload={"text": "x" * APART_FROM}).entry], 1), 0)
    assert Sweep(operations_of(log.store)).remove() == 1
    log.append(3, chain="eventlog.x-1")
    log.audit_all("full")
    log.audit_all()
    log.append(600)
    assert operations_of(log.store).push("main", [draft().entry for _ in range(5)], None) is not None
    log.audit("incremental")
    admit(operations_of(log.store), "new", ["someone"], 1)
    (line,) = cosign(f"{ORIGIN}/main\n1\n{'A' * 43}=\n", 7, [ed25519("w", 1)])
    assert CosignatureRows(log.store).add(StoredCosignature("main", 1, 1, "w", format_line(line)))
    WitnessRows(log.store).put(WitnessRecord(chain="main", witness="w", since=0))
    Watcher(MongoWatch(log.store), AuditStore(log.store), "log", anchoring=log.anchoring()).drain(60)


def erase_some(log: AnchoredLog) -> None:
    """Two events of another chain are erased, one of which has a large payload."""
    erasures = MongoErasures(log.store)
    for text in ("short", "x" * APART_FROM):
        log.store.append("erased", [draft(chain="erased", payload={"text": text})])
    log.store.settle("erased")
    erasures.accept("erased", "a request")
    assert erasures.erase(erasures.settled("erased", [0, 1]).values()) == 2
    erasures.reached(ErasingState("erased", 2, (1,)))


def test_everything_that_a_log_writes_passes(log: AnchoredLog) -> None:
    live(log)
    assert log.audit("full").status == "intact"
    erase_some(log)
    assert operations_of(log.store).audits.count_documents({"_id": {"$in": [POSITION, MARK]}}) == 2


def test_what_a_log_without_validators_wrote_fits_them(store: MongoStore, tmp_path: Path) -> None:
    live(log := AnchoredLog(store, tmp_path))
    erase_some(log)
    for declared in COLLECTIONS:
        held = operations_of(store).events.database[declared.name].with_options(codec_options=RAW)
        assert held.count_documents(declared.validator) == held.count_documents({}) > 0, declared.name


def test_reports_of_every_kind_pass(log: AnchoredLog) -> None:
    live(log)
    events = operations_of(log.store).events
    events.delete_one({"chain": "main", "seq": 7})
    operations_of(log.store).sequences.delete_one({"_id": "eventlog.x-1"})
    found = log.audit_all("full")
    assert {name: report.status for name, report in found.items()} == {
        "main": "tampered",
        "eventlog.x-1": "tampered",
        "eventlog.registry": "intact",
    }


HASH = b"h" * 32
ODD_EVENTS: list[dict[str, Any]] = [
    {"seq": 3},
    {"seq": 3.0},
    {"seq": Int64(-1)},
    {"v": Int64(1)},
    {"v": 2},
    {"timestamp": "2026-05-01T10:00:00.000Z"},
    {"payload": {"n": 1}},
    {"salt": "00"},
    {"salt": b"s" * 15},
    {"salt": b"s" * 17},
    {"salt": 16},
    {"payload": ""},
    {"payload": "[]"},
    {"payload_bytes": Int64(40)},
    {"payload_hash": HASH + b"h"},
    {"content_hash": b""},
    {"prev_hash": HASH[1:]},
    {"hash": HASH[1:]},
    {"hash": "aa"},
    {"nodes": [HASH, "aa"]},
    {"nodes": None},
    {"principal": None},
    {"note": "one field more"},
]


@pytest.mark.parametrize(
    "odd",
    [pytest.param(odd, marks=[pytest.mark.replica_set] if "seq" in odd else []) for odd in ODD_EVENTS],
    ids=str,
)
def test_an_event_of_other_types_is_refused(log: AnchoredLog, odd: dict[str, Any]) -> None:
    log.append(5)
    with pytest.raises(WriteError) as raised:
        operations_of(log.store).events.update_one({"chain": "main", "seq": 3}, {"$set": odd})
    assert raised.value.code == REFUSED


@pytest.mark.parametrize("name", ["v", "payload", "nodes", "prev_hash"])
def test_an_event_without_a_field_is_refused(log: AnchoredLog, name: str) -> None:
    log.append(5)
    with pytest.raises(WriteError) as raised:
        operations_of(log.store).events.update_one({"chain": "main", "seq": 3}, {"$unset": {name: 1}})
    assert raised.value.code == REFUSED


ODD_SEQUENCES: list[dict[str, Any]] = [
    {"size": 5},
    {"size": 5.0},
    {"pending_bytes": Int64(-1)},
    {"origin": ""},
    {"settled": None},
    {"settled.size": 5.0},
    {"settled.hash": "aa"},
    {"settled.frontier": [1]},
    {"settled.more": 1},
    {"pending": {}},
    {"swept": 5},
    {"more": 1},
]


@pytest.mark.parametrize("odd", ODD_SEQUENCES, ids=str)
def test_a_sequence_document_of_other_types_is_refused(log: AnchoredLog, odd: dict[str, Any]) -> None:
    log.append(5)
    with pytest.raises(WriteError) as raised:
        operations_of(log.store).sequences.update_one({"_id": "main"}, {"$set": odd})
    assert raised.value.code == REFUSED


ODD_OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("checkpoints", {"number": 1}),
    ("checkpoints", {"number": Int64(0)}),
    ("checkpoints", {"note": Binary(b"note")}),
    ("checkpoints", {"keys": "key"}),
    ("checkpoints", {"more": 1}),
    ("audits", {"status": "fine"}),
    ("audits", {"mode": None}),
    ("audits", {"findings_total": 0}),
    ("audits", {"finished_at": "today"}),
    ("audits", {"lease": 0}),
]
ODD_POSITIONS: list[tuple[str, dict[str, Any]]] = [
    (POSITION, {"token": "text"}),
    (POSITION, {"time": 0}),
    (POSITION, {"signature": "text"}),
    (POSITION, {"more": 1}),
    (MARK, {"mark": 1}),
]


@pytest.mark.parametrize(("name", "odd"), ODD_OTHERS, ids=str)
def test_a_checkpoint_or_report_of_other_types_is_refused(log: AnchoredLog, name: str, odd: dict[str, Any]) -> None:
    log.append(5)
    log.audit()
    with pytest.raises(WriteError) as raised:
        operations_of(log.store).events.database[name].update_one({"chain": "main"}, {"$set": odd})
    assert raised.value.code == REFUSED


def test_a_payload_of_other_types_is_refused(log: AnchoredLog) -> None:
    log.store.append("main", [draft(payload={"text": "x" * APART_FROM})])
    odd: list[dict[str, Any]] = [{"payload": ""}, {"payload": {"n": 1}}, {"at": 5}, {"more": 1}]
    for fields in odd:
        with pytest.raises(WriteError) as raised:
            operations_of(log.store).bodies.rows.update_one({}, {"$set": fields})
        assert raised.value.code == REFUSED, fields
    with pytest.raises(WriteError) as raised:
        operations_of(log.store).events.database["bodies"].insert_one(
            {"_id": "main", "at": DatetimeMS(1), "payload": "{}"}
        )
    assert raised.value.code == REFUSED


def test_a_round_is_stored_as_the_audit_writes_it_and_in_no_other_way(log: AnchoredLog) -> None:
    for chain in ("main", "other"):
        log.append(1, chain)
    for mode in ("full", "incremental"):
        assert len(list(log.auditor().each("full" if mode == "full" else "incremental", 0))) == 1
        audits, name = operations_of(log.store).audits, {"_id": f"round/{mode}"}
        assert audits.find_one(name | {"voucher": {"$type": "binData"}}) is not None
        odd: list[dict[str, Any]] = [{"left": "other"}, {"begun": [1]}, {"chains": 1}, {"mode": "half"}, {"round": ""}]
        for fields in odd:
            with pytest.raises(WriteError) as raised:
                audits.update_one(name, {"$set": fields})
            assert raised.value.code == REFUSED


def test_a_position_or_mark_of_other_types_is_refused(log: AnchoredLog) -> None:
    live(log)
    for document, odd in ODD_POSITIONS:
        with pytest.raises(WriteError) as raised:
            operations_of(log.store).audits.update_one({"_id": document}, {"$set": odd})
        assert raised.value.code == REFUSED, odd


def test_a_sequence_document_that_was_damaged_before_still_takes_events(log: AnchoredLog) -> None:
    log.append(5)
    sequences = operations_of(log.store).sequences
    sequences.database.command("collMod", "sequences", validationLevel="off")
    sequences.update_one({"_id": "main"}, {"$set": {"note": "by hand"}})
    sequences.database.command("collMod", "sequences", validationLevel="moderate")
    (placed,) = log.store.append("main", [draft()])
    assert placed.event.seq == 5
