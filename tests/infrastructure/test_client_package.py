"""The client needs the layer's formats and nothing of the server: not installed, not imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [str(ROOT / "layers/eventlog/src"), str(ROOT / "client/src")]
REFUSED = {
    "pymongo",
    "bson",
    "fastapi",
    "starlette",
    "pydantic",
    "boto3",
    "botocore",
    "mangum",
    "aws_lambda_powertools",
}
REFUSE = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
sys.path[:0] = {SOURCES}
"""


def isolated(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in an interpreter where the server's libraries can't be imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-I", "-c", REFUSE + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean)


@pytest.mark.parametrize("module", ["eventlog_client", "eventlog_client.cli", "eventlog_client.witness_server"])
def test_the_client_imports_without_the_server_s_libraries(module: str) -> None:
    done = isolated(f"import {module}; print({module}.__file__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(ROOT))


def test_what_is_refused_here_is_really_refused() -> None:
    assert "ModuleNotFoundError: pymongo" in isolated("import eventlog.store.mongo.store").stderr


def test_the_command_works_without_the_server_s_libraries() -> None:
    done = isolated("from eventlog_client.cli import main; sys.exit(main(['--help']))")
    assert (done.returncode, done.stderr) == (0, "")
    assert "verify-bundle" in done.stdout


def test_the_start_loads_neither_tables_nor_signatures() -> None:
    done = isolated("import eventlog_client.cli; print(*sys.modules)")
    assert not {"rich.table", "rich.progress", "cryptography"} & set(done.stdout.split())
