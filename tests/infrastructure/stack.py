"""What a stack of the template consists of, given its parameters: conditions decided, references written as text.

A reference to a resource reads `${Name}`, one to an attribute `${Name.Attribute}`, as in `Fn::Sub`.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.infrastructure import sam

ACCOUNT = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
NEEDED = {
    "LogOrigin": "log.example.com/test",
    "IngestMongoSecretArn": f"{ACCOUNT}ingest-AbCdEf",
    "QueryMongoSecretArn": f"{ACCOUNT}query-AbCdEf",
    "AuditMongoSecretArn": "arn:aws:ssm:eu-central-1:123456789012:parameter/audit",
}
"""A value for each parameter that has no default."""
WITNESS = {"WitnessName": "witness.example.com/w1"}
"""With these there is a witness."""
ERASING = {"EraseMongoSecretArn": f"{ACCOUNT}erase-AbCdEf", "GovernanceKeys": "old+1+x"}
"""With these events can be erased."""
_ABSENT = object()


class Stack:
    """The resources and outputs that CloudFormation would make."""

    def __init__(self, **parameters: str | int) -> None:
        template = sam.transformed(NEEDED | {name: str(value) for name, value in parameters.items()})
        self._parameters = {name: found.get("Default") for name, found in template["Parameters"].items()}
        self._parameters |= NEEDED | parameters
        for name, found in template["Parameters"].items():
            if found["Type"] == "CommaDelimitedList":
                self._parameters[name] = str(self._parameters[name]).split(",")
        self._conditions = template["Conditions"]
        self._mappings = template.get("Mappings", {})
        self.resources: dict[str, sam.Json] = {
            name: self._resolved(found) for name, found in template["Resources"].items() if self._exists(found)
        }
        self.outputs: dict[str, sam.Json] = {
            name: self._resolved(found) for name, found in template["Outputs"].items() if self._exists(found)
        }

    def of_type(self, kind: str) -> dict[str, sam.Json]:
        """Logical ids and properties of the resources of one CloudFormation type."""
        return {name: found["Properties"] for name, found in self.resources.items() if found["Type"] == kind}

    def properties(self, name: str) -> sam.Json:
        found: sam.Json = self.resources[name]["Properties"]
        return found

    def statements(self, role: str) -> list[sam.Json]:
        """What a role's own policies and the stack's managed ones that it has say.

        Raises: KeyError if it has a managed policy that is not the stack's.
        """
        properties = self.properties(role)
        shared = [self.properties(name[2:-1]) for name in properties.get("ManagedPolicyArns", [])]
        return [
            statement
            for policy in [*properties.get("Policies", []), *shared]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def _exists(self, found: sam.Json) -> bool:
        return "Condition" not in found or self._holds(found["Condition"])

    def _holds(self, condition: str) -> bool:
        return bool(self._resolved(self._conditions[condition]))

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for item in value if (found := self._resolved(item)) is not _ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Condition" and isinstance(argument, str):
                return self._holds(argument)
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument)
        return {name: found for name, item in value.items() if (found := self._resolved(item)) is not _ABSENT}

    def _call(self, function: str, argument: Any) -> Any:
        if function == "If":
            condition, yes, no = argument
            return self._resolved(yes if self._holds(condition) else no)
        if function in ("Ref", "GetAtt"):
            return self._reference(argument if isinstance(argument, str) else ".".join(argument))
        if function == "Sub":
            return self._substituted(*([argument] if isinstance(argument, str) else argument))
        arguments = self._resolved(argument)
        decided: dict[str, Callable[[], Any]] = {
            "Equals": lambda: str(arguments[0]) == str(arguments[1]),
            "Not": lambda: not arguments[0],
            "Or": lambda: any(arguments),
            "And": lambda: all(arguments),
            "FindInMap": lambda: self._mappings[arguments[0]][arguments[1]][str(arguments[2])],
            "Join": lambda: arguments[0].join(arguments[1]),
            "Select": lambda: arguments[1][int(arguments[0])],
            "Split": lambda: arguments[1].split(arguments[0]),
        }
        return decided[function]()

    def _reference(self, name: str) -> Any:
        return _ABSENT if name == "AWS::NoValue" else self._parameters.get(name, f"${{{name}}}")

    def _substituted(self, text: str, names: sam.Json | None = None) -> str:
        known = {name: self._resolved(value) for name, value in (names or {}).items()}
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(known.get(found[1], self._reference(found[1]))), text)


@cache
def deployed(**parameters: str | int) -> Stack:
    """The stack with these parameters and, for the others, their defaults."""
    return Stack(**parameters)


def listed(value: Any) -> list[Any]:
    """A policy's actions, resources or principals, of which one may stand alone."""
    return value if isinstance(value, list) else [value]
