"""What the command prints: whole and plain for programs, a table that fits for people."""

import io
import sys

import pytest

from eventlog_client.output import Output, cell, printable, progress

ROWS = [{"seq": 1, "payload": "x" * 300, "id": "i" * 36}, {"seq": 2, "payload": "[red]y[/]", "id": None}]
COLUMNS = ("seq", "payload", "id")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_program_gets_each_row_whole_with_tabs_and_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=False).table(COLUMNS, ROWS)
    assert capsys.readouterr().out == f"1\t{'x' * 300}\t{'i' * 36}\n2\t[red]y[/]\t\n"


def test_a_table_on_a_terminal_shortens_what_is_long_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    Output(json=False).table(COLUMNS, ROWS)
    head, first, second = terminal.getvalue().splitlines()
    assert all(name in head for name in COLUMNS)
    assert first.split()[0] == "1"
    assert "i" * 36 in first
    assert "…" in first
    assert "[red]y[/]" in second


def test_control_and_direction_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[2J\n\u009b\u202eä\u2028") == "a\\u001b[2J\\u000a\\u009b\\u202eä\\u2028"


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (1, "1"), ({"a": [1]}, '{"a":[1]}'), ("a\tb", "a\\u0009b")])
def test_a_value_is_one_cell(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_json_is_one_line_for_programs_and_indented_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).document({"a": 1})
    Output(json=False).document({"a": 1})
    assert capsys.readouterr().out == '{"a":1}\n{\n  "a": 1\n}\n'


def test_there_is_no_progress_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("working", 10) as advance:
        advance(5)
    assert capsys.readouterr().err == ""


def test_a_progress_bar_goes_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("working", 10) as advance:
        advance(10)
    assert "working" in terminal.getvalue()
    assert capsys.readouterr().out == ""
