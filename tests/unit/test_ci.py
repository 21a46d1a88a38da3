"""What CI runs is what a developer runs, and both say what is missing before anything else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CI = ROOT / ".ci" / "run"
MAKE = shutil.which("make") or "make"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Commands of a machine that has no Chromium; each says how it was called."""
    for name in ("bash", "dirname", "cat"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    for name in ("make", "apt-get", "sudo"):
        add(tmp_path, name, f'echo "{name} $*"')
    add(tmp_path, "id", "echo 0")
    return tmp_path


def add(machine: Path, name: str, does: str) -> None:
    (machine / name).write_text(f"#!/bin/bash\n{does}\n")
    (machine / name).chmod(0o755)


def run(machine: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine), "HOME": str(machine)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_ci_ends_with_the_test_command_and_can_be_executed() -> None:
    assert CI.read_text().rstrip().splitlines()[-1] == "make test"
    assert os.access(CI, os.X_OK)
    assert subprocess.run(["/bin/bash", "-n", CI], check=False).returncode == 0


def test_ci_installs_nothing_where_there_is_chromium(machine: Path) -> None:
    for name in ("chromium", "chromium-headless-shell"):
        add(machine, name, "exit 1")
        assert run(machine, str(CI)).stdout == "make test\n"
        (machine / name).unlink()


def test_ci_installs_debian_s_chromium_where_there_is_none(machine: Path) -> None:
    add(machine, "apt-get", f'echo "apt-get $*" >> {machine}/called')
    done = run(machine, str(CI))
    update, install = (machine / "called").read_text().splitlines()
    assert (done.returncode, done.stdout) == (0, "make test\n")
    assert update.startswith("apt-get update")
    assert install.startswith("apt-get install")
    assert install.endswith("--yes --no-install-recommends chromium-headless-shell")


def test_ci_installs_the_whole_browser_where_there_is_no_shell_of_it(machine: Path) -> None:
    add(machine, "apt-get", f'echo "$*" >> {machine}/called; [[ "$*" != *shell* ]]')
    assert run(machine, str(CI)).stdout == "make test\n"
    assert (machine / "called").read_text().splitlines()[-1].endswith("--no-install-recommends chromium")


def test_ci_asks_for_root_where_it_is_not(machine: Path) -> None:
    add(machine, "id", "echo 1000")
    add(machine, "sudo", f'echo "$*" >> {machine}/called')
    assert run(machine, str(CI)).returncode == 0
    assert [line.split()[0] for line in (machine / "called").read_text().splitlines()] == ["apt-get", "apt-get"]


def test_ci_fails_where_chromium_can_not_be_installed(machine: Path) -> None:
    add(machine, "apt-get", "exit 100")
    done = run(machine, str(CI))
    assert (done.returncode, done.stdout) == (100, "")


def test_make_test_says_first_that_chromium_is_missing(machine: Path) -> None:
    done = run(machine, MAKE, "--no-print-directory", "SHELL=/bin/bash", "test")
    assert (done.returncode, done.stdout) == (2, "")
    assert "The dashboard's tests need Chromium: apt-get install chromium" in done.stderr


def needed(target: str) -> list[str]:
    """What a target of the Makefile needs, in order."""
    (rule,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(f"{target}:"))
    return rule.partition(" ##")[0].split()[1:]


def test_make_test_looks_for_chromium_before_anything_else() -> None:
    assert needed("test") == ["chromium", ".venv/.ready"]
    assert needed("every-test") == [".venv-checkov/.ready", "stranger"]


def test_make_check_asks_for_nothing_but_the_virtual_environment() -> None:
    assert (needed("check"), needed("lint")) == (["lint"], [".venv/.ready"])
