"""What MongoDB examined for everything that a piece of work asked it, by its own profiler."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.database import Database

Cost = Counter[str]
"""Keys and documents examined, by the kind of operation: collection, operation, the fields that it asks by."""


@contextmanager
def profiled(database: Database[dict[str, Any]]) -> Iterator[Cost]:
    """Count what is examined in a database while the block runs; it is there after the block."""
    cost = Cost()
    database.command("profile", 2)
    try:
        yield cost
    finally:
        database.command("profile", 0)
    for found in database["system.profile"].find({"ns": {"$ne": f"{database.name}.system.profile"}}):
        cost[_kind(found)] += found.get("keysExamined", 0) + found.get("docsExamined", 0)
    database.drop_collection("system.profile")


def _kind(found: dict[str, Any]) -> str:
    command = found["command"]
    asked = command.get("filter") or command.get("query") or command.get("q") or command.get("pipeline") or {}
    steps = asked if isinstance(asked, list) else [asked]
    fields = [_shape(step) for step in steps]
    return " ".join([found["ns"].partition(".")[2], found["op"], *fields])


def _shape(value: Any) -> str:
    """A query without what it compares with: fields and operators."""
    if not isinstance(value, dict):
        return "?"
    return "{" + ", ".join(f"{name}: {_shape(below)}" for name, below in value.items()) + "}"
