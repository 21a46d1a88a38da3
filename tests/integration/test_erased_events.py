"""Erased events in a real database: what audits say of them, what is read for it, and what readers get."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from bson import Int64

from eventlog.audit.workers import Workers
from eventlog.evidence.export import ExportRange, export
from eventlog.evidence.proofs import EventProof, Evidence
from eventlog.formats.bundle import TimeRange
from eventlog.formats.bundle_check import BundleReport, verify_bundle
from eventlog.formats.event import Erased, is_erased
from eventlog.formats.event_json import (
    DamagedEventError,
    check_event,
    check_receipt,
    event_fields,
    format_event,
    parse_event,
    receipt_of,
)
from eventlog.formats.governance import ERASURE, AnyOrder, event_id
from eventlog.formats.governance_note import KIND
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http.event_schemas import to_csv
from eventlog.store.interface import Query
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from eventlog.stored import bodies, codec
from eventlog.stored.erased import fields_to_empty
from eventlog.stored.errors import NotOursError
from tests.support import bundle_v2
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.erased import GOVERNANCE, TIME, erasure, hold, order_payload
from tests.support.factories import draft
from tests.support.profiled import DOCUMENTS, profiled

LARGE = "x" * bodies.APART_FROM
LATE = 1_900_000_000_000
"""When orders are dated, in milliseconds since 1970: after all other events."""
ERASED = (3, 5)
"""Of these 5 has a payload that is stored apart."""


def event_at(log: AnchoredLog, seq: int) -> Any:
    row = operations_of(log.store).raw_events.find_one({"chain": "main", "seq": seq})
    assert row is not None
    return codec.decode_event(bytes(row.raw))


def order(log: AnchoredLog, made: AnyOrder) -> int:
    """Log an order, and anchor it; return its seq."""
    fields = {"event_type": made.event_type, "timestamp": LATE, "payload": order_payload(made)}
    log.store.append("main", [draft(event_id(made), **fields)])
    log.store.settle("main")
    assert log.audit().status == "intact"
    found = log.store.get("main", event_id(made))
    assert found is not None
    return found.seq


def blank(log: AnchoredLog, *seqs: int, rows: bool = True) -> None:
    """Carry an order out, with or without the rows of payloads that are stored apart."""
    operations = operations_of(log.store)
    for seq in seqs:
        event = event_at(log, seq)
        operations.events.update_one({"chain": "main", "seq": Int64(seq)}, {"$set": fields_to_empty(event)})
        if rows:
            operations.bodies.rows.delete_one({"_id": bodies.body_id(event.entry)})


def erase(log: AnchoredLog, *seqs: int, number: int = 1) -> int:
    made = erasure(*((seq, event_at(log, seq).hash) for seq in seqs), number=number, origin=ORIGIN)
    by = order(log, made)
    blank(log, *seqs)
    return by


@pytest.fixture
def log(store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """Twelve events, anchored."""
    log = AnchoredLog(store, tmp_path, governance=[GOVERNANCE.public_key])
    log.store.append("main", [draft(f"e{seq}", payload={"n": LARGE if seq == 5 else seq}) for seq in range(12)])
    log.store.settle("main")
    log.audit()
    return log


def test_what_is_erased_by_order_is_intact_and_counted(log: AnchoredLog) -> None:
    by = erase(log, *ERASED)
    assert by == 12
    report = log.audit("full")
    assert (report.status, report.erased, report.erasures_pending) == ("intact", 2, 0)
    order(log, erasure((7, event_at(log, 7).hash), number=2, origin=ORIGIN))
    report = log.audit("full")
    assert (report.status, report.erased, report.erasures_pending) == ("intact", 2, 1)
    blank(log, 7)
    assert log.audit("incremental").status == "intact"
    log.workers = Workers("", "", count=1)
    assert log.audit("full").erased == 3


def test_a_row_that_is_left_of_an_erased_payload_is_still_to_be_removed(log: AnchoredLog) -> None:
    order(log, erasure((5, event_at(log, 5).hash), origin=ORIGIN))
    blank(log, 5, rows=False)
    report = log.audit("full")
    assert (report.status, report.erased, report.erasures_pending) == ("intact", 1, 1)


def test_what_is_gone_without_an_order_is_found_and_shown_to_nobody(log: AnchoredLog) -> None:
    erase(log, 3)
    blank(log, 4, 5)
    assert log.found() == [("payload_missing", 4), ("payload_missing", 5)]
    with pytest.raises(DamagedEventError):
        event_fields(log.store.page(Query(chain="main", limit=5, sort="seq", order="asc", from_seq=4)).events[0])


def test_what_a_hold_keeps_is_found_once_it_is_erased(log: AnchoredLog) -> None:
    order(log, hold((3, 4), origin=ORIGIN))
    erase(log, 3, 4)
    assert log.found() == [("erasure_invalid", 3)]


def test_orders_are_read_by_their_type_and_of_a_chain_without_any_nothing_is(log: AnchoredLog) -> None:
    operations = operations_of(log.store)
    database = operations.client[operations.events.database.name]
    with profiled(database) as cost:
        log.audit("full")
        log.store.page(Query(chain="main", limit=100))
    assert not [kind for kind in cost if "event_type" in kind]
    erase(log, 3)
    erase(log, 5, number=2)
    with profiled(database) as cost:
        assert len(list(AuditStore(log.store).of_types("main", [ERASURE], 13, None))) == 1
    assert sum(cost.values()) <= 4, cost  # two keys in the index, one document


def test_readers_get_all_but_the_payload_and_by_which_event_it_was_erased(log: AnchoredLog) -> None:
    before = {seq: format_event(log.store.get("main", f"e{seq}") or event_at(log, seq)) for seq in range(12)}
    by = erase(log, *ERASED)
    events = log.store.page(Query(chain="main", limit=20, sort="seq", order="asc")).events
    for event in events[:12]:
        shown = orjson.loads(format_event(event))
        if event.seq in ERASED:
            erased = shown.pop("erased")
            assert erased == {"seq": by, "time": "2023-11-14T22:13:20.001Z"}
            assert TIME == 1_700_000_000_000
            assert shown == orjson.loads(before[event.seq]) | {"payload": None, "salt": None}
        else:
            assert format_event(event) == before[event.seq]
        check_event(parse_event(parse_json(format_event(event))))
    assert log.store.get("main", "e5") == events[5]
    row = to_csv([events[3]]).decode().split(",")
    assert row[8:10] == ["", ""]


def exported(log: AnchoredLog, **wanted: Any) -> tuple[BundleReport, bytes]:
    """A bundle, or several where parts are limited, and what it shows."""
    parts, wanted = b"", {"chain": "main"} | wanted
    while True:
        parts += b"".join(export(Evidence(MongoEvidenceReader(log.store)), ExportRange(**wanted)))
        lines = parts.splitlines(keepends=True)
        if (next_seq := orjson.loads(lines[-1])["end"]["next_seq"]) is None:
            keys = [VerifierKey(f"{ORIGIN}/main", log.signers[0].public_key)]
            governance = [VerifierKey(ORIGIN, GOVERNANCE.public_key, KIND)]
            return verify_bundle(lines, keys, governance=governance), parts
        wanted["from_seq"] = next_seq


def test_bundles_have_what_was_erased_with_its_order_and_are_of_version_1_where_nothing_was(log: AnchoredLog) -> None:
    log.store.append("main", [draft(f"late{n}", timestamp=LATE, payload={"n": n}) for n in range(3)])
    log.store.settle("main")
    log.audit()
    _, before = exported(log)
    assert before.startswith(b'{"format":"eventlog-bundle/v1"')
    by = erase(log, *ERASED)
    report, whole = exported(log)
    assert (report.events, report.erased, whole.count(b'{"erasure":')) == (by + 1, 2, 0)
    vkeys = (
        format_vkey(VerifierKey(f"{ORIGIN}/main", log.signers[0].public_key)),
        format_vkey(VerifierKey(ORIGIN, GOVERNANCE.public_key, KIND)),
    )
    assert bundle_v2.main(whole.decode(), *vkeys) == (by + 1, 2)
    report, early = exported(log, to_seq=5)
    assert (report.events, report.erased, early.count(b'{"erasure":')) == (5, 1, 1)
    assert exported(log, from_seq=6, to_seq=by)[1].startswith(b'{"format":"eventlog-bundle/v1"')
    report, _ = exported(log, limit=24_000)
    assert (len(report.parts) > 1, report.events, report.erased) == (True, by + 1, 2)
    assert report.parts[0].complete == (0, report.parts[0].next_seq)
    log.append(1)  # behind the order, which is not of the window itself
    log.audit()
    report, timed = exported(log, window=TimeRange(None, LATE))
    assert (report.events, report.erased, timed.count(b'{"erasure":')) == (13, 2, 1)
    assert verify_bundle(before.splitlines(keepends=True), [VerifierKey(f"{ORIGIN}/main", log.signers[0].public_key)])


def signed_part(proof: EventProof) -> list[Any]:
    """All of a proof but the event itself."""
    return [getattr(proof, each.name) for each in fields(proof) if each.name != "event"]


def test_what_was_signed_and_given_before_verifies_after_byte_for_byte(log: AnchoredLog) -> None:
    def given() -> list[Any]:
        evidence = Evidence(MongoEvidenceReader(log.store))
        found = [log.store.get("main", f"e{seq}") or event_at(log, seq) for seq in range(12)]
        proofs = [signed_part(evidence.proof("main", f"e{seq}", 12)) for seq in range(12)]
        return [[receipt_of(event) for event in found], proofs, evidence.checkpoint("main", 12)]

    before = given()
    erase(log, *ERASED)
    after = given()
    assert after == before
    for receipt in after[0]:
        check_receipt(receipt)


def test_an_erasure_between_the_reads_of_an_event_and_of_its_payload_is_no_damage(log: AnchoredLog) -> None:
    """Payloads that are stored apart are read after their events: one that is gone by then was erased meanwhile."""
    operations = operations_of(log.store)
    rows = [bytes(row.raw) for row in operations.raw_events.find({"chain": "main", "seq": {"$lt": 12}}).sort("seq", 1)]
    by = erase(log, 5)
    joined = list(operations.bodies.joined(iter(rows), None))
    assert [is_erased(codec.decode_event(bodies.split(row)[0]).entry) for row in joined].index(True) == 5
    shown = operations.bodies.fill([codec.decode_event(row) for row in rows], None)
    assert [event.erased.seq for event in shown if event.erased] == [by]
    operations.events.update_one({"chain": "main", "seq": 5}, {"$set": {"salt": bytes(16)}})
    with pytest.raises(NotOursError, match="is missing"):
        operations.bodies.fill([codec.decode_event(row) for row in rows], None)


def orders_read(log: AnchoredLog, *seqs: int) -> int:
    """Documents of orders that a page of these events reads; the page itself is one each."""
    operations = operations_of(log.store)
    with profiled(operations.client[operations.events.database.name], DOCUMENTS) as cost:
        for seq in seqs:
            (event,) = log.store.page(Query(chain="main", limit=1, sort="seq", order="asc", from_seq=seq)).events
            assert event.seq == seq
            assert event.erased is not None
    return sum(count for kind, count in cost.items() if kind.startswith("events ") and "event_type" in kind)


@pytest.mark.replica_set
def test_a_process_reads_each_order_once_and_then_those_that_a_page_needs(log: AnchoredLog) -> None:
    for seq in range(8):
        erase(log, seq, number=seq + 1)
    log.store = open_log(operations_of(log.store).client, operations_of(log.store).events.database.name, ORIGIN)
    assert orders_read(log, 3) == 8
    assert orders_read(log, 3, 5, 0) == 3
    erase(log, 8, number=9)
    assert orders_read(log, 3, 8, 8) == 1 + 3


def test_what_a_process_has_seen_of_another_state_of_the_chain_is_read_anew(log: AnchoredLog) -> None:
    by = erase(log, 3)
    page = Query(chain="main", limit=1, sort="seq", order="asc", from_seq=3)
    assert log.store.page(page).events[0].erased == Erased(by, TIME + 1)
    seen = operations_of(log.store).bodies._seen
    seen.add("main", [(1, [3])])  # no order stands there
    assert log.store.page(page).events[0].erased == Erased(by, TIME + 1)
    seen.add("main", [(by + 9, [7])])  # the chain is shorter than it was
    late = erase(log, 4, number=2)
    assert log.store.page(replace(page, from_seq=4)).events[0].erased == Erased(late, TIME + 2)
    assert seen.upto("main") == late
