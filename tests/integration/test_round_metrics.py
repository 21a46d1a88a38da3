"""What the schedule answers and measures of its rounds."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from eventlog.anchors.signing import create_key_file
from eventlog.audit import scan
from eventlog.audit.auditor import Auditor
from eventlog.audit.going_round import RoundOutcome
from eventlog.http import audits
from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.mongo.audits import AuditStore
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from functions.chain_audit.app import routers as audit_routers
from tests.support.emf import Record, printed, records, unit
from tests.support.factories import draft


@pytest.fixture
def wired(mongo_uri: str, database: str, tmp_path: Path) -> Iterator[AuditWiring]:
    """A log of two chains that is anchored."""
    create_key_file(tmp_path / "key")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_ORIGIN="example.com/log")
    settings.anchors, settings.signing_keys = str(tmp_path / "anchors"), str(tmp_path / "key")
    with closing(Connection(settings)) as connection:
        for chain in ("a", "b"):
            connection.log.append(chain, [draft(chain=chain) for _ in range(9)])
            connection.log.settle(chain)
        yield AuditWiring(connection)


def scheduled(wired: AuditWiring, capsys: pytest.CaptureFixture[str], mode: str = "incremental") -> list[Record]:
    capsys.readouterr()
    audits.run_scheduled(wired, mode)
    return printed(capsys)


def age(lines: list[Record]) -> float:
    """The one age that was measured."""
    ((dimensions, (found,)),) = records(lines, "FullAuditAge")
    assert dimensions == {"service": "eventlog-chain_audit"}
    return found


def test_what_a_caller_audits_counts_for_no_round(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(*audit_routers, title="chain_audit", settings=wired.settings, anonymous=True)
    monkeypatch.setattr(scan, "STEP", 5)
    wired.auditor.run(wired.auditor.start("a", "full"), 0)  # which the schedule resumes
    with closing(app.state.connection):
        for chain in ("a", "b"):
            answer = TestClient(app).post("/api/v1/audits", json={"chain": chain, "mode": "full"})
            assert answer.json()["status"] == "intact"
    lines = scheduled(wired, capsys)
    assert [dimensions["mode"] for dimensions, _ in records(lines, "AuditsFinished")] == ["incremental"]
    assert records(lines, "FullAuditAge") == []


def test_the_age_of_the_newest_full_round_is_measured_by_each_scheduled_audit(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert records(scheduled(wired, capsys), "FullAuditAge") == []
    for mode in ("full", "incremental"):
        lines = scheduled(wired, capsys, mode)
        assert 0 <= age(lines) < 600
    assert unit(lines, "FullAuditAge") == "Seconds"
    monkeypatch.setattr(wired.auditor, "_clock", lambda: time.time() + 3 * 86_400)
    assert 3 * 86_400 <= age(scheduled(wired, capsys)) < 3 * 86_400 + 600


def test_chains_that_are_left_are_named_in_the_answer_and_in_the_log(
    wired: AuditWiring, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "_SCHEDULED_SECONDS", 0.0)
    answer = audits.run_scheduled(wired, "full")
    assert (answer["left"], answer["next"]) == (2, ["b", "eventlog.registry"])
    (said,) = [said for said in caplog.records if said.message == "chains are left to be audited"]
    assert (vars(said)["mode"], vars(said)["left"], vars(said)["next"]) == ("full", 2, ["b", "eventlog.registry"])
    assert [report["chain"] for report in audits.run_scheduled(wired, "full")["audits"]] == ["b"]


def test_without_anchors_a_round_counts_by_what_the_database_says(wired: AuditWiring) -> None:
    store = wired.log
    auditor = Auditor(store, AuditStore(store), "example.com/log")
    outcome = RoundOutcome()
    assert [report.chain for report in auditor.each("full", 0, outcome)] == ["a"]
    assert [report.chain for report in auditor.each("full", 0, outcome)] == ["b"]
    assert (outcome.finished, auditor.full_age()) == (set(), None)
    list(auditor.each("incremental", 60, outcome))
    assert outcome.finished == {"full", "incremental"}
