"""Whatever is changed straight in MongoDB is found by the audit, named by kind and seq, and nothing else is."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import bson
import pytest
from bson import DatetimeMS, Decimal128, Int64, MaxKey, MinKey
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from tests.support.edits import EDITS, NOT_CANONICAL, Document, forged
from tests.support.factories import draft

ORIGIN = "example.com/log"
SIZE = 20
PLACES = [0, 11, SIZE - 1]
Kinds = list[tuple[str, int | None]]


class Log:
    """A chain of ``SIZE`` events and hands to damage it with."""

    def __init__(self, store: MongoStore) -> None:
        self.store = store
        self.events = operations_of(store).events
        self.sequences = operations_of(store).sequences
        store.append("main", [draft(f"e{number}", payload={"n": number}) for number in range(SIZE)])
        store.settle("main")

    def audit(self, mode: str = "full") -> AuditReport:
        auditor = Auditor(self.store, AuditStore(self.store), ORIGIN)
        return auditor.run(auditor.start("main", "full" if mode == "full" else "incremental"), 60)

    def found(self, mode: str = "full") -> Kinds:
        report = self.audit(mode)
        assert report.findings_total == len(report.findings)
        assert report.status == ("tampered" if report.findings else "intact")
        return [(finding.kind, finding.seq) for finding in report.findings]

    def get(self, seq: int) -> Document:
        document = self.events.find_one({"chain": "main", "seq": seq})
        assert document is not None
        return document

    def set(self, seq: int, **fields: Any) -> None:
        assert self.events.update_one({"chain": "main", "seq": seq}, {"$set": fields}).modified_count == 1

    def set_sequence(self, **fields: Any) -> None:
        changed = {name.replace("__", "."): value for name, value in fields.items()}
        assert self.sequences.update_one({"_id": "main"}, {"$set": changed}).modified_count == 1

    def extra(self, **fields: Any) -> None:
        self.events.insert_one(self.get(3) | {"_id": f"main/{uuid4()}"} | fields)


@pytest.fixture(scope="module")
def shared(client: MongoClient[Document]) -> Iterator[MongoStore]:
    """One database for all these tests: creating collections and indexes is what takes time."""
    name = f"test_{uuid4().hex[:12]}"
    yield open_log(client, name, ORIGIN)
    client.drop_database(name)


@pytest.fixture
def log(shared: MongoStore) -> Log:
    operations = operations_of(shared)
    for collection in (operations.events, operations.sequences, operations.audits):
        collection.delete_many({})
    return Log(shared)


def test_a_chain_nobody_touched_is_intact(log: Log) -> None:
    report = log.audit()
    assert (report.status, report.findings, report.events_checked) == ("intact", (), SIZE)
    assert report.checked_root == log.store.chain("main").state.root.hex()  # type: ignore[union-attr]


ONE_OF_EACH_KIND = dict(reversed(EDITS))
"""The first edit of each kind; all of them, and these at every place, are in tests/unit/test_verify.py."""


@pytest.mark.parametrize("seq", PLACES)
@pytest.mark.parametrize(("kind", "fields"), ONE_OF_EACH_KIND.items())
def test_an_edited_field_gives_its_one_finding_at_that_event(log: Log, seq: int, kind: str, fields: Document) -> None:
    log.set(seq, **fields)
    assert log.found() == [(kind, seq)]


@pytest.mark.parametrize("seq", PLACES)
def test_bytes_moved_between_payload_and_salt_are_found_though_every_hash_stays_right(log: Log, seq: int) -> None:
    document = log.get(seq)
    together = document["salt"] + document["payload"].encode()
    for border in (0, 15, 17, len(together)):
        payload = together[border:].decode("latin-1")
        log.set(seq, salt=together[:border], payload=payload)
        assert log.found() == [("unexpected", seq)], border
        assert log.found("incremental") in ([], [("unexpected", seq)])


def test_a_payload_that_no_append_wrote_is_unexpected_though_its_hashes_were_made_anew(log: Log) -> None:
    document = forged(log.get(SIZE - 1), payload=NOT_CANONICAL[0])
    log.events.replace_one({"_id": document["_id"]}, document)
    assert ("unexpected", SIZE - 1) in log.found()


PENDING_EDITS: list[Callable[[Document], Document]] = [
    lambda entry: {"salt": entry["salt"] + entry["payload"].encode(), "payload": ""},
    lambda entry: {"salt": entry["salt"][:15]},
    lambda entry: {"payload": entry["payload"][1:]},
    lambda entry: {"payload_hash": entry["payload_hash"][:0]},
    lambda entry: {"content_hash": entry["content_hash"] + b"\0"},
]


@pytest.mark.parametrize("number", range(len(PENDING_EDITS)))
def test_a_pending_entry_with_a_field_of_another_length_is_found(log: Log, number: int) -> None:
    assert operations_of(log.store).push("main", [draft().entry for _ in range(2)], None) is not None
    sequence = log.sequences.find_one({"_id": "main"})
    assert sequence is not None
    first, *rest = sequence["pending"]
    log.set_sequence(pending=[first | PENDING_EDITS[number](first), *rest])
    assert log.found() == [("sequence_mismatch", None)]
    assert log.found("incremental") == [("sequence_mismatch", None)]


@pytest.mark.parametrize("seq", PLACES)
def test_a_deleted_event_is_missing_and_the_last_ones_are_truncated(log: Log, seq: int) -> None:
    log.events.delete_one({"chain": "main", "seq": seq})
    assert log.found() == [("truncated" if seq == SIZE - 1 else "missing", seq)]


def test_a_run_of_deleted_events_is_one_finding(log: Log) -> None:
    log.events.delete_many({"seq": {"$in": [4, 5, 6, 17, 18, 19]}})
    report = log.audit()
    named = [(f.kind, f.seq, f.expected) for f in report.findings]
    assert named == [("missing", 4, "3"), ("truncated", 17, "3")]


def test_a_log_without_any_event_left_is_truncated_at_0(log: Log) -> None:
    log.events.delete_many({})
    assert log.found() == [("truncated", 0)]


def test_an_event_moved_to_another_chain_is_missing(log: Log) -> None:
    log.set(7, chain="elsewhere")
    assert log.found() == [("missing", 7)]


STRAYS = [SIZE, SIZE + 5, Int64(2**62), -1, None, "3", float("nan"), float("-inf"), 3.5, True, MinKey(), MaxKey()]


@pytest.mark.parametrize("seq", [*STRAYS, Decimal128("3.5"), DatetimeMS(3), b"3", {"a": 1}], ids=repr)
def test_a_row_without_an_acknowledged_place_is_unexpected(log: Log, seq: Any) -> None:
    log.extra(seq=seq)
    assert log.found() == [("unexpected", int(seq) if type(seq) in (int, Int64) else None)]


def test_a_row_whose_seq_is_an_array_is_unexpected(log: Log) -> None:
    log.extra(seq=[-5, 1000])
    assert set(log.found()) == {("unexpected", None)}


def test_a_row_without_seq_is_unexpected(log: Log) -> None:
    stray = log.get(3) | {"_id": "main/stray"}
    del stray["seq"]
    log.events.insert_one(stray)
    assert log.found() == [("unexpected", None)]


@pytest.mark.parametrize("seq", PLACES)
def test_a_second_row_at_a_seq_is_unexpected_once_the_index_is_dropped(log: Log, seq: int) -> None:
    log.events.drop_index("chain_1_seq_1")
    log.events.insert_one(log.get(seq) | {"_id": "main/twice"})
    assert log.found() == [("unexpected", seq)]


def test_the_unique_index_may_be_gone_without_an_audit_failing(log: Log) -> None:
    log.events.drop_indexes()
    assert log.found() == []


def test_an_id_of_another_event_is_unexpected(log: Log) -> None:
    document = log.get(7)
    log.events.delete_one({"_id": document["_id"]})
    log.events.insert_one(document | {"_id": "main/other"})
    assert log.found() == [("unexpected", 7)]


@pytest.mark.parametrize("seq", [0, 10, SIZE - 2])
def test_an_insider_who_recomputes_the_events_own_hashes_is_found_at_the_next_link(log: Log, seq: int) -> None:
    document = forged(log.get(seq), payload='{"n":"forged"}')
    log.events.replace_one({"_id": document["_id"]}, document)
    assert log.found() == [("link_mismatch", seq + 1)]


def test_an_insider_who_rewrites_the_last_event_is_found_by_the_sequence_document(log: Log) -> None:
    document = forged(log.get(SIZE - 1), payload='{"n":"forged"}')
    nodes = list(log.get(SIZE - 1)["nodes"])
    log.events.replace_one({"_id": document["_id"]}, document | {"nodes": nodes})
    assert ("sequence_mismatch", None) in log.found()


SEQUENCE_EDITS: list[Document] = [
    {"size": Int64(SIZE + 1)},
    {"size": Int64(0)},
    {"size": SIZE},
    {"settled__hash": b"\0" * 32},
    {"settled__frontier": [b"\0" * 32] * SIZE.bit_count()},
    {"settled__frontier": []},
    {"settled__size": Int64(SIZE + 1)},
    {"settled__size": float(SIZE)},
    {"settled__note": 1},
    {"pending_bytes": Int64(1)},
    {"pending_bytes": 0},
    {"pending": None},
    {"note": 1},
    {"claim": 1},
    {"origin": "example.com/other"},
]


@pytest.mark.parametrize("fields", SEQUENCE_EDITS, ids=str)
def test_an_edited_sequence_document_is_a_sequence_mismatch(log: Log, fields: Document) -> None:
    log.set_sequence(**fields)
    assert log.found() == [("sequence_mismatch", None)]


def test_a_sequence_document_that_is_gone_is_a_sequence_mismatch(log: Log) -> None:
    log.sequences.delete_one({"_id": "main"})
    assert log.found() == [("sequence_mismatch", None)]


def test_without_a_sequence_document_a_row_far_out_does_not_hold_up_the_audit(log: Log) -> None:
    log.extra(seq=Int64(2**62))
    log.sequences.delete_one({"_id": "main"})
    assert ("missing", SIZE) in log.found()


FAR_OUT = [1e300, 1e18, 1e15 + 0.5, Decimal128("1e6000"), Decimal128("1e15"), Decimal128("1000000000000000.5")]


@pytest.mark.parametrize("claimed", [None, Int64(2**52)], ids=["no sequence document", "one that claims 2^52 events"])
@pytest.mark.parametrize("seq", FAR_OUT, ids=repr)
def test_a_row_far_out_whose_seq_is_no_int64_does_not_hold_up_the_audit(log: Log, seq: Any, claimed: Any) -> None:
    log.extra(seq=seq)
    if claimed is None:
        log.sequences.delete_one({"_id": "main"})
    else:
        frontier = [b"\0" * 32]
        log.set_sequence(size=claimed, settled__size=claimed, settled__frontier=frontier)
    torn = bson.encode(log.get(3) | {"_id": "main/torn", "event_id": "xxx", "seq": 2.0**40})
    log.events.insert_one(RawBSONDocument(torn.replace(b"xxx", b"\xff\xff\xff")))
    report = log.audit()
    assert (report.status, report.finished_at is not None) == ("tampered", True)
    assert "unexpected" in {finding.kind for finding in report.findings}


def rewrite(log: Log, size: int) -> None:
    """Make the whole history anew, in itself perfect, in place of the old one."""
    log.events.delete_many({})
    log.sequences.delete_many({})
    log.store.append("main", [draft(f"e{number}", payload={"forged": number}) for number in range(size)])


@pytest.mark.parametrize("mode", ["full", "incremental"])
@pytest.mark.parametrize("size", [SIZE, SIZE + 4])
def test_a_history_rewritten_after_an_audit_is_rewritten(log: Log, mode: str, size: int) -> None:
    assert log.found() == []
    rewrite(log, size)
    assert ("rewritten", SIZE - 1) in log.found(mode)
    assert set(log.found("full")) == {("rewritten", SIZE - 1)}


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_a_tail_cut_with_its_sequence_document_after_an_audit_is_truncated(log: Log, mode: str) -> None:
    store = log.store
    first = [draft(f"f{number}") for number in range(3)]
    store.append("main", first[:1])
    store.settle("main")
    before = log.sequences.find_one({"_id": "main"})
    assert before is not None
    store.append("main", first[1:])
    assert log.found() == []
    log.events.delete_many({"seq": {"$gt": SIZE}})
    log.sequences.replace_one({"_id": "main"}, before)
    assert log.found(mode) == [("truncated", SIZE + 1)]


def test_the_last_verified_event_deleted_later_is_missing_for_an_incremental_audit(log: Log) -> None:
    assert log.found() == []
    log.events.delete_one({"chain": "main", "seq": SIZE - 1})
    assert log.found("incremental") == [("missing", SIZE - 1)]


def test_a_report_robbed_of_what_it_verified_makes_the_next_audit_start_at_0(log: Log) -> None:
    assert log.found() == []
    operations_of(log.store).audits.update_many({}, {"$unset": {"verified": 1}})
    report = log.audit("incremental")
    assert (report.from_seq, report.events_checked, report.status) == (0, SIZE, "intact")
