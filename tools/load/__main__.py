"""``python -m tools.load``: load as of many clients, for ten minutes, then a walk through all that is stored."""

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
from local.machine import LocalError
from tools.load import figures, report
from tools.load.report import LoadResult
from tools.load.target import ROOT, python_path, target
from tools.load.verify import verify

PAGE = ROOT / "docs" / "load.md"
LOCAL, ELSEWHERE = "local server", "start-api"
STOP_SECONDS = 60
"""How long requests under way may still take at the end."""


class LoadSettings(BaseSettings):
    """What a run is: seconds, users, and where it goes. A development server of its own is started without a URL."""

    model_config = {"env_ignore_empty": True}

    url: str | None = None
    token: str | None = None
    duration: int = Field(default=600, ge=1)
    users: int = Field(default=20, ge=2)
    write: bool = False


def main() -> int:
    """Returns the exit code: 0 only if nothing is lost, doubled or altered, and no answer was one that may not be."""
    try:
        settings = LoadSettings()
    except ValidationError as error:
        print(explain(error).replace(" or .env", ""), file=sys.stderr)
        return 2
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
    """Load, then verify.

    Raises: LocalError
    """
    with target(settings.url, folder) as url:
        print(f"{settings.users} users for {settings.duration} s at {url} ...", flush=True)
        send_load(settings, url, folder)
        print("Verifying everything that was acknowledged ...", flush=True)
        verdict = verify(url, settings.token, folder / "ledger")
    return LoadResult(settings.users, figures.read(folder / "figures"), verdict)


def send_load(settings: LoadSettings, url: str, folder: Path) -> None:
    """Run locust in a process of its own.

    Raises: LocalError: it ended without figures.
    """
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
    sys.exit(main())
