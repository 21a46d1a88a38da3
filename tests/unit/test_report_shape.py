"""The API's schema, the database's validator, the stored document and the client have the report's own shape."""

from dataclasses import fields, replace
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

from eventlog.audit import report as reports
from eventlog.audit.report import MAX_FINDINGS, AuditReport, Mode, SkewSummary, Status, WitnessSummary, new_report
from eventlog.audit.report_documents import encode_report, read_report
from eventlog.http import audit_schemas
from eventlog.http.audit_fields import audit_fields
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.stored import codec
from eventlog.verify.findings import Finding
from eventlog_client.answers import AuditReport as ClientReport
from eventlog_client.answers import parse_report

FINDING = Finding("missing", 3, "1", "0", "1 event: seq 3..3 not in the log")
ONLY_STORED = {"lease", "verified"}


def nullable(of: Any) -> dict[str, bool]:
    """The fields of a type, in order, and whether each may be None."""
    hints = get_type_hints(of)
    names = of.model_fields if issubclass(of, BaseModel) else [field.name for field in fields(of)]
    return {name: NoneType in get_args(hints[name]) for name in names}


@pytest.mark.parametrize(
    ("shown", "ours"),
    [
        (audit_schemas.AuditReport, AuditReport),
        (audit_schemas.Skew, SkewSummary),
        (audit_schemas.FindingOut, Finding),
        (audit_schemas.WitnessOut, WitnessSummary),
    ],
)
def test_the_api_shows_these_fields_in_this_order(shown: type[BaseModel], ours: type) -> None:
    assert list(nullable(shown).items()) == list(nullable(ours).items())


def test_the_api_knows_these_modes_and_statuses() -> None:
    hints = get_type_hints(audit_schemas.AuditReport)
    assert (hints["mode"], hints["status"]) == (Mode, Status)
    assert get_type_hints(audit_schemas.AuditRequest)["mode"] == Mode


def test_a_report_as_it_is_shown_fits_the_schema() -> None:
    report = new_report("main", "full", 1_795_896_513_925).with_finding(FINDING)
    shown = audit_fields(report)
    assert audit_schemas.AuditReport.model_validate(shown).model_dump() == shown
    assert list(shown) == list(nullable(AuditReport))


def test_the_validator_asks_for_no_other_fields_and_nulls_than_the_report_has() -> None:
    schema = next(declared.schema for declared in COLLECTIONS if declared.name == "audits")["anyOf"][0]
    ours = nullable(AuditReport)
    declared = {("audit_id" if name == "_id" else name): of for name, of in schema["properties"].items()}
    assert set(declared) - set(ours) == {"lease"}
    assert set(schema["required"]) == set(schema["properties"])
    for name in set(declared) - {"lease"}:
        assert ("null" in declared[name].get("bsonType", ())) == ours[name]
    assert tuple(declared["mode"]["enum"]) == get_args(Mode)
    assert tuple(declared["status"]["enum"]) == get_args(Status)


def test_a_report_is_stored_with_all_its_fields() -> None:
    witness = WitnessSummary("w", 3, 7, "cosigning", 7, "")
    report = replace(new_report("main", "full", 7), earlier_events=3, rehashed_since=5, witnesses=(witness,))
    report = replace(report, erased=1, erasures_pending=2)
    stored = codec.decode(encode_report(report, 7))
    read = read_report(encode_report(report, 7))
    assert (read.earlier_events, read.rehashed_since, read.erased, read.erasures_pending) == (3, 5, 1, 2)
    assert not {"witnesses", "rehashed_since", "erased"} & set(
        codec.decode(encode_report(new_report("main", "full", 7), 7))
    )
    assert set(stored["witnesses"][0]) == set(nullable(WitnessSummary))
    assert {"audit_id" if name == "_id" else name for name in stored} - ONLY_STORED == set(nullable(AuditReport))


def test_the_client_reads_what_is_shown() -> None:
    report = new_report("main", "full", 1_795_896_513_925).with_finding(FINDING)
    read = parse_report(audit_fields(report))
    assert {field.name for field in fields(ClientReport)} - {"fields"} <= set(nullable(AuditReport))
    assert (read.audit_id, read.chain, read.status) == (report.audit_id, report.chain, report.status)
    assert (read.events_checked, len(read.findings), read.fields["findings_total"]) == (0, 1, 1)


def test_a_report_keeps_the_first_findings_and_counts_all() -> None:
    report = new_report("main", "full", 7)
    for _ in range(MAX_FINDINGS + 3):
        report = report.with_finding(FINDING)
    assert (len(report.findings), report.findings_total) == (MAX_FINDINGS, MAX_FINDINGS + 3)


def test_a_damaged_report_is_a_report_that_can_be_shown() -> None:
    shown = audit_fields(reports.damaged_report("7", "main"))
    assert audit_schemas.AuditReport.model_validate(shown).incomplete_because == "the stored report is damaged"
