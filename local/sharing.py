"""Full rounds whose long chains are shared by processes, as executions of the audit function share them in the cloud.

``python -m local.sharing`` is one of the processes: it reads items, one a line, does each as the function does, and
answers with a line. Each has one item at a time, so one that dies loses that item alone, and another goes on.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eventlog.audit.workers import cores
from eventlog.settings import Settings

LET_GO_SECONDS = 12.0
"""An audit counts as at work for ten seconds after the last process that worked on it."""
_ITEM_SECONDS = 600.0
"""As long as an invocation of the function works on an item."""
_MOST = 4
_COMMAND = (sys.executable, "-m", "local.sharing")
SharedItem = Mapping[str, Any]


def share_full_audit(
    items: Sequence[SharedItem], settings: Settings, pause: Callable[[float], object] = time.sleep
) -> None:
    """Have processes do what can be shared of a full round that was planned; what follows concludes it.

    Args:
        items: What there is to do.
        settings: What the processes work with.
        pause: Waits so many seconds.
    """
    if items:
        for _ in do_all(items, environment(settings), min(cores(), _MOST)):
            pass
        pause(LET_GO_SECONDS)


def do_all(
    items: Iterable[SharedItem], variables: Mapping[str, str], count: int, command: Sequence[str] = _COMMAND
) -> Iterator[dict[str, Any] | None]:
    """Have so many processes do the items; yield what each answers, in the items' order, None for one that was lost."""
    mine = threading.local()
    started: list[_Process] = []

    def do(item: SharedItem) -> dict[str, Any] | None:
        # Each thread keeps its process; one that has died is replaced for the next item.
        process: _Process | None = getattr(mine, "process", None)
        if process is None:
            process = mine.process = _Process(command, variables)
            started.append(process)
        answer = process.do(item)
        if answer is None:
            mine.process = None
        return answer

    try:
        with ThreadPoolExecutor(count, thread_name_prefix="share") as threads:
            yield from threads.map(do, items)
    finally:
        for process in started:
            process.end()


def environment(settings: Settings) -> dict[str, str]:
    """Write settings as the environment variables that they are read from."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is not None:
            found[str(field.validation_alias).upper()] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


class _Process:
    """One process, and the pipes to it; it ends when they do."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        path = os.pathsep.join(entry or str(os.curdir) for entry in sys.path)
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **variables},
            start_new_session=True,
        )

    def do(self, item: SharedItem) -> dict[str, Any] | None:
        """Hand over an item and wait for the answer; None: the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(item) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            return None
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Do items until there are no more."""
    # A process that only hands out needs none of it, and one that does the work nothing of HTTP.
    from eventlog.audit import schedule  # noqa: PLC0415
    from eventlog.wiring.audit import AuditWiring  # noqa: PLC0415
    from eventlog.wiring.connection import Connection  # noqa: PLC0415

    # What the audit logs goes to standard output, which here has the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    wired = AuditWiring(Connection(Settings()))
    for line in sys.stdin:
        with wired.connection.renew_if_refused():
            done = schedule.do_shared(wired.auditor, json.loads(line)["segment"], _ITEM_SECONDS)
        print(json.dumps(done), file=answers, flush=True)


if __name__ == "__main__":
    main()
