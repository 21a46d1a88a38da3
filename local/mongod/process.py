"""One mongod process: where its binary is, its port, its log, and why it did not start."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from local.machine import HOST, LocalError, find_binary, free_port, port_is_free, wait_until

STOP_SECONDS = 20

# Asks Linux for SIGTERM when the thread that started it dies, so that a killed parent leaves no orphan. Then it becomes
# mongod.
LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class MongodProcess:
    """A mongod on 127.0.0.1 with everything of its own in `data_dir`: `db/`, `mongod.log` and `port`.

    The port of the last run is used again if it is free, unless another is asked for. What waits for a majority
    without asking for the journal, such as dropping a database, takes up to ``journal_millis`` (100 is MongoDB's own).
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        replica_set: str = "rs0",
        cache_gb: float = 0.5,
        journal_millis: int = 100,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.replica_set = replica_set
        self._cache_gb = cache_gb
        self._journal_millis = journal_millis
        self.log_path = self.data_dir / "mongod.log"
        self._db_path = self.data_dir / "db"
        self._port_path = self.data_dir / "port"
        self._wanted_port = port
        self._port = port or 0
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port of the current or last run; 0 before the first."""
        return self._port

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self._port}"

    @property
    def uri(self) -> str:
        """The URI of this very node."""
        return f"mongodb://{self.address}/?directConnection=true"

    def is_running(self) -> bool:
        """Return whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def client(self) -> MongoClient[dict[str, Any]]:
        """Return a client of this very node; the caller closes it."""
        return MongoClient(self.uri, serverSelectionTimeoutMS=5000, connectTimeoutMS=5000)

    def launch(self) -> None:
        """Start the process; return when it answers. The replica set's configuration is not touched.

        Raises:
            LocalError: it can't start, for example when another mongod uses the data.
        """
        if self.is_running():
            raise LocalError(f"mongod is already running on {self.address}.")
        self._process = None
        self._make_directory()
        # Another program may take a port between the look at it and mongod's own start. That is not a failure: the next
        # port is tried. Any other reason to exit would be the same on every port.
        for port in self._candidate_ports():
            self._port = port
            if not port_is_free(port):
                continue
            try:
                self._spawn()
                wait_until(f"mongod on {self.address}", self._answers_or_exited)
            except BaseException:
                self.kill()
                raise
            if self.is_running():
                self._port_path.write_text(f"{port}\n")
                return
            if not port_was_taken(self._log_lines()):
                break
        raise self._explain_exit()

    def stop(self) -> None:
        """Stop it cleanly, or by force if that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _make_directory(self) -> None:
        try:
            self._db_path.mkdir(parents=True, exist_ok=True)
            self.log_path.touch()
        except OSError as error:
            raise LocalError(f"Can't write to {self.data_dir}: {error.strerror}.") from error

    def _candidate_ports(self) -> Iterator[int]:
        if self._wanted_port:
            yield self._wanted_port
            return
        with contextlib.suppress(OSError, ValueError):
            yield int(self._port_path.read_text())
        for _ in range(5):
            yield free_port()

    def _spawn(self) -> None:
        command = [str(self._binary()), *self._arguments()]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *command]
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            # A session of its own: Ctrl-C in the terminal reaches our process only, which then stops mongod cleanly.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _binary(self) -> Path:
        return find_binary()

    def _arguments(self) -> list[str]:
        options = {
            "--dbpath": str(self._db_path),
            "--port": str(self._port),
            "--bind_ip": HOST,
            "--replSet": self.replica_set,
            "--wiredTigerCacheSizeGB": f"{self._cache_gb:g}",
            "--oplogSize": "256",
            "--journalCommitInterval": str(self._journal_millis),
        }
        parameters = ("diagnosticDataCollectionEnabled=false", "shutdownTimeoutMillisForSignaledShutdown=0")
        arguments = [part for option in options.items() for part in option]
        arguments += [part for parameter in parameters for part in ("--setParameter", parameter)]
        return arguments if sys.platform == "win32" else [*arguments, "--nounixsocket"]

    def _answers_or_exited(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        try:
            socket.create_connection((HOST, self._port), timeout=1).close()
            with self.client() as client:
                answering = client.admin.command("serverStatus")["pid"]
        except (OSError, PyMongoError):
            return False
        # Another mongod may have been faster on this port; then ours is about to exit.
        return bool(answering == self._process.pid)

    def _log_lines(self) -> list[str]:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").splitlines()

    def _explain_exit(self) -> LocalError:
        lines = self._log_lines() if self._process else []
        if any("DBPathInUse" in line for line in lines):
            return LocalError(f"The data in {self.data_dir} is in use by another mongod; stop that one first.")
        if self._process is None or port_was_taken(lines):
            return LocalError(f"mongod can't use port {self._port}: it is taken by another program.")
        return LocalError(f"mongod did not start: {last_error(lines)} (its log is {self.log_path}).")


def port_was_taken(lines: Sequence[str]) -> bool:
    """Return whether mongod's log says that its port is taken."""
    return any("Address already in use" in line or "Error setting up listener" in line for line in lines)


def last_error(lines: Sequence[str]) -> str:
    """Return the last error in mongod's log, as plain text."""
    reason = "no reason given"
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            reason = line.strip() or reason
            continue
        if entry.get("s") in {"E", "F"}:
            reason = f"{entry.get('msg')} {entry.get('attr', {}).get('error', '')}".strip()
    return reason.rstrip(".")
