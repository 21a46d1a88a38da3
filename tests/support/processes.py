"""Commands in a directory of their own: as processes of their own, or in this one where only what they say matters."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import httpx2

from local.machine import HOST, wait_until
from local.main import main
from tests.support import plain_http
from tests.support.ports import own_port

ROOT = Path(__file__).parents[2]
SECONDS = 240
"""How long a command may take, or a server to start or stop, beside whatever else this machine does."""
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale that has no characters but ASCII."""


@dataclass
class Running:
    """A process that serves, by default a development server; its output so far is in two files."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def is_ready(self) -> bool:
        """Whether it takes requests; fails with what it said if it ended instead."""
        assert self.process.poll() is None, self.output
        try:
            return plain_http.get(f"{self.url}/dashboard/config.json").is_success
        except httpx2.TransportError:
            return False

    def end_with(self, number: signal.Signals) -> int:
        """Sends the signal and returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


R = TypeVar("R", bound=Running)


def environment(**variables: str) -> dict[str, str]:
    """This process' environment with the project importable, and without settings of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MONGO", "EVENTLOG", "HOST", "PORT", "COV"))}
    here = os.pathsep.join(str(ROOT / folder) for folder in (".", "layers/eventlog/src", "client/src"))
    return inherited | {"PYTHONPATH": here} | variables


def behind_a_proxy(proxy: str = "http://127.0.0.1:9") -> dict[str, str]:
    """The environment of a machine whose requests go through a proxy, all of them; by default nobody is there."""
    names = ("http_proxy", "https_proxy", "all_proxy")
    return dict.fromkeys((*names, *map(str.upper, names)), proxy) | {"no_proxy": "", "NO_PROXY": ""}


def run(folder: Path, module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a module to its end."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def serve(_: Sequence[str]) -> int:
    """``python -m local`` for ``run_here``, where something stands in its way: else it would serve for ever."""
    return main()


def run_here(
    folder: Path, command: Callable[[Sequence[str]], int], *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command's main function to its end, in the folder and the environment that ``run`` would give it.

    An interpreter of its own would spend a second on imports; that the module starts as one, other tests show.
    """
    stdout, stderr, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    with (
        patch.dict(os.environ, environment(**variables), clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            code = command(arguments)
        except SystemExit as end:  # argparse, for wrong usage
            code = int(end.code or 0)
        finally:
            signal.signal(signal.SIGTERM, handler)
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


@contextlib.contextmanager
def serving(
    kind: type[R], port: int, folder: Path, module: str, *arguments: str, cwd: Path, **variables: str
) -> Iterator[R]:
    """A module that is ready and serves on the port, with its output in the folder; stopped if it still runs."""
    command = [sys.executable, "-m", module, *arguments]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, cwd=cwd, env=environment(**variables), stdout=stdout, stderr=stderr)
    running = kind(process, port, folder)
    try:
        wait_until(f"python -m {module}", running.is_ready, SECONDS)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()  # not killed at once: it has a mongod to stop
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)
        process.kill()
        process.wait()


@contextlib.contextmanager
def server(folder: Path, **variables: str) -> Iterator[Running]:
    """A development server that takes requests, on PORT or a free one."""
    port = int(variables.pop("PORT", 0)) or own_port()
    with serving(Running, port, folder, "local", cwd=folder, PORT=str(port), **variables) as running:
        yield running
