"""`make drill`: every attack on the anchored log, with a table of what was found."""

from pathlib import Path

from local.drill.attack import NOBODY
from local.drill.attacks import ATTACKS
from tests.support.processes import run


def test_every_attack_ends_as_the_table_says_and_has_a_row(tmp_path: Path) -> None:
    result = run(tmp_path, "local.drill")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    missed = sum(each.where == NOBODY for each in ATTACKS)
    assert (
        f"{len(ATTACKS)} attacks, {missed} of them known not to be found; all ended as the table says." in result.stdout
    )
    assert result.stdout.count("│ ok │") == len(ATTACKS)
    assert list(tmp_path.iterdir()) == []
