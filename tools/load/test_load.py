"""`make load`, shortened: a mix of requests to a development server of its own, and nothing is lost."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.machine import HOST, LocalError
from tests.support.ports import own_port
from tests.support.processes import environment
from tools.load import report
from tools.load.__main__ import ELSEWHERE, LOCAL, PAGE
from tools.load.target import target

SECONDS = 240


def load(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs it with its temporary files in the folder."""
    return subprocess.run(
        [sys.executable, "-m", "tools.load"],
        cwd=folder,
        env=environment(TMPDIR=str(folder), **variables),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_a_short_run_loses_nothing(tmp_path: Path) -> None:
    result = load(tmp_path, DURATION="7", USERS="8")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Nothing is lost, doubled or altered." in result.stdout
    figures = re.search(r"(\d+) events acknowledged.* (\d+) stored, (\d+) audited", result.stdout)
    assert figures is not None
    acknowledged, stored, audited = map(int, figures.groups())
    assert 50 < acknowledged <= stored == audited
    routes = {line.split("  ")[0] for line in result.stdout.splitlines() if line.startswith(("GET", "POST"))}
    assert {
        "POST /events",
        "POST /events, own id",
        "POST /events/batch",
        "GET /events, by type",
        "POST /audits",
    } <= routes
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    url = f"http://{HOST}:{own_port()}"
    result = load(tmp_path, DURATION="1", USERS="2", URL=url)
    assert result.returncode == 1
    assert result.stderr.startswith(f"No event log answers at {url}.\n")


@pytest.mark.parametrize("variables", [{"DURATION": "soon"}, {"USERS": "1"}])
def test_a_bad_setting_is_named(tmp_path: Path, variables: dict[str, str]) -> None:
    result = load(tmp_path, **variables)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{next(iter(variables))} (environment): ")


def test_a_section_is_replaced_and_the_other_stays(tmp_path: Path) -> None:
    page = tmp_path / "tools.load.md"
    page.write_text(PAGE.read_text())
    report.write(page, LOCAL, "figures of here")
    report.write(page, ELSEWHERE, "figures of there")
    report.write(page, LOCAL, "newer figures \\1 of here")
    written = page.read_text()
    assert "newer figures \\1 of here" in written
    assert "figures of there" in written
    assert written.count(f"<!-- {LOCAL} -->") == written.count(f"<!-- end of {LOCAL} -->") == 1
    with pytest.raises(ValueError, match="no section moon"):
        report.write(page, "moon", "")


def test_a_server_that_ends_too_soon_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"ended during the run, with 0\."), target(None, tmp_path):  # noqa: PT012
        found = subprocess.run(
            ["pgrep", "-P", str(os.getpid()), "-f", "--", "-m local$"], capture_output=True, check=True
        )
        (server,) = map(int, found.stdout.split())
        os.kill(server, signal.SIGTERM)
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
