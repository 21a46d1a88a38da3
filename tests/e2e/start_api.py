"""`python -m local.start_api` as a process of its own, its clients, and what it leaves behind."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx2
from pymongo import MongoClient

from tests.support import plain_http
from tests.support.ports import own_port
from tests.support.processes import ROOT, Running, serving

PASSWORD = "the administrator's: @/?%"
PRIVATE = "in-a-payload-7d1f0c9be2a84635"
"""What no log may show; long enough that no log has it by chance."""
Json = dict[str, Any]


class StartApi(Running):
    """A running `make start-api`."""

    @property
    def logs(self) -> Path:
        return self.folder / "run" / "logs"

    def token(self, name: str) -> str:
        return self._shown(rf"^  {name.upper()}=(\S+)$")

    @property
    def aws_url(self) -> str:
        return self._shown(r"^  AWS +(\S+) \(moto\)")

    def ask(self, who: str | None, method: str, path: str, **options: Any) -> httpx2.Response:
        """A request with the token of one of those that the banner names."""
        headers = dict(options.pop("headers", {}))
        if who:
            headers["Authorization"] = f"Bearer {self.token(who)}"
        return plain_http.request(method, f"{self.url}{path}", headers=headers, timeout=60, **options)

    def post(self, event_id: str, who: str = "writer", **fields: Any) -> httpx2.Response:
        return self.ask(who, "POST", fields.pop("path", "/api/v1/events"), json=event(event_id, **fields))

    def invoke(self, function: str, payload: Any) -> Any:
        """The answer of a function that is called directly, as Lambda's Invoke API does."""
        path = f"/2015-03-31/functions/{function}/invocations"
        answer = plain_http.post(f"{self.url}{path}", content=json.dumps(payload), timeout=60)
        assert "X-Amz-Function-Error" not in answer.headers, answer.text
        return answer.json()

    def log(self, function: str) -> str:
        return "".join(path.read_text() for path in sorted(self.logs.glob(f"{function}-*.log")))

    def metrics(self, function: str, name: str) -> list[float]:
        """All values of a metric that a function wrote to its log, in EMF."""
        lines = [json.loads(line) for line in self.log(function).splitlines() if line.startswith('{"_aws"')]
        return [value for line in lines for value in line.get(name, ())]

    @contextlib.contextmanager
    def administrator(self) -> Iterator[Any]:
        """The database, for one who may do anything."""
        address = self._shown(r"^  MongoDB +(\S+),")
        uri = f"mongodb://administrator:{quote_plus(PASSWORD)}@{address}/admin?directConnection=true"
        with MongoClient[Json](uri) as client:
            yield client["eventlog"]

    def runtimes(self, function: str) -> list[int]:
        """Processes that run a function's Python."""
        return [
            pid
            for pid in family(self.process.pid)
            if "awslambdaric" in read(pid, "cmdline") and f"NAME={function}\0" in read(pid, "environ")
            if "--runtime-api-address" not in read(pid, "cmdline")
        ]

    def mongod(self) -> int:
        (found,) = [pid for pid in family(self.process.pid) if "mongod\0" in read(pid, "cmdline")]
        return found

    def _shown(self, pattern: str) -> str:
        found = re.search(pattern, self.output, re.MULTILINE)
        assert found, self.output
        return found[1]

    def is_ready(self) -> bool:
        """Whether it has said how to call it, which it does last."""
        assert self.process.poll() is None, self.output
        return "Authorization: Bearer" in self.output


def event(event_id: str, **fields: Any) -> Json:
    return {
        "event_id": event_id,
        "event_type": "order.created",
        "timestamp": "2026-11-23T10:15:12.345Z",
        "source_id": "orders-eu-1",
        "payload": {"order": PRIVATE, "total": 440},
    } | fields


def read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def family(pid: int) -> list[int]:
    """A process and all that come from it, as Linux knows them."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        if fields := read(int(path.name), "stat").rpartition(")")[2].split():
            parents[int(path.name)] = int(fields[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def is_running(pid: int) -> bool:
    return read(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


@contextlib.contextmanager
def start(folder: Path, template: Path, *options: str) -> Iterator[StartApi]:
    """One that serves an earlier build."""
    port = own_port()
    arguments = ["--port", str(port), "--folder", str(folder / "run"), "--built", str(template), *options]
    settings = {"START_API_MONGO_PASSWORD": PASSWORD}
    with serving(StartApi, port, folder, "local.start_api", *arguments, cwd=ROOT, **settings) as running:
        yield running
