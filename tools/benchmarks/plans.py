"""Records the finds that a page or a proof really sends, to run them bare and to explain them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from eventlog.formats.event import Event
from eventlog.store.interface import Page, Query
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore

Find = Mapping[str, Any]
"""A ``find`` command, or an aggregation that looks for the names that begin so (names.py)."""

_ASKED = ("find", "aggregate", "pipeline", "filter", "sort", "hint", "limit", "min", "max", "projection", "cursor")


@dataclass(frozen=True, slots=True)
class Examined:
    """The counts of explain over all finds of a read, and how many ordered scans MongoDB merges in them."""

    keys: int
    documents: int
    scans: int
    sorts: int


class Recorder(CommandListener):
    """Records the reads of the ``events`` collection."""

    def __init__(self) -> None:
        self.finds: list[Find] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Record a find or an aggregation on ``events``."""
        command = event.command
        if command.get("find", command.get("aggregate")) == "events":
            asked = {name: command[name] for name in _ASKED if name in command}
            self.finds.append(_find_of(asked) if "$unionWith" in str(command.get("pipeline")) else asked)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Ignore the end of a command."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Ignore the failure of a command."""


class Explainer:
    """Reads a log through the store and sees its commands from outside, without knowing how the store plans them."""

    def __init__(self, uri: str, database: str) -> None:
        self._recorder = Recorder()
        self._client: MongoClient[dict[str, Any]] = MongoClient(uri, event_listeners=[self._recorder])
        operations = Operations(self._client, database)
        self._store = MongoStore(operations, "")
        self._database = operations.events.database

    def page(self, query: Query) -> Page[Event]:
        """Read a page."""
        return self._store.page(query)

    def finds(self, query: Query) -> list[Find]:
        """Return the finds of one page."""
        return self.finds_of(lambda store: store.page(query))

    def finds_of(self, read: Callable[[MongoStore], object]) -> list[Find]:
        """Return the finds of any read."""
        self._recorder.finds.clear()
        read(self._store)
        return list(self._recorder.finds)

    def examined(self, finds: Sequence[Find]) -> Examined:
        """Run finds with explain; return the sums."""
        answers = [self._database.command("explain", find, verbosity="executionStats") for find in finds]
        # An aggregation's first stage is the one that reads.
        explained = [found["stages"][0]["$cursor"] if "stages" in found else found for found in answers]
        stats = [found["executionStats"] for found in explained]
        stages = [stage for found in explained for stage in _stages(found["queryPlanner"]["winningPlan"])]
        return Examined(
            keys=sum(found["totalKeysExamined"] for found in stats),
            documents=sum(found["totalDocsExamined"] for found in stats),
            scans=stages.count("IXSCAN"),
            sorts=stages.count("SORT"),
        )

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def _find_of(command: Find) -> Find:
    """Make a ``find`` of an aggregation that is one but for the sequence document that it reads, too."""
    stages = {name.removeprefix("$"): given for stage in command["pipeline"] for name, given in stage.items()}
    asked = {"find": command["aggregate"], "filter": stages["match"], "hint": command["hint"]}
    return asked | {name: stages[name] for name in ("sort", "limit")}


def _stages(plan: Any) -> list[str]:
    if isinstance(plan, list):
        return [stage for part in plan for stage in _stages(part)]
    if not isinstance(plan, dict):
        return []
    own = [plan["stage"]] if isinstance(plan.get("stage"), str) else []
    return own + [stage for part in plan.values() for stage in _stages(part)]
