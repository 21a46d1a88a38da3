"""The client's README names what exists: each command, its exit codes and errors."""

import re
from pathlib import Path

import pytest

import eventlog_client
from eventlog_client.cli import app

README = (Path(__file__).parents[2] / "client" / "README.md").read_text()
COMMANDS = [command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback]


@pytest.mark.parametrize("command", [*COMMANDS, "keys new", "keys show", "keys fetch"])
def test_the_readme_names_every_command(command: str) -> None:
    assert f"`{command}" in README


def test_the_readme_s_examples_are_of_commands_that_exist() -> None:
    used = set(re.findall(r"^eventlog (?:--\S+ )*([a-z-]+)", README, re.MULTILINE))
    assert used <= {*COMMANDS, "keys"}
    assert len(used) >= 8


@pytest.mark.parametrize("name", [name for name in eventlog_client.__all__ if name.endswith("Error")])
def test_the_readme_names_every_error(name: str) -> None:
    if name not in {"ClientError", "FieldProblem"}:
        assert f"`{name}`" in README


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_readme_names_every_exit_code(code: int) -> None:
    assert re.search(rf"^\| {code} \|", README, re.MULTILINE)
