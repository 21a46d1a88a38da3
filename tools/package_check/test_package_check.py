"""Each check of `make package-check` passes on what is sound and fails on what is broken, and says what to do."""

import os
import shutil
from pathlib import Path

import pytest

from tools.package_check import imports, leaks, weight
from tools.package_check.__main__ import main, report
from tools.package_check.build import ROOT, BuildDirectory
from tools.package_check.imports import Loaded, Needs
from tools.package_check.result import Result, explains
from tools.package_check.template import read

FUNCTIONS = read(ROOT / "template.yaml").functions


@pytest.fixture
def built(host_build: Path) -> BuildDirectory:
    return BuildDirectory(host_build)


@pytest.fixture(scope="module")
def starts(host_build: Path) -> dict[str, Loaded]:
    """What each function of the build loads when it starts."""
    return {name: imports.start(BuildDirectory(host_build), logical_id) for logical_id, name in FUNCTIONS.items()}


@pytest.fixture
def needs() -> Needs:
    return imports.read_table()


def small(folder: Path) -> BuildDirectory:
    """Artefacts of a layer and a function with hardly anything in them."""
    made = BuildDirectory(folder)
    for place in (made.layer, folder / "IngestFunction"):
        place.mkdir()
        (place / "app.py").write_text("handler = None\n", encoding="utf-8")
    return made


def weighed(made: BuildDirectory) -> list[str]:
    return weight.check({"Lambda": made}, ["IngestFunction"]).problems


def imported(starts: dict[str, Loaded], needs: Needs) -> list[str]:
    return imports.compare(starts, needs).problems


def with_import(starts: dict[str, Loaded], built: BuildDirectory, broken: Path, module: str) -> dict[str, Loaded]:
    """The same starts, but of an ingest function that imports a module more."""
    shutil.copytree(built.folder / "IngestFunction", broken / "IngestFunction")
    (broken / built.layer.name).symlink_to(built.layer)
    with (broken / "IngestFunction" / "app.py").open("a", encoding="utf-8") as app:
        app.write(f"\nimport {module}\n")
    return starts | {"ingest": imports.start(BuildDirectory(broken), "IngestFunction")}


def test_what_is_built_is_within_its_budgets(built: BuildDirectory, lambda_build: Path) -> None:
    found = weight.check({"Lambda": BuildDirectory(lambda_build), "this Python": built}, FUNCTIONS)
    assert found.problems == []
    assert "layer for Lambda" in found.figures
    assert "layer for this Python" in found.figures


def test_a_layer_over_its_budget_is_refused(tmp_path: Path) -> None:
    made = small(tmp_path)
    with (made.layer / "data").open("wb") as file:
        file.truncate(weight.UNZIPPED + 1)
    (problem,) = weighed(made)
    assert problem.startswith("The layer for Lambda is 60.0 MB unzipped, over its budget of 60.0 MB: remove a dep")


def test_a_layer_that_does_not_compress_is_refused(tmp_path: Path) -> None:
    made = small(tmp_path)
    (made.layer / "data").write_bytes(os.urandom(weight.ZIPPED + 1))
    (problem,) = weighed(made)
    assert "zipped, over its budget of 20.0 MB" in problem


def test_a_function_that_brings_more_than_its_handler_is_refused(tmp_path: Path) -> None:
    made = small(tmp_path)
    (tmp_path / "IngestFunction" / "data.json").write_bytes(bytes(weight.FUNCTION))
    (problem,) = weighed(made)
    assert problem.endswith("move code into the layer.")


def test_a_dashboard_over_its_budget_is_refused_and_counts_as_no_code(tmp_path: Path) -> None:
    made = small(tmp_path)
    page = tmp_path / "IngestFunction" / "dashboard" / "page.js"
    page.parent.mkdir()
    page.write_bytes(bytes(weight.DASHBOARD))
    assert weighed(made) == []
    page.write_bytes(bytes(weight.DASHBOARD + 1))
    (problem,) = weighed(made)
    assert problem == "IngestFunction has a dashboard of 430001 bytes, over 430000: make it lighter."


