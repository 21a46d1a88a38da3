"""What an audit finds is told before it is stored, and a database that refuses to store it silences nothing."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from starlette.testclient import TestClient

from eventlog.audit import scan
from eventlog.audit.report_documents import read_report
from eventlog.http import audits
from eventlog.settings import Settings
from eventlog.store.mongo.store import operations_of
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from tests.support.emf import Record, printed, records
from tests.support.factories import draft

CHAINS = ("a", "b", "c")
TAMPERED = "b"
REFUSALS: list[dict[str, Any]] = [
    {"validator": {"status": {"$ne": "tampered"}}},
    {"validator": {"findings_total": 0}, "validationLevel": "strict"},
    {"validator": {"chain": {"$ne": TAMPERED}}, "validationLevel": "strict"},
    {"validator": {"never": True}, "validationLevel": "strict"},
]


@pytest.fixture
def wired(mongo_uri: str, database: str) -> Iterator[AuditWiring]:
    """Three chains, an event of the second one edited."""
    with closing(Connection(Settings(mongo_uri=mongo_uri, mongo_database=database))) as connection:
        for chain in CHAINS:
            connection.log.append(chain, [draft(chain=chain) for _ in range(12)])
            connection.log.settle(chain)
        edited = {"$set": {"source_id": "forged"}}
        assert (
            operations_of(connection.log).events.update_one({"chain": TAMPERED, "seq": 3}, edited).modified_count == 1
        )
        yield AuditWiring(connection)


@pytest.fixture
def admin(client: MongoClient[dict[str, Any]], database: str) -> Database[dict[str, Any]]:
    """The database as its administrator has it."""
    client[database].audits.insert_one({"_id": "first"})
    client[database].audits.delete_one({"_id": "first"})
    return client[database]


def findings_in(lines: list[Record]) -> float:
    """What the metric of findings adds up to."""
    return sum(value for _, values in records(lines, "AuditFindings") for value in values)


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(said.message, vars(said)["chain"]) for said in caplog.records if said.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("number", "step"), [(number, step) for number in range(len(REFUSALS)) for step in (scan.STEP, 5)]
)
def test_a_refused_report_is_told_and_every_chain_is_audited(
    wired: AuditWiring,
    admin: Database[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    number: int,
    step: int,
) -> None:
    monkeypatch.setattr(scan, "STEP", step)
    admin.command("collMod", "audits", **REFUSALS[number])
    capsys.readouterr()
    found = audits.run_scheduled(wired, "full")["audits"]
    lines = printed(capsys)
    # The validator is not as declared, which the report on the database as a whole says.
    said = {"": "incomplete", "a": "intact", "b": "tampered", "c": "intact"}
    assert {report["chain"]: report["status"] for report in found} == said
    assert errors(caplog).count(("tampering found", TAMPERED)) == 1
    assert ("an audit report could not be stored", TAMPERED) in errors(caplog)
    assert findings_in(lines) == 1.0
    assert sum(value for _, values in records(lines, "IncompleteAudits") for value in values) >= 1.0
    assert len(records(lines, "AuditsFinished")) == 1


def test_the_finding_is_told_first(
    wired: AuditWiring, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies at the very moment in which it would store the report."""
    store = wired.auditor._audits

    def die(_: str, document: bytes) -> None:
        if read_report(document).findings_total:
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "save", die)
    with pytest.raises(KeyboardInterrupt):
        audits.run_scheduled(wired, "full")
    assert errors(caplog) == [("tampering found", TAMPERED)]


def test_an_audit_over_http_answers_with_what_it_found(
    api: TestClient, client: MongoClient[dict[str, Any]], database: str, caplog: pytest.LogCaptureFixture
) -> None:
    event = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
    assert api.post("/api/v1/events", json=event).status_code == 201
    assert api.post("/api/v1/audits", json={"mode": "full"}).json()["status"] == "intact"
    client[database].events.update_one({"chain": "main", "seq": 0}, {"$set": {"source_id": "forged"}})
    client[database].command("collMod", "audits", validator={"never": True}, validationLevel="strict")
    answer = api.post("/api/v1/audits", json={"mode": "full"})
    assert (answer.status_code, answer.json()["status"]) == (200, "tampered")
    assert ("tampering found", "main") in errors(caplog)


def test_a_running_audit_that_nobody_may_take_up_keeps_no_chain_from_being_audited(
    wired: AuditWiring,
    admin: Database[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan, "STEP", 5)
    left = wired.auditor.run(wired.auditor.start(TAMPERED, "full"), 0)
    assert (left.status, left.findings_total) == ("running", 1)
    admin.command("collMod", "audits", validator={"never": True}, validationLevel="strict")
    found = audits.run_scheduled(wired, "full")["audits"]
    assert {report["chain"] for report in found} == {"", *CHAINS}
    assert ("audits that are running could not be resumed", "") in errors(caplog)


def test_what_was_told_is_not_told_again_when_the_audit_is_resumed(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "STEP", 5)
    wired.auditor.run(wired.auditor.start(TAMPERED, "full"), 0)
    first = printed(capsys)
    assert [report.status for report in wired.auditor.resume(60)] == ["tampered"]
    second = printed(capsys)
    assert [findings_in(lines) for lines in (first, second)] == [1.0, 0.0]
