"""Whoever is woken by an alarm finds what to do, and whoever reads a metric what it means."""

import re
from pathlib import Path

import pytest

from eventlog.telemetry.metrics import UNITS
from tools.package_check.template import read

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
TEMPLATE = (ROOT / "template.yaml").read_text()
SOURCE = read(ROOT / "template.yaml").written
RESOURCES = SOURCE["Resources"]
ALARMS = {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] == "AWS::CloudWatch::Alarm"}
assert ALARMS, "the template has none"
SECTIONS = {
    re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-"): text
    for title, text in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", RUNBOOK, re.MULTILINE)
}


def section_of(alarm: str) -> str:
    """The section that an alarm's description names."""
    found = re.search(r"docs/runbook\.md#([a-z0-9-]+)", str(ALARMS[alarm].get("AlarmDescription")))
    assert found is not None, f"the description of {alarm} names no section"
    return found[1]


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_every_alarm_has_a_section_that_names_it(alarm: str) -> None:
    name = ALARMS[alarm]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
    assert f"`{name}`" in SECTIONS[section_of(alarm)]


def test_every_section_that_the_template_names_exists() -> None:
    assert set(re.findall(r"docs/runbook\.md#([a-z0-9-]+)", TEMPLATE)) <= set(SECTIONS)


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_section_says_when_it_is_over(section: str) -> None:
    assert re.search(r"^Over when |\. Over when ", SECTIONS[section], re.MULTILINE)


@pytest.mark.parametrize("page", ["runbook.md", "operations.md"])
def test_links_between_the_pages_lead_to_headings(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for target, anchor in re.findall(r"\]\(([a-z]+\.md)?#([a-z0-9-]+)\)", text):
        titles = re.findall(r"^#+ (.+)$", (ROOT / "docs" / (target or page)).read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert anchor in slugs, f"{page} -> {target}#{anchor}"


def test_the_table_of_metrics_is_complete_and_has_their_units() -> None:
    units = "Count|Seconds|Milliseconds|Percent"
    rows = dict(re.findall(rf"^\| `([A-Z]\w+)` \| ({units}) \| service", OPERATIONS, re.MULTILINE))
    assert rows == {name: unit.value for name, unit in UNITS.items()}


def test_every_metric_that_an_alarm_is_about_is_emitted() -> None:
    named = re.findall(r"Namespace: !Sub EventLog/\$\{AWS::StackName\}\n\s+MetricName: (\w+)", TEMPLATE)
    assert "AuditFindings" in named
    assert set(named) <= set(UNITS)


@pytest.mark.parametrize("page", ["runbook.md", "operations.md"])
def test_commands_name_what_the_template_has(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    assert set(re.findall(r"\$\(output (\w+)\)", text)) <= set(SOURCE["Outputs"])
    assert set(re.findall(r"(?:\$\(resource|`errors) ([A-Z]\w+)", text)) <= set(RESOURCES)


@pytest.mark.parametrize("page", ["runbook.md", "operations.md", "deploying.md"])
def test_a_payload_is_sent_as_it_is_written(page: str) -> None:
    """Version 2 of the command line takes it for base64 unless it is told."""
    for command in re.findall(r"aws lambda invoke (?:.*\\\n)*.*", (ROOT / "docs" / page).read_text()):
        assert "--cli-binary-format raw-in-base64-out" in command


def test_the_steps_to_a_new_key_are_those_of_the_template() -> None:
    steps = OPERATIONS[OPERATIONS.index("## A new key") :]
    assert all(f"`{step}`" in steps for step in SOURCE["Parameters"]["SigningKeys"]["AllowedValues"])


def test_operations_name_parameters_that_the_template_has() -> None:
    named = set(re.findall(r"`((?:Audit|Mongo|Retired|Signing|Missing)[A-Z]\w+)`", OPERATIONS + RUNBOOK))
    assert named - set(UNITS) <= {*SOURCE["Parameters"], *SOURCE["Outputs"]}
