"""`make drill` as a command. Each attack by itself is in tests/integration/test_drill.py."""

from pathlib import Path

from local.drill.attack import NOBODY
from local.drill.attacks import ATTACKS
from tests.support.processes import run


def test_every_attack_ends_as_the_table_says_and_has_a_row(tmp_path: Path) -> None:
    missed = next(each.name for each in ATTACKS if each.where == NOBODY)
    result = run(tmp_path, "local.drill", "hide an index", "edit a payload, and put it back", missed)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    assert "3 attacks, 1 of them known not to be found; all ended as the table says." in result.stdout
    assert result.stdout.count("│ ok │") == 3
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_attack_has_is_told(tmp_path: Path) -> None:
    result = run(tmp_path, "local.drill", "no such attack")
    assert (result.returncode, result.stderr) == (1, "No attack's name has 'no such attack' in it.\n")
