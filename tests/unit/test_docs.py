"""What exists is documented, each thing on its page, and every link between pages leads somewhere."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from eventlog.http.problems import STATUS
from eventlog.settings import Settings
from eventlog.verify.findings import FindingKind
from functions.chain_audit import app as chain_audit
from functions.erase import app as erase
from functions.ingest import app as ingest
from functions.query import app as query
from functions.stream import app as stream
from functions.witness import app as witness
from local.main import LocalSettings

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
API = (ROOT / "docs/api.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
FINDINGS = (ROOT / "docs/findings.md").read_text()
DECISIONS = ROOT / "docs/decisions"
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "docs/decisions", "docs/formats", "client", "tests/vectors")
    for path in (ROOT / folder).glob("*.md")
)
ROUTES = sorted(
    {
        f"{method} {route.path.replace(':path', '')}"
        for function in (ingest, stream, query, chain_audit, erase, witness)
        for route in function.app.state.routes
        for method in route.methods
    }
)
SETTINGS = sorted(
    str(field.validation_alias or name).upper()
    for model in (Settings, LocalSettings)
    for name, field in model.model_fields.items()
)
KINDS = sorted(get_args(FindingKind))
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]+)\)")


@cache
def headings(path: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "") for title in titles)
    return frozenset(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in plain)


@pytest.mark.parametrize("route", ROUTES)
def test_the_api_s_page_has_every_route_in_its_table(route: str) -> None:
    assert f"\n| `{route}` |" in API


def test_the_api_s_page_has_no_route_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `((?:GET|POST) [^`]+)` \| (?:none|`[a-z]+:)", API, re.MULTILINE)) == set(ROUTES)


@pytest.mark.parametrize("status", sorted({*STATUS.values(), 405}))
def test_the_api_s_page_has_every_status_in_its_table(status: int) -> None:
    assert re.search(rf"^\| {status} \|", API, re.MULTILINE)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_page_on_configuration_has_every_setting(setting: str) -> None:
    assert re.search(rf"^\| `{setting}` \|", CONFIGURATION, re.MULTILINE)


def test_the_page_on_configuration_has_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \|(?: `([^`|]*)`)?", CONFIGURATION, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        default = field.default if isinstance(field.default, str) else str(field.default).lower().removesuffix(".0")
        assert rows[str(field.validation_alias or name).upper()] == ("" if field.default is None else default)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_on_findings_has_every_kind_in_its_table(kind: str) -> None:
    assert f"\n| `{kind}` |" in FINDINGS


def test_there_are_findings_to_document() -> None:
    assert len(KINDS) == 17


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    source = ROOT / page
    for target in _LINK.findall(_FENCE.sub("", source.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (source.parent / name).resolve() if name else source
        assert found.is_relative_to(ROOT), f"{page} -> {target} leaves the project"
        assert found.exists(), f"{page} -> {target}"
        assert not anchor or anchor in headings(found), f"{page} -> {target}"


def test_the_architecture_names_files_that_exist() -> None:
    named = set(re.findall(r"`(\w+/[\w./]+\.(?:py|js))`", ARCHITECTURE)) | {"settings.py"}
    rooms = (ROOT / "layers/eventlog/src/eventlog", ROOT)
    assert {name for name in named if not any((room / name).exists() for room in rooms)} == set()
    assert len(named) > 50


def test_the_architecture_draws_the_rooms_in_the_order_in_which_they_may_import() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next([re.split(r" [|:] ", row) for row in c["layers"]] for c in contracts if c["type"] == "layers")
    (drawing,) = re.findall(r"^```text\n(  functions.*?)^```$", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    drawn = {name: row for row, line in enumerate(drawing.splitlines()) for name in re.findall(r"\w+", line[:50])}
    rows = [{drawn[name] for name in floor} for floor in floors]
    assert [len(row) for row in rows] == [1] * len(floors)
    assert rows == sorted(rows, key=min)


def test_the_pages_name_make_targets_that_exist() -> None:
    text = "".join((ROOT / page).read_text() for page in PAGES if page != "CHANGELOG.md")
    named = set(re.findall(r"(?:^|`|&& )make ([a-z][a-z-]*)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets
    assert len(named) > 15


def test_the_decisions_are_listed_by_their_titles() -> None:
    listed = dict(re.findall(r"^\| \[\d+\]\((.+?)\) \| (.+) \|$", (DECISIONS / "README.md").read_text(), re.MULTILINE))
    titles = {path.name: path.read_text().splitlines()[0].partition(". ")[2] for path in DECISIONS.glob("0*.md")}
    assert listed == titles


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        for target in _LINK.findall(page.read_text()):
            found = (page.parent / target.partition("#")[0]).resolve()
            if found.suffix == ".md" and found.exists() and found not in seen:
                left.append(found)
    assert {ROOT / page for page in PAGES} - seen - {ROOT / "tests/vectors/README.md"} == set()
