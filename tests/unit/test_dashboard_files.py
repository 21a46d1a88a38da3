"""The dashboard's files: libraries are what was taken from their packages, and nothing is fetched from elsewhere."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.support.each import each

DASHBOARD = Path(__file__).parents[2] / "functions" / "query" / "dashboard"
VENDOR = DASHBOARD / "vendor"
OWN = sorted(path for path in DASHBOARD.rglob("*") if path.is_file() and VENDOR not in path.parents)
LIBRARIES = sorted(path for path in VENDOR.rglob("*") if path.is_file() and path.parent != VENDOR)
COMMENT = re.compile(r"/\*.*?\*/|(?:^|(?<=\s))//[^\n]*|<!--.*?-->", re.DOTALL | re.MULTILINE)
NAMESPACE = "http://www.w3.org/2000/svg"
"""Names a vocabulary; nobody fetches it."""


def test_the_page_s_runbook_is_the_runbook() -> None:
    """What to do when tampering was found is there in full, word for word."""
    runbook = (DASHBOARD.parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
    section = runbook.split("## Tampering found\n")[1].split("\n## ")[0].strip("\n")
    told = (DASHBOARD / "runbook.js").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line.strip().rstrip(",")) for line in told if line.startswith('  "')] == section.split("\n")


def hosts(text: str) -> list[str]:
    """What a file names of other hosts, outside of comments."""
    return re.findall(r"(?:https?:)?//[\w.-]+\.\w+", COMMENT.sub("", text).replace(NAMESPACE, ""))


def test_the_libraries_are_what_was_taken_from_their_packages() -> None:
    lines = [line.split("  ") for line in (VENDOR / "SHA256SUMS").read_text().splitlines()]
    assert {name: digest for digest, name in lines} == {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in LIBRARIES
    }


def test_each_library_has_its_licence_and_is_named_with_version_and_origin() -> None:
    readme = (VENDOR / "README.md").read_text()
    folders = {path.parent for path in LIBRARIES}
    assert folders
    for folder in folders:
        name, _, version = folder.name.rpartition("-")
        assert (folder / "LICENSE").read_text().startswith("The MIT License")
        assert re.search(rf"\| {name}.*\| {re.escape(version)} \| MIT .*`sha512-", readme, re.IGNORECASE)


@each("path", [*OWN, *LIBRARIES])
def test_a_file_names_no_other_host(path: Path) -> None:
    if path.name not in {"LICENSE"}:
        assert hosts(path.read_text(encoding="utf-8")) == []


ABSOLUTE = re.compile(r"""(?<!replaceAll\()[`'"(]/(?:api/|dashboard/|docs|openapi|\?|[`'"])""")
"""An address that begins at the server's root, where under a base path somebody else's pages are."""


TEXT = "runbook.js"
"""Has the runbook's commands, to be read."""


@each("path", [path for path in OWN if path.name != TEXT])
def test_a_file_begins_no_address_at_the_server_s_root(path: Path) -> None:
    assert ABSOLUTE.findall(COMMENT.sub("", path.read_text(encoding="utf-8"))) == []


@each(
    "text",
    [
        "fetch('/api/v1/x')",
        "reach(`/dashboard/x.json`)",
        'href="/"',
        "assign('/')",
        "`/?${next}`",
        "url(/dashboard/a.svg)",
    ],
)
def test_such_an_address_would_be_found(text: str) -> None:
    assert ABSOLUTE.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "import x from 'https://cdn.example.com/x.js'",
        "<script src=//cdn.example.com/x.js>",
        "@import url(http://fonts.example.com/a.css);",
        "/* ok */ fetch(`https://collect.example.com`)",
    ],
)
def test_another_host_would_be_found(text: str) -> None:
    assert hosts(text)


@each("path", [path for path in OWN if path.suffix == ".js"])
def test_modules_are_imported_by_relative_paths_that_are_there(path: Path) -> None:
    found = re.findall(r"(?:from |import\(|import )'([^']+)'", path.read_text(encoding="utf-8"))
    for name in found:
        assert name.startswith("."), name
        assert (path.parent / name).is_file(), name
