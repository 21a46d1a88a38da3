"""The client's README names what exists: each command, its exit codes and errors."""

import re
from pathlib import Path

import pytest

import eventlog_client
from eventlog_client.cli import app

README = (Path(__file__).parents[2] / "client" / "README.md").read_text()
COMMANDS = [command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback]


GROUPED = ["keys new", "keys show", "keys fetch", "policy check", "witness add-log", "witness serve"]


def test_every_command_of_a_group_is_in_the_list() -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups if group.typer_instance}
    named = [
        f"{name} {(command.name or command.callback.__name__).replace('_', '-')}"
        for name, group in groups.items()
        for command in group.registered_commands
        if command.callback
    ]
    assert named == GROUPED


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPED])
def test_the_readme_names_every_command(command: str) -> None:
    assert f"`{command}" in README


def test_the_readme_s_examples_are_of_commands_that_exist() -> None:
    used = set(re.findall(r"^eventlog (?:--\S+ )*([a-z-]+)", README, re.MULTILINE))
    assert used <= {*COMMANDS, *(command.partition(" ")[0] for command in GROUPED)}
    assert len(used) >= 8


@pytest.mark.parametrize("name", [name for name in eventlog_client.__all__ if name.endswith("Error")])
def test_the_readme_names_every_error(name: str) -> None:
    if name not in {"ClientError", "FieldProblem"}:
        assert f"`{name}`" in README


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_readme_names_every_exit_code(code: int) -> None:
    assert re.search(rf"^\| {code} \|", README, re.MULTILINE)
