"""``python -m tools.load``: ten minutes of load as from many clients, then a check of everything that is stored."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

from admin.command import explain
from eventlog.console import run as run_command
from local.machine import LocalError
from tools.load import figures, report
from tools.load.report import LoadResult
from tools.load.target import ROOT, python_path, target
from tools.load.verify import verify

PAGE = ROOT / "docs" / "load.md"
LOCAL, ELSEWHERE = "local server", "start-api"
STOP_SECONDS = 60
"""How long open requests may still take at the end."""


class LoadSettings(BaseSettings):
    """Settings of a run: seconds, users and target. Without a URL a development server is started for it."""

    model_config = {"env_ignore_empty": True}

    url: str | None = None
    token: str | None = None
    duration: int = Field(default=600, ge=1)
    users: int = Field(default=20, ge=2)
    write: bool = False


def main() -> int:
    """Return the exit code: 0 only if nothing is lost, doubled or altered, and every answer was an allowed one."""
    try:
        settings = LoadSettings()
    except ValidationError as error:
        print(explain(error).replace(" or .env", ""), file=sys.stderr)
        return 2
    # The folder is removed only after a good run: after any other, ledger and database are what shows what went wrong.
    folder = Path(tempfile.mkdtemp(prefix="eventlog-load-"))
    good = False
    try:
        result = run(settings, folder)
        print(report.text(result))
        if settings.write:
            report.write(PAGE, ELSEWHERE if settings.url else LOCAL, report.markdown(result))
            print(f"Written: {PAGE.name}.")
        good = result.good
    except LocalError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    finally:
        if good:
            shutil.rmtree(folder)
        else:
            print(f"The ledger, and the database if it is ours, are kept in {folder}.", file=sys.stderr)
    return 0 if good else 1


def run(settings: LoadSettings, folder: Path) -> LoadResult:
    """Send the load, then verify the log.

    Raises:
        LocalError: the target does not answer, or locust failed.
    """
    with target(settings.url, folder) as url:
        print(f"{settings.users} users for {settings.duration} s at {url} ...", flush=True)
        send_load(settings, url, folder)
        print("Verifying everything that was acknowledged ...", flush=True)
        verdict = verify(url, settings.token, folder / "ledger")
    return LoadResult(settings.users, figures.read(folder / "figures"), verdict)


def send_load(settings: LoadSettings, url: str, folder: Path) -> None:
    """Run locust in a process of its own.

    Raises:
        LocalError: it ended without figures.
    """
    # In a process of its own: locust brings gevent, which changes sockets and threads for the whole process. It ends
    # with 0 also after failed requests, which the report judges; any other code means that locust itself failed.
    command = [
        sys.executable,
        "-m",
        "locust",
        "--locustfile",
        str(Path(__file__).with_name("locustfile.py")),
        "--headless",
    ]
    command += ["--host", url, "--users", str(settings.users), "--spawn-rate", str(settings.users)]
    command += ["--run-time", f"{settings.duration}s", "--stop-timeout", str(STOP_SECONDS), "--exit-code-on-error", "0"]
    command += ["--loglevel", "WARNING", "--only-summary"]
    environment = os.environ | {"LOAD_RUN": uuid4().hex[:8], "LOAD_FOLDER": str(folder), "PYTHONPATH": python_path()}
    environment |= {"TOKEN": settings.token} if settings.token else {}
    with (folder / "locust.log").open("wb") as log:
        code = subprocess.run(command, env=environment, cwd=folder, stdout=log, stderr=log, check=False).returncode
    if code or not (folder / "figures").exists():
        raise LocalError(f"locust ended with {code}: {(folder / 'locust.log').read_text().strip()[-2000:]}")


if __name__ == "__main__":
    sys.exit(run_command(main))
