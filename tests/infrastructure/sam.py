"""The template as CloudFormation would see it, the sample events, and the SAM command line."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import package_check.build
from package_check.build import Target
from package_check.template import read

ROOT = package_check.build.ROOT
EVENTS = ROOT / "events"
FUNCTIONS = {"IngestFunction": "ingest", "QueryFunction": "query", "ChainAuditFunction": "chain_audit"}

Json = dict[str, Any]


@cache
def resources() -> dict[str, Json]:
    """Every resource of the template after SAM's transformation, globals merged, with the default parameters."""
    found: dict[str, Json] = read(ROOT / "template.yaml").transformed["Resources"]
    return found


def of_type(kind: str) -> dict[str, Json]:
    """Logical ids and properties of the resources of one CloudFormation type."""
    return {name: found["Properties"] for name, found in resources().items() if found["Type"] == kind}


def routes() -> dict[str, str]:
    """Each route key (`GET /api/v1/events`) with the logical id of the function it leads to."""
    integrations = of_type("AWS::ApiGatewayV2::Integration")
    found = {}
    for route in of_type("AWS::ApiGatewayV2::Route").values():
        target = route["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
        found[route["RouteKey"]] = integrations[target]["IntegrationUri"]["Fn::GetAtt"][0]
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
    return package_check.build.sam(*arguments)


def build(target: Target, directory: Path) -> Path:
    """Build a copy of the sources (other tests write bytecode into the originals) and return the build directory."""
    return package_check.build.build(target, directory).folder
