"""The whole API over a database, with search fields that its audits declare."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.http.audits import run_scheduled
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from tests.support.access import ROUTERS

FIELDS = "user=/user,/actor/id; ip=/ip; target=/targets/*/id"


class SearchServer:
    """The whole API over one database, with these search fields or without."""

    def __init__(self, mongo_uri: str, database: str, fields: str) -> None:
        settings = Settings(mongo_uri=mongo_uri, mongo_database=database, search_fields=fields)
        self.app = create_app(*ROUTERS, title="local", settings=settings, anonymous=True)
        self.api = TestClient(self.app)

    def audit(self, mode: str = "incremental") -> list[dict[str, Any]]:
        """Do what the schedule does: declare the fields, and audit every chain."""
        reports: list[dict[str, Any]] = run_scheduled(wiring_of(self.app, AuditWiring), mode)["audits"]
        return reports

    def append(self, payload: dict[str, Any], number: int = 0, **fields: Any) -> int:
        """Append an event of the day of this number; return its seq."""
        made = event(payload, number) | fields
        seq: int = self.api.post("/api/v1/events", json=made).raise_for_status().json()["seq"]
        return seq

    def search(self, *keys: str, **others: Any) -> dict[str, Any]:
        """Return the page of events that have these keys."""
        answer = self.api.get("/api/v1/events", params={"key": list(keys), **others})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def seqs(self, *keys: str, **others: Any) -> list[int]:
        """Return the seqs of the events that have these keys."""
        return [each["seq"] for each in self.search(*keys, **others)["events"]]


def event(payload: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """Make an event as clients send it."""
    kind = "user.login" if number % 2 == 0 else "user.logout"
    return {"event_type": kind, "timestamp": f"2026-11-2{number}T00:00:00Z", "source_id": "web", "payload": payload}


@contextmanager
def search_server(
    mongo_uri: str, database: str, fields: str = FIELDS, *, declared: bool = True
) -> Iterator[SearchServer]:
    """A server; with ``declared`` an audit has declared its fields."""
    server = SearchServer(mongo_uri, database, fields)
    if declared:
        server.audit()
    with server.api:
        yield server
    server.app.state.connection.close()
