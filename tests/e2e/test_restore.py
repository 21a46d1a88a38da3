"""A restored backup, and a name struck off, declared as an operator does it: `make restore`, `make strike-off`."""

import shutil
import signal
from pathlib import Path

from local import declaration
from tests.support import plain_http
from tests.support.processes import Running, run, run_here, server

EVENT = {"event_type": "t", "source_id": "s", "timestamp": "2026-11-23T12:00:00Z", "payload": {}}


def append_and_audit(running: Running) -> dict[str, object]:
    """One event more, and the report of a full audit."""
    assert plain_http.post(f"{running.url}/api/v1/events", json=EVENT).status_code == 201
    answer = plain_http.post(f"{running.url}/api/v1/audits", json={"mode": "full"}, timeout=30)
    report: dict[str, object] = answer.json()
    return report


def test_a_restored_backup_is_found_declared_and_intact_again(tmp_path: Path) -> None:
    data, backup = tmp_path / ".eventlog" / "mongo", tmp_path / "backup"
    with server(tmp_path) as running:
        append_and_audit(running)
        running.end_with(signal.SIGTERM)
    shutil.copytree(data, backup)
    with server(tmp_path) as running:
        assert append_and_audit(running)["anchored_size"] == 2
        running.end_with(signal.SIGTERM)
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    with server(tmp_path) as running:
        report = append_and_audit(running)
        assert (report["status"], [f["kind"] for f in report["findings"]]) == ("tampered", ["rewritten"])  # type: ignore[attr-defined]
        running.end_with(signal.SIGTERM)
    done = run(tmp_path, "local.declaration", "restore", "main", "the disk broke")
    assert (done.returncode, done.stderr) == (0, "")
    again = run_here(tmp_path, declaration.main, "restore", "main", "the disk broke")
    assert (again.returncode, "nothing was lost" in again.stderr) == (1, True)
    with server(tmp_path) as running:
        assert append_and_audit(running)["status"] == "intact"
        checkpoint = plain_http.get(f"{running.url}/api/v1/chains/main/checkpoint").text
        assert checkpoint.startswith("localhost/eventlog/main~2\n4\n")


def test_a_restore_without_a_reason_says_how_to_ask(tmp_path: Path) -> None:
    done = run_here(tmp_path, declaration.main, "restore", "main", "")
    assert (done.returncode, done.stderr.startswith("usage: make restore CHAIN=")) == (2, True)


def test_a_declaration_that_there_is_not_says_which_there_are(tmp_path: Path) -> None:
    for asked in ([], ["forget", "main", "the disk broke"]):
        done = run_here(tmp_path, declaration.main, *asked)
        assert (done.returncode, done.stderr.count("usage: make ")) == (2, 2)


def test_a_restore_of_a_chain_that_is_not_there_declares_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "local.declaration", "restore", "main", "the disk broke")
    assert (done.returncode, done.stderr) == (
        1,
        "Nothing was declared: There is no chain main; nothing of it was restored.\n",
    )


def test_an_operator_must_say_which_database(tmp_path: Path) -> None:
    done = run(tmp_path, "admin.declaration", "restore", "main", "the disk broke")
    assert (done.returncode, done.stderr) == (1, "Nothing was declared: Set MONGO_URI to the database of the chain.\n")


def test_a_strike_off_is_asked_for_like_a_restore(tmp_path: Path) -> None:
    done = run_here(tmp_path, declaration.main, "strike-off", "ghost", "")
    assert (done.returncode, done.stderr.startswith("usage: make strike-off CHAIN=")) == (2, True)
    done = run(tmp_path, "local.declaration", "strike-off", "ghost", "never a chain")
    assert (done.returncode, done.stderr) == (
        1,
        "Nothing was declared: eventlog.registry does not name a chain ghost; there is nothing to strike off.\n",
    )
    done = run(tmp_path, "admin.declaration", "strike-off", "ghost", "never a chain")
    assert (done.returncode, done.stderr) == (1, "Nothing was declared: Set MONGO_URI to the database of the chain.\n")
