"""A public type has a name of its own: who reads it anywhere in the code knows which one is meant."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("layers/eventlog/src", "client/src", "admin", "local", "tools")

SAME_THING = {
    "AuditReport": "the typed report, its schema in the API, and what the client reads of it",
    "Document": "a document of MongoDB, as the driver gives it",
    "Json": "an object of a template, as the parser gives it",
    "NewEvent": "the schema of an event to append, in the API and in the client",
    "Receipt": "a receipt, and its schema in the API",
}
"""Why a name may stand for types in more than one module. The API's names are in its OpenAPI document, so they stay."""


def public_types(source: str) -> Iterator[tuple[str, int]]:
    """Names of the classes and type aliases of a module, with their lines; not those with an underscore."""
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) if not name.startswith("_"):
                yield name, node.lineno
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                # An alias is written in CapWords. Constants are all capitals, and so are one-letter type variables.
                if name[0].isupper() and not name.isupper():
                    yield name, node.lineno


def places() -> dict[str, list[str]]:
    """Where each public type is defined, by its name; tests beside a tool are no part of it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.name.startswith("test_"):
                for name, line in public_types(path.read_text(encoding="utf-8")):
                    found[name].append(f"{path.relative_to(ROOT)}:{line}")
    return found


def test_no_two_public_types_have_one_name() -> None:
    shared = {name: where for name, where in places().items() if len(where) > 1 and name not in SAME_THING}
    assert not shared, "\n".join(f"{name}: {', '.join(where)}" for name, where in shared.items())


def test_each_exception_is_still_one() -> None:
    found = places()
    assert [name for name in SAME_THING if len(found[name]) < 2] == []


def test_classes_and_aliases_are_seen_and_constants_and_private_types_are_not() -> None:
    source = "class Way: ...\nclass _Own: ...\nPath = str\nOdd: object = int\nLIMIT = 3\nT = 1\nx = Way()\n"
    assert list(public_types(source)) == [("Way", 1), ("Path", 3), ("Odd", 4)]


def test_the_database_steps_behind_a_log_are_used_by_the_store_alone() -> None:
    """Tests that interrupt or tamper use them too; nothing that ships or that measures does."""
    for folder in (*FOLDERS, "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            if "eventlog/store/mongo" not in path.as_posix():
                assert "operations_of" not in path.read_text(encoding="utf-8"), path