def test_starts_load_what_the_table_says(built: BuildDirectory, starts: dict[str, Loaded], needs: Needs) -> None:
    assert imported(starts, needs) == []
    one = {"IngestFunction": "ingest"}
    assert imports.check(built, one, needs).figures == imports.compare({"ingest": starts["ingest"]}, needs).figures


@pytest.mark.parametrize("module", ["cryptography", "eventlog.audit.auditor"])
def test_a_start_that_loads_what_its_function_does_not_need_is_refused(
    starts: dict[str, Loaded], built: BuildDirectory, tmp_path: Path, needs: Needs, module: str
) -> None:
    problems = imported(with_import(starts, built, tmp_path, module), needs)
    assert any(problem.startswith(f"ingest loads {module} when it starts: import it where") for problem in problems)
    assert all(problem.startswith("ingest loads") for problem in problems)


def test_a_start_that_needs_what_only_the_runtime_has_is_refused(
    starts: dict[str, Loaded], built: BuildDirectory, tmp_path: Path, needs: Needs
) -> None:
    (problem,) = imported(with_import(starts, built, tmp_path, "boto3"), needs)
    assert problem.startswith("ingest does not start from its artefacts alone (ModuleNotFoundError: No module named")


@pytest.mark.parametrize(("part", "kind"), [("query", "eventlog"), ("every", "packages")])
def test_a_need_that_no_start_has_any_more_is_refused(
    starts: dict[str, Loaded], needs: Needs, part: str, kind: str
) -> None:
    needs[part][kind].append("gone")
    problems = imported(starts, needs)
    assert len(problems) == (1 if part == "query" else len(starts))
    assert all("does not load" in problem and "gone any more: remove it" in problem for problem in problems)


def test_a_part_of_the_table_for_no_function_is_refused(starts: dict[str, Loaded], needs: Needs) -> None:
    needs["gone"] = {"eventlog": []}
    assert imported(starts, needs) == [
        "tools/package_check/imports.toml has gone, which is for no function: remove it."
    ]


def test_a_function_that_is_not_in_the_table_is_refused(starts: dict[str, Loaded], needs: Needs) -> None:
    del needs["query"]
    problems = imported(starts, needs)
    assert "query loads pymongo when it starts: import it where it is needed" in "\n".join(problems)


def test_there_is_no_secret_in_what_is_built(lambda_build: Path) -> None:
    found = leaks.check([lambda_build, ROOT / "template.yaml", ROOT / "samconfig.toml"])
    assert found.problems == []
    assert int(found.figures.split()[0]) > 1000


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("a private key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPA0" + "b" * 40),
        ("a private key", r'"-----BEGIN EC PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPA0' + "b" * 40),
        ("a connection string", "mongodb+srv://ingest:kd83Kd-9@cluster.example.net/eventlog"),
        ("an access key", "key: AKIA" + "ABCDEFGHIJKLMNOP"),
        ("a secret key", "AWS_SECRET_ACCESS_KEY=" + "aB3/" * 10),
    ],
)
def test_a_secret_is_found(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "settings.bin").write_bytes(b"\x00\xff" + text.encode())
    (problem,) = leaks.check([tmp_path]).problems
    assert f"settings.bin has {kind}" in problem


@pytest.mark.parametrize(
    "text",
    [
        '_SK_START = b"-----BEGIN OPENSSH PRIVATE KEY-----"',
        "mongodb://%s:%s@%s",
        "mongodb://localhost/?replicaSet=rs0",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_what_only_looks_like_a_secret_is_not_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "library.py").write_text(text, encoding="utf-8")
    assert leaks.check([tmp_path]).problems == []


def test_problems_are_printed_and_decide_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([Result("weight", "1 MB", [])]) == 0
    assert report([Result("weight", "99 MB", ["Make it less."]), Result("imports", "none", [])]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "FAILED  weight     99 MB",
        "        - Make it less.",
        "ok      imports    none",
    ]


def test_without_checkov_the_command_says_how_to_get_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(tmp_path / "checkov") == 1
    assert "`make package-check` installs it" in capsys.readouterr().err


@pytest.mark.parametrize("reason", [None, "", "  ", "see above", ["not", "a", "sentence", "at", "all"]])
def test_a_reason_is_a_sentence(reason: object) -> None:
    assert not explains(reason)
