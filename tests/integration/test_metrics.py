"""What is measured, as CloudWatch reads it from the log."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.anchors.signing import create_key_file
from eventlog.audit import scan
from eventlog.audit.report import AuditReport
from eventlog.http import audits
from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.mongo.store import operations_of
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from functions.chain_audit.app import routers as audit_routers
from functions.ingest.app import routers as ingest_routers
from tests.support.emf import Record, printed, records, unit
from tests.support.factories import draft

INGEST = {"service": "eventlog-ingest"}
AUDIT = {"service": "eventlog-chain_audit"}
EVENT = {"event_type": "t", "timestamp": "2026-11-23T00:00:00Z", "source_id": "s", "payload": {}}
SCHEDULED = (
    "AuditFindings",
    "IncompleteAudits",
    "UnanchoredEvents",
    "EventsAudited",
    "PendingEvents",
    "SettleLag",
    "AuditCoverage",
    "AnchoredSize",
)


@pytest.fixture
def wired(mongo_uri: str, database: str, tmp_path: Path) -> Iterator[AuditWiring]:
    """A log that is anchored."""
    create_key_file(tmp_path / "key")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_ORIGIN="example.com/log")
    settings.anchors, settings.signing_keys = str(tmp_path / "anchors"), str(tmp_path / "key")
    with closing(Connection(settings)) as connection:
        yield AuditWiring(connection)


@pytest.fixture
def ingest(mongo_uri: str, database: str) -> Iterator[TestClient]:
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
    app = create_app(*ingest_routers, title="ingest", settings=settings, anonymous=True)
    with closing(app.state.connection):
        yield TestClient(app)


def push(wired: AuditWiring, count: int, received_at: int | None = None, chain: str = "main") -> None:
    """Acknowledged events that nobody has settled."""
    operations = operations_of(wired.log)
    if wired.log.chain(chain) is None:
        wired.log.append(chain, [draft(chain=chain)])
        wired.log.settle(chain)
    now = int(time.time() * 1000) if received_at is None else received_at
    entries = [draft(chain=chain, received_at=now).entry for _ in range(count)]
    assert operations.push(chain, entries, None) is not None


def scheduled(wired: AuditWiring, capsys: pytest.CaptureFixture[str], mode: str = "incremental") -> list[Record]:
    capsys.readouterr()
    audits.run_scheduled(wired, mode)
    return printed(capsys)


def only(lines: list[Record], metric: str) -> list[float]:
    """The values of the one record of an audit that has this metric and no dimension but the service."""
    ((dimensions, values),) = records(lines, metric)
    assert dimensions == AUDIT
    return values


def test_new_events_are_counted_and_replays_are_not(ingest: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    named = EVENT | {"event_id": "e-1"}
    assert ingest.post("/api/v1/events", json=named).status_code == 201
    assert records(printed(capsys), "Events") == [(INGEST, [1.0])]
    assert ingest.post("/api/v1/events", json=named).status_code == 200
    assert records(printed(capsys), "Events") == []
    batch = [named, *(EVENT | {"event_id": f"b-{n}"} for n in range(5))]
    assert ingest.post("/api/v1/events/batch", json=batch).status_code == 201
    lines = printed(capsys)
    assert records(lines, "Events") == [(INGEST, [5.0])]
    assert [dimensions for dimensions, _ in records(lines, "Requests")] == [
        INGEST | {"route": "POST /api/v1/events/batch"}
    ]


def test_events_that_were_refused_are_not_counted(ingest: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest.post("/api/v1/events", json=EVENT | {"timestamp": "never"}).status_code == 422
    lines = printed(capsys)
    assert records(lines, "Events") == []
    assert len(records(lines, "Requests")) == 1


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_scheduled_audit_counts_itself_by_its_mode(
    wired: AuditWiring, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    push(wired, 1)
    assert records(scheduled(wired, capsys, mode), "AuditsFinished") == [(AUDIT | {"mode": mode}, [1.0])]


def test_an_audit_that_ran_out_of_time_counts_when_the_last_of_it_was_resumed(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or nothing would say that full audits never come to their end."""
    for chain in ("a", "b"):
        push(wired, 9, chain=chain)
    scheduled(wired, capsys)
    with monkeypatch.context() as patch:
        patch.setattr(scan, "STEP", 5)
        patch.setattr(audits, "_SCHEDULED_SECONDS", 0.0)
        lines = scheduled(wired, capsys, "full")
        assert records(lines, "AuditsFinished") == []
        assert len(records(lines, "AuditCoverage")) == 1
    finished = records(scheduled(wired, capsys), "AuditsFinished")
    assert sorted(dimensions["mode"] for dimensions, _ in finished) == ["full", "incremental"]
    assert len(records(scheduled(wired, capsys), "AuditsFinished")) == 1


def test_an_empty_log_has_zeros_where_alarms_need_data(wired: AuditWiring, capsys: pytest.CaptureFixture[str]) -> None:
    lines = scheduled(wired, capsys)
    found = {metric: only(lines, metric) for metric in SCHEDULED}
    assert found == {metric: [0.0] for metric in SCHEDULED} | {"AuditCoverage": [100.0]}
    assert len(records(lines, "AuditsFinished")) == 1


