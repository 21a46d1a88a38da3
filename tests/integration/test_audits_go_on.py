"""Nothing that one chain, row or report holds keeps the audits of the others from being made or shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import DatetimeMS, Int64, ObjectId
from bson.raw_bson import RawBSONDocument
from starlette.testclient import TestClient

from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.anchored import AnchoredLog, kinds

INTACT = {"chain": "aaa", "status": "intact", "to_seq": Int64(99)}
RUNNING = {"chain": "aaa", "status": "running", "lease": DatetimeMS(0)}


def broken_text(document: dict[str, Any]) -> RawBSONDocument:
    """A document whose text "xxx" is no UTF-8."""
    return RawBSONDocument(bson.encode(document).replace(b"xxx", b"\xff\xff\xff"))


DAMAGES: list[Callable[[Operations], Any]] = [
    lambda db: db.audits.insert_one({"_id": "x", **INTACT, "verified": "x"}),
    lambda db: db.audits.insert_one({"_id": "x", **INTACT, "verified": {"size": Int64(3)}}),
    lambda db: db.audits.insert_one({"_id": "x", **INTACT, "verified": {"size": Int64(3), "hash": "x"}}),
    lambda db: db.audits.insert_one({"_id": "x", **RUNNING, "findings": "x", "findings_total": Int64(0)}),
    lambda db: db.audits.insert_one({"_id": "x", **RUNNING, "chain": {"$gt": ""}}),
    lambda db: db.audits.insert_one({"_id": "x", **RUNNING}),
    lambda db: db.audits.insert_one(broken_text({"_id": "x", **INTACT, "verified": "xxx"})),
    lambda db: db.events.insert_one(broken_text({"_id": "x", "chain": "xxx"})),
    lambda db: db.events.insert_one({"_id": "x", "chain": ["main", "aaa"]}),
    lambda db: db.sequences.insert_one(broken_text({"_id": "xxx", "origin": "a"})),
    lambda db: db.sequences.insert_one(broken_text({"_id": "bbb", "origin": "xxx"})),
    lambda db: db.sequences.insert_one({"_id": "A chain, it says"}),
    lambda db: db.sequences.delete_one({"_id": "eventlog.registry"}),
    lambda db: db.checkpoints.insert_one(
        broken_text({"_id": "x", "chain": "aaa", "number": Int64(9), "note": "xxx"}),
    ),
    lambda db: db.events.update_one({"chain": "eventlog.registry"}, {"$set": {"event_id": 5}}),
    lambda db: db.events.update_one({"chain": "eventlog.registry"}, {"$set": {"event_id": "../../x"}}),
]


@pytest.fixture
def log(store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """Two chains, anchored and registered, with an event more each."""
    log = AnchoredLog(store, tmp_path)
    for chain in ("aaa", "main"):
        log.append(3, chain)
    log.audit_all()
    for chain in ("aaa", "main"):
        log.append(1, chain)
    return log


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=[pytest.mark.replica_set] if n in (7, 8) else []) for n in range(len(DAMAGES))]
)
def test_every_chain_is_audited_whatever_stands_beside_it(log: AnchoredLog, number: int) -> None:
    DAMAGES[number](operations_of(log.store))
    for _ in range(2):
        reports = log.audit_all("full")
        assert {"aaa", "main", "eventlog.registry"} <= reports.keys()
        assert reports["main"].status == "intact" or number == 8  # which is a row of main, too
        assert reports["main"].anchored_size == (3 if number == 8 else 4)


@pytest.mark.parametrize("chain", [5, None, 3.5, {"a": 1}, True], ids=repr)
def test_a_row_whose_chain_is_no_text_is_reported_without_a_chain(log: AnchoredLog, chain: Any) -> None:
    operations_of(log.store).events.insert_one({"_id": "main/x", "chain": chain})
    reports = log.audit_all()
    assert (reports[""].status, kinds(reports[""])) == ("tampered", [("unexpected", None)])
    assert reports["main"].status == "intact"


def test_anchored_events_that_were_moved_back_into_pending_and_changed_are_found(log: AnchoredLog) -> None:
    other = AnchoredLog(MongoStore(operations_of(log.store), "example.com/log"), log.folder, signers=log.signers)
    assert other.audit_all("full")["main"].anchored_size == 4
    operations = operations_of(log.store)
    events = list(operations.events.find({"chain": "main"}).sort("seq", 1))
    fields = ("event_id", "event_type", "source_id", "timestamp", "received_at", "principal", "payload", "salt")
    names = (*fields, "payload_hash", "content_hash")
    pending = [{name: event[name] for name in names} for event in events]
    pending[0], pending[1] = pending[1], pending[0]
    genesis = events[0]["prev_hash"]
    settled = {"size": Int64(0), "hash": genesis, "frontier": []}
    size = Int64(sum(len(bson.encode(entry)) for entry in pending))
    operations.events.delete_many({"chain": "main"})
    operations.events.insert_one({"_id": f"main/{pending[0]['event_id']}", "chain": "no chain of ours"})
    moved = {"settled": settled, "pending": pending, "pending_bytes": size}
    operations.sequences.update_one({"_id": "main"}, {"$set": moved})
    for mode in ("incremental", "full"):
        report = log.audit(mode)
        assert report.status == "tampered"
        assert ("rewritten", 3) in kinds(report)


def test_a_first_anchor_is_made_under_no_other_name_than_the_settings_say(log: AnchoredLog) -> None:
    planted = MongoStore(operations_of(log.store), "other.example/log")
    AnchoredLog(planted, log.folder, signers=log.signers).append(2, "planted")
    report = log.audit("full", "planted")
    assert (report.status, log.files("planted")) == ("incomplete", [])
    assert "other.example/log" in (report.incomplete_because or "")


@pytest.mark.parametrize(
    "odd",
    [
        {"_id": ObjectId("0" * 24), **INTACT},
        {"_id": b"x", **INTACT},
        {"_id": "x", **INTACT, "started_at": DatetimeMS(2**60)},
        {"_id": "x", **INTACT, "skew": ObjectId("0" * 24)},
        {"_id": "x", **INTACT, "findings": b"x"},
    ],
    ids=lambda odd: str(sorted(odd)),
)
def test_a_damaged_report_is_listed_as_such_among_the_others(api: TestClient, odd: dict[str, Any]) -> None:
    event = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
    assert api.post("/api/v1/events", json=event).status_code == 201
    assert api.post("/api/v1/audits").status_code == 200
    log = api.app.state.connection.log  # type: ignore[attr-defined]
    operations_of(log).audits.insert_one(odd)
    listed = api.get("/api/v1/audits").json()["audits"]
    assert sorted(report["status"] for report in listed) == ["incomplete", "intact"]


def test_a_damaged_sequence_document_keeps_no_other_chain_from_being_listed(api: TestClient) -> None:
    event = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
    assert api.post("/api/v1/events", json=event).status_code == 201
    log = api.app.state.connection.log  # type: ignore[attr-defined]
    operations_of(log).sequences.insert_one({"_id": "damaged", "origin": 1})
    assert [chain["chain"] for chain in api.get("/api/v1/chains").json()["chains"]] == ["damaged", "main"]
