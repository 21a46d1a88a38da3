"""What exists is documented: routes, settings, findings and status codes."""

import re
from pathlib import Path
from typing import get_args

import pytest

from eventlog.http.problems import STATUS
from eventlog.settings import Settings
from eventlog.verify.findings import FindingKind
from functions.chain_audit import app as chain_audit
from functions.ingest import app as ingest
from functions.query import app as query

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ROUTES = sorted(
    {
        route.path.replace(":path", "")
        for function in (ingest, query, chain_audit)
        for route in function.app.state.routes
    }
)
SETTINGS = [str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()]
KINDS = get_args(FindingKind)


@pytest.mark.parametrize("route", ROUTES)
def test_the_readme_names_every_route(route: str) -> None:
    assert f"{route}`" in README or f"{route}?" in README


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_readme_names_every_setting(setting: str) -> None:
    assert f"`{setting}`" in README


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_names_every_finding(kind: str) -> None:
    assert f"`{kind}`" in README


@pytest.mark.parametrize("status", sorted({*STATUS.values(), 405} - {500}))
def test_the_readme_names_every_status(status: int) -> None:
    assert re.search(rf"\b{status}\b", README)


def test_there_are_findings_to_document() -> None:
    assert len(KINDS) == 12
