"""The target of the load: a server elsewhere, or a development server with a fresh log."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2

from eventlog_client.addresses import direct
from local.machine import HOST, LocalError, free_port, wait_until

ROOT = Path(__file__).parents[2]
SECONDS = 60
_SETTINGS = ("MONGO", "EVENTLOG", "PORT")


@contextlib.contextmanager
def target(url: str | None, folder: Path) -> Iterator[str]:
    """Yield the URL; without one, run a development server meanwhile, with its data and output in the folder.

    Raises:
        LocalError: nobody answers there, it does not start, or it ends too soon.
    """
    if url:
        if not _answers(url):
            raise LocalError(f"No event log answers at {url}.")
        yield url
        return
    # Settings of the user's own log must not reach this server, or the load would be sent there.
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    environment = inherited | {"PORT": str(port), "PYTHONPATH": python_path(), "POWERTOOLS_LOG_LEVEL": "WARNING"}
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local"], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        url = f"http://{HOST}:{port}"
        try:
            wait_until("the development server", lambda: process.poll() is not None or _answers(url), SECONDS)
            if process.poll() is not None:
                raise LocalError(f"The development server did not start: {(folder / 'server.log').read_text().strip()}")
            yield url
            if process.poll() is not None:
                raise LocalError(f"The development server ended during the run, with {process.returncode}.")
        finally:
            process.terminate()  # not killed: it has a mongod to stop
            process.wait(SECONDS)


def python_path() -> str:
    """Return the PYTHONPATH with which a process in another folder finds this project."""
    return os.pathsep.join(str(ROOT / folder) for folder in (".", "layers/eventlog/src", "client/src"))


def _answers(url: str) -> bool:
    """Return whether a log answers; one without access control answers 200 only if its database does."""
    try:
        with httpx2.Client(transport=direct(url)) as http:
            return http.get(f"{url}/api/v1/health").status_code in {200, 401, 403}
    except (httpx2.TransportError, httpx2.InvalidURL):
        return False
