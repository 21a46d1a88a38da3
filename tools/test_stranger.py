"""A run that can't have a stranger's witness says so, and is no failure."""

import os
import sys
from pathlib import Path

import pytest

from tools import stranger


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the virtual environment would be; its requirements are newer than anything in it."""
    for name, path in (("VENV", "venv"), ("READY", "venv/.ready"), ("REQUIREMENTS", "witness.txt")):
        monkeypatch.setattr(stranger, name, tmp_path / path)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/.ready").touch()
    os.utime(tmp_path / "venv/.ready", (0, 0))
    (tmp_path / "witness.txt").touch()
    return tmp_path


def test_where_no_python_is_new_enough_nothing_is_ready(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shim = place / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setattr(stranger, "pythons", lambda: iter([str(shim), str(place / "nowhere")]))
    assert stranger.main(Path("true")) == 0
    assert "are left out: no Python 3.12 or newer is found" in capsys.readouterr().err
    assert not stranger.READY.exists()


@pytest.mark.parametrize(("uv", "why"), [("false", "no virtual environment can be made"), ("true", "")])
def test_what_can_not_be_installed_is_said_too(
    place: Path, uv: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stranger, "_NEW_ENOUGH", "")
    monkeypatch.setattr(stranger, "pythons", lambda: iter([str(place / "nowhere"), sys.executable]))
    assert stranger.main(Path(uv)) == 0
    assert why in capsys.readouterr().err
    assert stranger.READY.exists() == (not why)
    assert stranger.main(Path("false")) == 0
    assert stranger.READY.exists() == (not why), "what is ready stays ready"
