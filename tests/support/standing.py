"""A log in which something was found, and its readers, for tests of what stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pymongo import MongoClient
from pymongo.monitoring import CommandListener, CommandStartedEvent

from eventlog.settings import Settings
from eventlog.store.errors import StoreError
from eventlog.store.interface.standings import STANDING_PREFIX, StandingStore
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.access import Grant, Sample, ThroughGateway, Way, WithTokens
from tests.support.anchored import HOUR, AnchoredLog

DAY = 24 * HOUR
HONEST = "anonymous"
"""The principal of every event until one is edited."""
ALL = Grant()
ONE = Grant(chains=("b",), name="b's own")
Json = dict[str, Any]


class Commands(CommandListener):
    """Counts what goes to MongoDB."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


class Counted:
    """Counts the calls of a store of standings."""

    def __init__(self, store: StandingStore) -> None:
        self._store = store
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self._store, name)


@dataclass
class Heard:
    """``Notices`` that keeps what could not be done."""

    failures: list[str] = field(default_factory=list)

    def found(self, report: Any, new: int) -> None: ...

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        assert str(error)
        self.failures.append(f"{chain}: {what}")


@dataclass
class Tampered:
    """A log of chains a, b and c, fully audited, in which event 3 of b was edited then, and its readers."""

    log: AnchoredLog
    ways: list[Way]
    commands: Commands

    @property
    def rows(self) -> Any:
        return operations_of(self.log.store).audits

    def get(self, path: str, grant: Grant = ALL, **params: Any) -> Json:
        """What both ways answer: the server, and Lambda behind API Gateway."""
        sample = Sample(f"/api/v1{path}", params={name: str(value) for name, value in params.items()})
        first, second = (way.call("GET", sample, grant) for way in self.ways)
        assert first.status == second.status == 200, (first.body, second.body)
        assert first.json() == second.json()
        found: Json = first.json()
        return found

    def verdicts(self) -> dict[str, str]:
        """What the list of chains says."""
        return {found["chain"]: found["standing"]["verdict"] for found in self.get("/chains")["chains"]}

    def edit(self, chain: str = "b", seq: int = 3, principal: str = "forged") -> None:
        events = operations_of(self.log.store).events
        assert events.update_one({"chain": chain, "seq": seq}, {"$set": {"principal": principal}}).matched_count

    def row(self, chain: str = "b") -> Json:
        found: Json = self.rows.find_one({"_id": f"{STANDING_PREFIX}{chain}"})
        return found

    def check(self) -> list[str]:
        """What an invocation of the schedule does first; what it tells."""
        auditor = self.log.auditor()
        heard = auditor.standings._notices = Heard()
        auditor.standings.check()
        return heard.failures


@contextmanager
def tampered_log(store: MongoStore, mongo_uri: str, database: str, folder: Path) -> Iterator[Tampered]:
    """See ``Tampered``."""
    log, commands = AnchoredLog(store, folder), Commands()
    for chain in "abc":
        log.append(6, chain)
    log.audit_all("full")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
    with patch("eventlog.store.mongo.store.MongoClient", partial(MongoClient, event_listeners=[commands])):
        gateway, server = ThroughGateway(settings), WithTokens(settings, folder / "tokens", [ALL, ONE])
        found = Tampered(log, [server, gateway], commands)
        found.edit()
        log.ahead += DAY
        yield found
        for way in (gateway, server):
            way.app.state.connection.close()
