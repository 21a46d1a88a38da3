"""Where the watcher runs: at the beginning of each incremental round, and all the time in the development server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.anchors.signing import create_key_file
from eventlog.http import audits
from eventlog.settings import Settings
from eventlog.store.mongo.store import operations_of
from eventlog.store.mongo.watch import MongoWatch
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from local.watching import WatchThread
from tests.support.emf import printed, records
from tests.support.factories import draft

AUDIT = {"service": "eventlog-chain_audit"}


@pytest.fixture
def fresh(mongo_uri: str, database: str, tmp_path: Path) -> Iterator[AuditWiring]:
    """A log that anchors, before its first round."""
    create_key_file(tmp_path / "key")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_ORIGIN="example.com/log")
    settings.anchors, settings.signing_keys = str(tmp_path / "anchors"), str(tmp_path / "key")
    with closing(Connection(settings)) as connection:
        connection.log.append("main", [draft() for _ in range(5)])
        yield AuditWiring(connection)


@pytest.fixture
def wired(fresh: AuditWiring) -> AuditWiring:
    """An anchored log whose first round is over."""
    audits.run_scheduled(fresh, "incremental")
    return fresh


def edit_and_undo(wired: AuditWiring) -> None:
    for change in (1, -1):
        operations_of(wired.log).events.update_one({"chain": "main", "seq": 3}, {"$inc": {"v": change}})


def reports(wired: AuditWiring, mode: str) -> list[tuple[str, str]]:
    return [(report["chain"], report["status"]) for report in audits.run_scheduled(wired, mode)["audits"]]


def test_a_round_tells_what_was_undone_before_it_and_audits_every_chain(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    chains = [("main", "intact"), ("eventlog.registry", "intact")]
    edit_and_undo(wired)
    assert reports(wired, "full") == chains
    capsys.readouterr()
    assert reports(wired, "incremental") == [("main", "tampered"), *chains]
    lines = printed(capsys)
    assert records(lines, "WatchLag") == [(AUDIT, [0.0])]
    assert sum(value for _, values in records(lines, "AuditFindings") for value in values) == 2.0
    # It is told once, and stands until a full audit is clean: the alarm is on that.
    assert records(lines, "OpenFindings") == [(AUDIT, [2.0])]
    for mode, standing in (("incremental", 2.0), ("full", 0.0), ("incremental", 0.0)):
        assert reports(wired, mode) == chains
        assert records(printed(capsys), "OpenFindings") == [(AUDIT, [standing])]


def test_what_was_undone_between_an_audit_on_request_and_the_first_round_is_told_and_no_gap_is(
    fresh: AuditWiring, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = fresh.on_demand.ask("caller", "main", "full")
    assert asked.done.result(60).anchored_size == 5
    edit_and_undo(fresh)
    assert reports(fresh, "incremental") == [("main", "tampered"), ("main", "intact"), ("eventlog.registry", "intact")]
    assert sum(value for _, values in records(printed(capsys), "IncompleteAudits") for value in values) == 0.0


def test_changes_that_can_not_be_watched_are_told_and_keep_no_chain_from_being_audited(
    wired: AuditWiring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr(MongoWatch, "position", fail)
        capsys.readouterr()
        assert reports(wired, "incremental") == [("main", "intact"), ("eventlog.registry", "intact")]
    assert sum(value for _, values in records(printed(capsys), "IncompleteAudits") for value in values) == 1.0


def test_the_development_server_tells_at_once(
    wired: AuditWiring, client: MongoClient[dict[str, Any]], database: str
) -> None:
    said = Queue[str]()
    thread = WatchThread(wired, said.put)
    thread.start()
    try:
        client[database].events.drop_index("chain_1_timestamp_1_seq_1")
        text = said.get(timeout=120)
    finally:
        thread.stop()
    assert text.startswith("TAMPERED: events: the index chain_1_timestamp_1_seq_1 was dropped at 20")
    assert not thread.is_alive()
