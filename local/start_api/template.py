"""What SAM itself makes of the built template: functions, routes, schedules and queues, with all names resolved."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcli.commands._utils.template import get_template_data  # type: ignore[import-untyped]
from samcli.lib.providers.api_collector import ApiCollector  # type: ignore[import-untyped]
from samcli.lib.providers.cfn_api_provider import CfnApiProvider  # type: ignore[import-untyped]
from samcli.lib.providers.provider import Api, Stack  # type: ignore[import-untyped]
from samcli.lib.providers.sam_function_provider import SamFunctionProvider  # type: ignore[import-untyped]
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider  # type: ignore[import-untyped]

from local.machine import LocalError
from local.start_api.functions import Function

Json = dict[str, Any]
Symbols = dict[str, str | dict[str, str]]

SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True)
class Schedule:
    """Calls a function at a rate, with the same event each time."""

    name: str
    function: str
    seconds: int
    payload: bytes


@dataclass(frozen=True)
class Source:
    """Calls a function with what is in a queue."""

    function: str
    queue_arn: str
    batch_size: int
    partial: bool


def declared(template: Path) -> dict[str, str]:
    """Read the type of each resource by its logical id, as the template is written."""
    return {name: found["Type"] for name, found in get_template_data(str(template))["Resources"].items()}


class Served:
    """The template with parameters and resources resolved by ``symbols``: names, or what Ref and attributes give.

    SAM's resolver puts such a resource under what its Ref gives, so resources are found by their type.
    """

    def __init__(self, template: Path, symbols: Symbols) -> None:
        self._stacks: list[Stack]
        self._stacks, _ = SamLocalStackProvider.get_stacks(str(template.absolute()), parameter_overrides=symbols)

    def of_type(self, kind: str) -> dict[str, Json]:
        """Return the properties, by name, of the resources of one CloudFormation type."""
        resources = self._stacks[0].resources
        return {name: found["Properties"] for name, found in resources.items() if found["Type"] == kind}

    def api(self) -> Api:
        """Collect the routes of the HTTP API.

        SAM looks for routes in functions' own events when a template has functions of its own kind; ours spells out
        the API, and SAM's reader of plain CloudFormation understands it. Locally an alias is its function.
        """
        collector = ApiCollector()
        CfnApiProvider().extract_resources(self._stacks, collector, disable_authorizer=True)
        api = collector.get_api()
        if lost := [route.path for route in api.routes if not route.function_name]:
            raise LocalError(f"No function is found in the template for {', '.join(lost)}.")
        return api

    def functions(self) -> list[Function]:
        """Collect the functions, with the environment that Lambda would give them."""
        return [_function(found) for found in SamFunctionProvider(self._stacks).get_all()]

    def layers(self) -> list[Path]:
        """List the folders with the layers' Python packages."""
        found = {layer.codeuri for each in SamFunctionProvider(self._stacks).get_all() for layer in each.layers}
        return [Path(str(folder)) / "python" for folder in sorted(found, key=str)]

    def schedules(self) -> list[Schedule]:
        """Collect the schedules of functions.

        Raises:
            LocalError: a schedule is no rate.
        """
        return [
            Schedule(name, each.name, _seconds(event["Properties"]["ScheduleExpression"]), _input(event["Properties"]))
            for each in SamFunctionProvider(self._stacks).get_all()
            for name, event in (each.events or {}).items()
            if event["Type"] == "ScheduleV2"
        ]

    def sources(self) -> list[Source]:
        """Collect the queues that functions consume."""
        return [
            Source(
                found["FunctionName"].partition(".")[0],
                found["EventSourceArn"],
                int(found.get("BatchSize", 10)),
                "ReportBatchItemFailures" in found.get("FunctionResponseTypes", ()),
            )
            for found in self.of_type("AWS::Lambda::EventSourceMapping").values()
        ]


def _function(found: Any) -> Function:
    variables = {name: _text(value) for name, value in found.environment["Variables"].items()}
    own = {
        "AWS_LAMBDA_FUNCTION_NAME": found.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(found.memory),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(found.timeout),
        "AWS_LAMBDA_LOG_GROUP_NAME": found.name,
    }
    return Function(found.name, Path(found.codeuri), found.handler, int(found.timeout), variables | own)


def _text(value: Any) -> str:
    """As CloudFormation writes a scalar into an environment variable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise LocalError(f"SAM could not resolve {value} in a function's environment.")
    return str(value)


def _seconds(expression: str) -> int:
    found = _RATE.fullmatch(expression)
    if found is None:
        raise LocalError(f"The schedule {expression} is no rate, and only rates run locally (or none: --no-schedules).")
    return int(found[1]) * SECONDS[found[2]]


def _input(properties: Json) -> bytes:
    return str(properties["Input"]).encode()
