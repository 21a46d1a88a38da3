"""Wildcards in policies: each needs a written reason, and each reason a wildcard.

A reason stands in the template, at the resource that grants or at the function whose role SAM generates:

    Metadata:
      eventlog:
        wildcards:
          <Sid of the statement>: <why it can't be narrower>

Two kinds need none. A refusal (Deny) takes rights away and gives none: the wider it is, the less it leaves. And in a
key's own policy the resource * stands for that key; there is no other way to name it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.package_check.result import Result, explains
from tools.package_check.template import Json, Template

MANAGED: dict[str, str] = {}
"""Reasons for AWS's own policies, by name: their wildcards are out of the template's sight."""

WIDEST = {"Tracing": "Active"}
"""The parameters with which SAM grants most."""

_WILD = ("*", "?")
Place = tuple[str, str]


def check(template: Template, managed: Mapping[str, str] = MANAGED) -> Result:
    """Walk all statements of the transformed template: of roles, buckets, queues, keys, topics and functions."""
    reasons = {(name, sid): text for name, found in template.metadata("eventlog") for sid, text in _wildcards(found)}
    reasons |= {("", policy): text for policy, text in managed.items()}
    resources = template.transformed_with(WIDEST)["Resources"]
    found = [(name, statement) for name, resource in resources.items() for statement in statements(resource)]
    wild = {
        (template.origin(name), statement.get("Sid", "")): where
        for name, statement in found
        if (where := _wild(statement, resources[name]["Type"]))
    }
    wild |= {
        ("", policy): "a managed policy" for resource in resources.values() for policy in _managed(resource, resources)
    }
    problems = [_unexplained(place, wild[place]) for place in wild if not explains(reasons.get(place))]
    problems += [_unused(place) for place in reasons if place not in wild]
    denied = sum(statement.get("Effect") == "Deny" for _, statement in found)
    figures = (
        f"{len(found)} statements, {denied} of them refusals; {len(wild)} grants with wildcards, {len(reasons)} reasons"
    )
    return Result("wildcards", figures, problems)


def statements(value: Any) -> Iterator[Json]:
    """Every statement anywhere in a resource; a Lambda permission is one too."""
    if isinstance(value, dict):
        if value.keys() & {"Action", "NotAction"} and value.keys() & {"Effect", "Principal"}:
            yield value
        else:
            for inner in value.values():
                yield from statements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from statements(inner)


def _wildcards(metadata: Json) -> Iterator[tuple[str, Any]]:
    yield from metadata.get("wildcards", {}).items()


def _wild(statement: Json, kind: str) -> str:
    """Which elements of a grant in a resource of this type have wildcards, or are all but what they name."""
    if statement.get("Effect") == "Deny":
        return ""
    wild = statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}
    for element in ("Action", "Resource", "Principal"):
        if any(sign in text for text in _texts(statement.get(element)) for sign in _WILD):
            wild.add(element)
    if kind == "AWS::KMS::Key":
        wild.discard("Resource")
    return ", ".join(sorted(wild))


def _texts(value: Any) -> Iterator[str]:
    """All strings of a value, those inside of Fn::Sub and the like too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _managed(resource: Json, resources: Mapping[str, Any]) -> Iterator[str]:
    """Names of the managed policies that a role has from elsewhere: the template's own are walked like any resource."""
    for arn in resource.get("Properties", {}).get("ManagedPolicyArns", ()):
        for choice in _choices(arn):
            if not (isinstance(choice, dict) and choice.get("Ref") in {*resources, "AWS::NoValue"}):
                yield "".join(_texts(choice)).rpartition("/")[2]


def _choices(value: Any) -> Iterator[Any]:
    """Iterate over what a value may be: both sides of Fn::If, else itself."""
    if isinstance(value, dict) and "Fn::If" in value:
        for choice in value["Fn::If"][1:]:
            yield from _choices(choice)
    else:
        yield value


def _unexplained(place: Place, where: str) -> str:
    name, sid = place
    if not name:
        return f"AWS's policy {sid} has wildcards: grant what is needed instead, or say in MANAGED why it can't be."
    if not sid:
        return f"A statement of {name} has a wildcard ({where}) and no Sid: narrow it, or give it a Sid and a reason."
    return (
        f"{name}: statement {sid} has a wildcard ({where}): narrow it, or say in the resource's Metadata under "
        f"eventlog, wildcards, {sid} why it can't be narrower."
    )


def _unused(place: Place) -> str:
    name, sid = place
    where = f"the Metadata of {name}" if name else "MANAGED"
    return f"Nothing needs the reason {sid} in {where} any more: remove it."
