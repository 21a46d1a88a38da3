"""docs/deploying.md asks what `sam deploy --guided` asks, and names nothing that the template does not have."""

import re
from pathlib import Path

import pytest

from tools.package_check.template import read

ROOT = Path(__file__).parents[2]
TEMPLATE = read(ROOT / "template.yaml").written
TEXT = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
ASKED = re.findall(r"^Parameter (\w+) \[(.*?)\]:[ ]?(\S[^#\n]*?)?(?:\s*#.*)?$", TEXT, re.MULTILINE)
NAMED = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", TEXT)) | set(re.findall(r"\$\(output (\w+)\)", TEXT))


def test_the_guide_asks_for_every_parameter_in_the_template_s_order_with_its_default() -> None:
    declared = [(name, str(parameter.get("Default", ""))) for name, parameter in TEMPLATE["Parameters"].items()]
    assert [(name, default) for name, default, _ in ASKED] == declared


@pytest.mark.parametrize(("name", "default", "answer"), ASKED)
def test_an_answer_of_the_guide_is_one_that_the_template_takes(name: str, default: str, answer: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    given = answer or default
    assert given in map(str, parameter.get("AllowedValues", [given]))
    assert re.search(parameter.get("AllowedPattern", ""), given)
    assert parameter["Type"] != "Number" or int(given) >= int(parameter.get("MinValue", 0))


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_guide_names_what_the_template_has(name: str) -> None:
    assert any(name in TEMPLATE[section] for section in ("Parameters", "Resources", "Outputs"))


def test_the_guide_does_not_claim_more_than_was_tried() -> None:
    assert "**None of this was run against AWS or Atlas**" in TEXT
