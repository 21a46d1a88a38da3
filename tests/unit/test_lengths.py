"""Files and functions stay short enough to be read in one go; tests are as long as what they list."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("layers/eventlog/src", "client/src", "functions", "admin", "local", "tools")
FILE, BODY = 250, 40
"""A file has fewer lines than the first, a function's body at most so many as the second."""


def sources() -> Iterator[tuple[str, str]]:
    """Names and texts of the modules that are no tests."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.name.startswith("test_"):
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def bodies(source: str) -> Iterator[tuple[str, int]]:
    """Names of a module's functions, those inside of others too, and their lines without signature and docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            yield node.name, (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_file_is_short() -> None:
    found = {name: len(text.splitlines()) for name, text in sources()}
    assert len(found) > 400, "the folders are not where they were"
    assert {name: lines for name, lines in found.items() if lines >= FILE} == {}


def test_every_function_is_short() -> None:
    found = [(f"{name}: {function}", lines) for name, text in sources() for function, lines in bodies(text)]
    assert [each for each in found if each[1] > BODY] == []


def test_the_guide_says_what_is_held() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"has under {FILE} lines" in guide
    assert f"never over {BODY}" in guide


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (
            "def f(\n    x: int,\n    y: int,\n) -> int:\n    '''Say\n    this.'''\n    z = x\n\n    return z\n",
            3,
        ),
        ("def f() -> None: ...\n", 1),
        ("def f() -> None:\n    '''Say this.'''\n", 0),
        ("async def f() -> None:\n    await g(\n        1,\n    )\n", 3),
    ],
)
def test_signature_and_docstring_are_not_counted(source: str, lines: int) -> None:
    assert list(bodies(source)) == [("f", lines)]
