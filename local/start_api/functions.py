"""An execution environment of a function: AWS's Runtime Interface Emulator with the function's Python in it."""

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
GRACE_SECONDS = 30.0  # what a start may take in addition to the function's own time limit
STOP_SECONDS = 5
TIMED_OUT = b"Task timed out after "


class FunctionError(Exception):
    """The function raised, died or took too long; the text is Lambda's answer."""


@dataclass(frozen=True)
class Function:
    """A function of the template, with what is needed to run it."""

    name: str
    code: Path
    handler: str
    timeout: int
    variables: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Runtime:
    """What all functions share: the emulator, the import path beside their own code, and the folder of their logs."""

    emulator: Path
    path: tuple[Path, ...]
    logs: Path


class Instance:
    """Runs one invocation at a time; the function's Python starts with the first one (cold) and stays (warm).

    After a crash or a time-out the emulator starts a new Python, as Lambda does. Start an instance from a thread that
    lives as long as it should: the emulator ends with its thread.
    """

    def __init__(self, function: Function, runtime: Runtime, number: int) -> None:
        self._function = function
        self._runtime = runtime
        self._log = runtime.logs / f"{function.name}-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Start the emulator; the function's Python starts with the first invocation.

        Raises:
            LocalError: the emulator doesn't start.
        """
        for _ in range(5):
            self._port = free_port()
            self._process = self._spawn(free_port())
            wait_until("the Runtime Interface Emulator", self._answers_or_exited)
            if self.is_alive():
                return
        raise LocalError(f"The Runtime Interface Emulator does not start (its log is {self._log}).")

    def is_alive(self) -> bool:
        """Return whether the emulator runs; its function may have died."""
        return self._process is not None and self._process.poll() is None

    def invoke(self, payload: bytes) -> bytes:
        """Invoke the function; return its answer.

        Raises:
            FunctionError: the function or its emulator failed.
        """
        # Two kinds of failure. The connection breaks: the emulator itself is gone, and with it this instance. It
        # answers with an error: the function failed, and the next invocation may go well.
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
        """Stop the emulator, and the function with it."""
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
    """Return whether an answer is an error of the function; the emulator sends most of them with status 200."""
    if answer.startswith(TIMED_OUT):
        return True
    if b'"errorType"' not in answer[:4096]:
        return False
    with suppress(ValueError):
        found = json.loads(answer)
        return isinstance(found, dict) and {"errorType", "errorMessage"} <= found.keys()
    return False
