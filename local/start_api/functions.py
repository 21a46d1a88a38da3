"""One execution environment of a function: AWS's Runtime Interface Emulator and, in it, the function's Python."""

import http.client
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from local.machine import HOST, LocalError, free_port, wait_until
from local.mongod.process import LAUNCHER

PATH = "/2015-03-31/functions/function/invocations"
MAX_PAYLOAD = 6 * 2**20
GRACE_SECONDS = 30.0  # what a start may take beyond the function's own time limit
STOP_SECONDS = 5
TIMED_OUT = b"Task timed out after "


class FunctionError(Exception):
    """The function raised, died or took too long; the text is Lambda's answer."""


@dataclass(frozen=True)
class Function:
    """A function of the template, and what it takes to run it."""

    name: str
    code: Path
    handler: str
    timeout: int
    variables: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Runtime:
    """What all functions run with: the emulator, the path beside their own code, and where their logs go."""

    emulator: Path
    path: tuple[Path, ...]
    logs: Path


class Instance:
    """Runs one invocation at a time; the function's Python starts with the first one (cold) and stays (warm).

    After a crash or a time-out the emulator starts the Python anew, as Lambda does. Start it from a thread that lives
    as long as it should, for it ends with that.
    """

    def __init__(self, function: Function, runtime: Runtime, number: int) -> None:
        self._function = function
        self._runtime = runtime
        self._log = runtime.logs / f"{function.name}-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Raises: LocalError when the emulator doesn't start."""
        for _ in range(5):
            self._port = free_port()
            self._process = self._spawn(free_port())
            wait_until("the Runtime Interface Emulator", self._answers_or_exited)
            if self.is_alive():
                return
        raise LocalError(f"The Runtime Interface Emulator does not start (its log is {self._log}).")

    def is_alive(self) -> bool:
        """Whether the emulator runs; its function may have died."""
        return self._process is not None and self._process.poll() is None

    def invoke(self, payload: bytes) -> bytes:
        """The function's answer.

        Raises:
            FunctionError
        """
        connection = http.client.HTTPConnection(HOST, self._port, timeout=self._function.timeout + GRACE_SECONDS)
        try:
            connection.request("POST", PATH, payload)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.stop()
            raise FunctionError(f"{self._function.name} is gone: {type(error).__name__}") from error
        finally:
            connection.close()
        if response.status != 200 or is_error(answer):
            raise FunctionError(answer[:1000].decode(errors="replace"))
        return answer

    def stop(self) -> None:
        """Ends the emulator, which ends the function."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._process.kill()
        self._process.wait()

    def _spawn(self, runtime_port: int) -> subprocess.Popen[bytes]:
        function = self._function
        addresses = {"--runtime-api-address": runtime_port, "--runtime-interface-emulator-address": self._port}
        command = [str(self._runtime.emulator), "--log-level", "info"]
        command += [part for option, port in addresses.items() for part in (option, f"{HOST}:{port}")]
        command += [sys.executable, "-S", "-P", "-m", "awslambdaric", function.handler]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *command],
                cwd=function.code,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches our process only
            )

    def _environment(self) -> dict[str, str]:
        path = (self._function.code, *self._runtime.path)
        return self._function.variables | {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "LAMBDA_TASK_ROOT": str(self._function.code),
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log.stem,
        }

    def _answers_or_exited(self) -> bool:
        if not self.is_alive():
            return True
        connection = http.client.HTTPConnection(HOST, self._port, timeout=1)
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True


def is_error(answer: bytes) -> bool:
    """Whether this is the emulator's word for a failure: it says 200 for most of them."""
    if answer.startswith(TIMED_OUT):
        return True
    if b'"errorType"' not in answer[:4096]:
        return False
    with suppress(ValueError):
        found = json.loads(answer)
        return isinstance(found, dict) and {"errorType", "errorMessage"} <= found.keys()
    return False
