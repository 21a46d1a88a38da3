"""Prepares a stranger's witness for the tests: `python -m tools.stranger UV`, called by `make test`.

It needs a Python of 3.12 or newer, which the project itself does not. Where there is none, or its packages can't be
had, this says so, and the tests against it are left out, which the end of the run says again (conftest.py).
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from eventlog.console import run as run_command

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements/witness.txt"
VENV = ROOT / ".venv-witness"
READY = VENV / ".ready"
_VERSIONS = ("3.14", "3.13", "3.12")
_NEW_ENOUGH = "import sys, sqlite3, ssl; sys.exit(sys.version_info < (3, 12))"


def main(uv: Path) -> int:
    """Return 0 in any case; whether the file ``.ready`` is there says whether the tests can be run."""
    if READY.exists() and READY.stat().st_mtime >= REQUIREMENTS.stat().st_mtime:
        return 0
    READY.unlink(missing_ok=True)
    why = _prepare(uv)
    if why:
        print(f"The tests against a stranger's witness are left out: {why}.", file=sys.stderr)
    else:
        READY.touch()
    return 0


def pythons() -> Iterator[str]:
    """Yield what may be a Python that is new enough: this one, those on PATH, and those of pyenv."""
    # A shim of pyenv is on PATH also where no version is chosen for it; then it fails, and the next one is tried.
    yield sys.executable
    yield from filter(None, (shutil.which(f"python{version}") for version in _VERSIONS))
    found = Path.home().glob(".pyenv/versions/*/bin/python3")
    yield from map(str, sorted(found, reverse=True))


def _prepare(uv: Path) -> str:
    chosen = next((path for path in pythons() if _succeeds(path, "-c", _NEW_ENOUGH)), None)
    if chosen is None:
        return "no Python 3.12 or newer is found on this machine"
    if not _succeeds(str(uv), "venv", "--quiet", "--clear", "--python", chosen, str(VENV)):
        return f"no virtual environment can be made with {chosen}"
    options = ("--quiet", "--require-hashes", "--only-binary", ":all:", "--python", str(VENV / "bin/python"))
    if not _succeeds(str(uv), "pip", "sync", *options, str(REQUIREMENTS)):
        return "its packages can't be installed"
    return ""


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    sys.exit(run_command(main, Path(sys.argv[1])))
