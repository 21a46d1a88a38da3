"""The template as CloudFormation would see it, the sample events, and the SAM command line."""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samcli.lib.cfn_language_extensions.sam_integration import (  # type: ignore[import-untyped]
    expand_language_extensions,
)
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
FUNCTIONS = {
    "IngestFunction": "ingest",
    "QueryFunction": "query",
    "ChainAuditFunction": "chain_audit",
    "IngestQueueFunction": "ingest_queue",
}

Json = dict[str, Any]


@cache
def source() -> Json:
    """The template as it is written."""
    found: Json = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return found


def transformed(
    parameters: Mapping[str, str] | None = None, artifacts: Mapping[str, str] | None = None, *, extensions: bool = False
) -> Json:
    """The template after SAM's transformation, globals merged.

    `artifacts` says where which code is, if it matters. `extensions` puts parameters in first, as CloudFormation does;
    what is in this Python does no more with `Fn::Sub` than that, so it is good for telling one version from the next.
    """
    template = copy.deepcopy(source())
    if extensions:
        template = expand_language_extensions(template, dict(parameters or {}), enabled=True).expanded_template
    for name, resource in template["Resources"].items():
        for key in resource["Properties"].keys() & {"CodeUri", "ContentUri"}:
            resource["Properties"][key] = (artifacts or {}).get(name, "s3://bucket/key")
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name="eu-central-1"))
    translated: Json = translator.translate(template, dict(parameters or {}))
    return translated


@cache
def resources() -> dict[str, Json]:
    """Every resource of the transformed template."""
    found: dict[str, Json] = transformed()["Resources"]
    return found


def of_type(kind: str) -> dict[str, Json]:
    """Logical ids and properties of the resources of one CloudFormation type."""
    return {name: found["Properties"] for name, found in resources().items() if found["Type"] == kind}


def routes() -> dict[str, str]:
    """Each route key (`GET /api/v1/events`) with the logical id of the function whose alias it leads to."""
    integrations = of_type("AWS::ApiGatewayV2::Integration")
    found = {}
    for route in of_type("AWS::ApiGatewayV2::Route").values():
        target = route["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
        uri = integrations[target]["IntegrationUri"]["Fn::Sub"]
        found[route["RouteKey"]] = uri.removeprefix("${").removesuffix(".Arn}:live")
    return found


def sample(name: str) -> Json:
    """The event in `events/<name>.json`."""
    event: Json = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def samples() -> list[str]:
    """Names of all sample events, without suffix."""
    return sorted(path.stem for path in EVENTS.glob("*.json"))


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the SAM command line with this interpreter's directory first on PATH, as `make build` does."""
    here = Path(sys.executable).parent
    path = f"{here}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [here / "sam", *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build(target: str, directory: Path) -> Path:
    """Build a copy of the sources (other tests write bytecode into the originals) and return the build directory."""
    source, built = directory / "source", directory / "built"
    source.mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, source)
    for name in ("functions", "layers"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = run("build", "--build-dir", str(built), cwd=source, EVENTLOG_BUILD_TARGET=target)
    assert done.returncode == 0, done.stderr
    return built
