"""The template as CloudFormation would see it, the sample events, and the SAM command line."""

import copy
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from samcli.lib.cfn_language_extensions.sam_integration import (  # type: ignore[import-untyped]
    expand_language_extensions,
)

import tools.package_check.build
from tools.package_check.build import Target
from tools.package_check.template import Template, read

ROOT = tools.package_check.build.ROOT
EVENTS = ROOT / "events"
FUNCTIONS = {
    "IngestFunction": "ingest",
    "QueryFunction": "query",
    "StreamFunction": "stream",
    "ChainAuditFunction": "chain_audit",
    "AuditRequestsFunction": "chain_audit",
    "IngestQueueFunction": "ingest_queue",
    "EraseFunction": "erase",
    "WitnessFunction": "witness",
}

Json = dict[str, Any]


@cache
def source() -> Json:
    """The template as it is written."""
    return read(ROOT / "template.yaml").written


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
    return Template(template).transformed_with(parameters or {}, artifacts)


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


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the SAM command line at the project's root."""
    return tools.package_check.build.sam(*arguments)


def build(target: Target, directory: Path, *arguments: str) -> Path:
    """Build a copy of the sources (other tests write bytecode into the originals) and return the build directory."""
    return tools.package_check.build.build(target, directory, *arguments).folder