def test_what_is_pending_is_measured_before_the_audit_settles_it(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    long_ago = int(time.time() * 1000) - 3_600_000
    push(wired, 3, received_at=long_ago)
    push(wired, 4, chain="other")
    lines = scheduled(wired, capsys)
    assert only(lines, "PendingEvents") == [7.0]
    assert 3_600_000 <= only(lines, "SettleLag")[0] < 3_660_000
    assert (unit(lines, "SettleLag"), unit(lines, "AuditCoverage")) == ("Milliseconds", "Percent")
    again = scheduled(wired, capsys)
    assert (only(again, "PendingEvents"), only(again, "SettleLag")) == ([0.0], [0.0])


def test_all_that_is_intact_is_covered_and_anchored(wired: AuditWiring, capsys: pytest.CaptureFixture[str]) -> None:
    push(wired, 3)
    push(wired, 4, chain="other")
    scheduled(wired, capsys)
    lines = scheduled(wired, capsys)  # the registry too has got its events by now: two chains, and their heads
    assert only(lines, "AuditCoverage") == [100.0]
    assert only(lines, "AnchoredSize") == [4.0 + 5.0 + 3.0]


def test_a_chain_with_a_finding_is_not_covered(wired: AuditWiring, capsys: pytest.CaptureFixture[str]) -> None:
    push(wired, 2)
    push(wired, 5, chain="other")
    wired.log.settle("other")
    operations_of(wired.log).events.update_one({"chain": "other", "seq": 3}, {"$set": {"source_id": "forged"}})
    lines = scheduled(wired, capsys, "full")
    assert only(lines, "AuditCoverage") == [100 * 4 / 10]  # of three events, six forged ones, and the registry's own
    assert sum(value for _, values in records(lines, "AuditFindings") for value in values) == 1.0


def test_a_chain_that_is_gone_is_not_covered(wired: AuditWiring, capsys: pytest.CaptureFixture[str]) -> None:
    push(wired, 9)
    scheduled(wired, capsys)
    operations_of(wired.log).events.delete_many({"chain": "main"})
    operations_of(wired.log).sequences.delete_many({"_id": "main"})
    assert only(scheduled(wired, capsys), "AuditCoverage")[0] == pytest.approx(100 * 2 / 12)


def test_a_damaged_sequence_document_stops_no_measurement(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    push(wired, 2)
    damaged: list[dict[str, Any]] = [
        {"_id": "a", "size": "many", "settled": {"size": [1]}, "pending": "none"},
        {"_id": "b", "settled": 5, "pending": {"received_at": "yesterday"}},
        {"_id": "c", "pending": [{"received_at": 1}, {}, 7]},
    ]
    operations_of(wired.log).sequences.insert_many(damaged)
    lines = scheduled(wired, capsys)
    assert only(lines, "PendingEvents") == [2.0]
    assert len(records(lines, "AuditsFinished")) == 1


def test_measuring_what_is_pending_is_one_read(wired: AuditWiring) -> None:
    push(wired, 2)
    operations, auditor = operations_of(wired.log), wired.auditor
    database = operations.sequences.database
    database.command("profile", 2)
    try:
        auditor.backlog()
    finally:
        database.command("profile", 0)
    asked = database["system.profile"].find({"ns": operations.sequences.full_name})
    assert [command["command"].get("find") for command in asked] == ["sequences"]


def test_a_finding_is_told_even_if_the_audit_of_a_later_chain_fails(
    wired: AuditWiring,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push(wired, 2)
    wired.log.settle("main")
    operations_of(wired.log).events.update_one({"chain": "main", "seq": 1}, {"$set": {"source_id": "forged"}})
    each = wired.auditor.each

    def die_later(*args: Any, **options: Any) -> Iterator[AuditReport]:
        yield next(each(*args, **options))
        raise ConnectionError

    monkeypatch.setattr(wired.auditor, "each", die_later)
    capsys.readouterr()
    with pytest.raises(ConnectionError):
        audits.run_scheduled(wired, "full")
    lines = printed(capsys)
    assert max(values[0] for _, values in records(lines, "AuditFindings")) == 1.0
    assert [found.message for found in caplog.records if found.levelname == "ERROR"] == ["tampering found"]
    assert records(lines, "AuditsFinished") == []


def test_a_finding_of_an_audit_over_http_is_told(wired: AuditWiring, capsys: pytest.CaptureFixture[str]) -> None:
    push(wired, 2)
    wired.log.settle("main")
    operations_of(wired.log).events.delete_one({"chain": "main", "seq": 1})
    app = create_app(*audit_routers, title="chain_audit", settings=wired.settings, anonymous=True)
    with closing(app.state.connection):
        assert TestClient(app).post("/api/v1/audits", json={"mode": "full"}).json()["status"] == "tampered"
    lines = printed(capsys)
    assert only(lines, "AuditFindings") == [1.0]
    assert records(lines, "AuditsFinished") == []
