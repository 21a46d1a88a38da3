"""What MongoDB examined for everything that a piece of work asked it, by its own profiler."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.database import Database

Cost = Counter[str]
"""Keys and documents examined, or operations, by their kind: collection, operation, the fields that it asks by."""


KEYS, DOCUMENTS = "keysExamined", "docsExamined"


@contextmanager
def profiled(database: Database[dict[str, Any]], *what: str) -> Iterator[Cost]:
    """Count what is examined in a database while the block runs: keys and documents, or only one of both.

    The number is there after the block.
    """
    cost = Cost()
    with _observed(database) as asked:
        yield cost
    for found in asked:
        cost[_kind(found)] += sum(found.get(name, 0) for name in what or (KEYS, DOCUMENTS))


@contextmanager
def counted(database: Database[dict[str, Any]]) -> Iterator[Cost]:
    """Count the operations of each kind while the block runs; the number is there after the block."""
    cost = Cost()
    with _observed(database) as asked:
        yield cost
    cost.update(_kind(found) for found in asked if found["op"] != "getmore")


@contextmanager
def _observed(database: Database[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """All operations in a database while the block runs, as its profiler tells of them; they are there after it."""
    asked: list[dict[str, Any]] = []
    database.command("profile", 2)
    try:
        yield asked
    finally:
        database.command("profile", 0)
    asked += database["system.profile"].find({"ns": {"$ne": f"{database.name}.system.profile"}})
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
