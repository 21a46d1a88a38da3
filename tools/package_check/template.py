"""The template as it is written, and as CloudFormation gets it."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

Json = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """``written`` is the parsed file, with CloudFormation's short forms (!Ref) in their long form ({"Ref": ...})."""

    written: Json

    @cached_property
    def transformed(self) -> Json:
        """The template after SAM's transformation, with the default parameters."""
        return self.transformed_with({})

    def transformed_with(self, parameters: Mapping[str, str], artifacts: Mapping[str, str] | None = None) -> Json:
        """Transform with these parameters, a few of which decide what SAM generates; `artifacts` says where code is."""
        template = copy.deepcopy(self.written)
        for name, resource in template["Resources"].items():
            for key in resource.get("Properties", {}).keys() & {"CodeUri", "ContentUri"}:
                resource["Properties"][key] = (artifacts or {}).get(name, "s3://bucket/key")
        translator = Translator(None, Parser(), boto_session=boto3.Session(region_name="eu-central-1"))
        translated: Json = translator.translate(template, dict(parameters))
        translator.metrics.publish()  # to nowhere; else it complains when it is collected
        return translated

    @property
    def functions(self) -> dict[str, str]:
        """Logical id of each function, with the name of its folder."""
        found = {}
        for name, resource in self.written["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                found[name] = Path(resource["Properties"]["CodeUri"]).name
        return found

    def origin(self, name: str) -> str:
        """Find the written resource that a transformed one was made of: SAM adds suffixes to its name."""
        written = self.written["Resources"]
        return max((own for own in written if name.startswith(own)), key=len, default=name)

    def metadata(self, section: str) -> Iterator[tuple[str, Any]]:
        """Each written resource that has this section in its Metadata, with the section."""
        for name, resource in self.written["Resources"].items():
            if section in resource.get("Metadata", {}):
                yield name, resource["Metadata"][section]


def read(path: Path) -> Template:
    """Parse a template file; who reads the same text again gets the same object, which is not to be changed."""
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> Template:
    return Template(yaml_parse(text))
