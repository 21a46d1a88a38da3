"""`make screenshots`, and the pictures that are kept in docs/screenshots."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.support.processes import run
from tools.screenshots import HEIGHT, THEMES, WIDTH, main

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs" / "screenshots"
VIEWS = ("overview", "events", "verify", "chain", "audits", "audits-tampered", "events-tampered", "keys", "live")
NAMES = sorted(f"{view}-{theme}.png" for view in VIEWS for theme in THEMES)


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def brightness(path: Path) -> float:
    """Of the picture on average, 0 to 255."""
    with Image.open(path) as image:
        histogram = image.convert("L").histogram()
    return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)


def test_every_view_is_kept_in_light_and_dark_and_none_is_heavy() -> None:
    pictures = sorted(KEPT.iterdir())
    assert [path.name for path in pictures] == NAMES
    assert all(path.stat().st_size < 150_000 for path in pictures)
    assert {size_of(path) for path in pictures} == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_as_light_or_dark_as_its_name_says(name: str) -> None:
    assert (brightness(KEPT / name) > 128) == name.endswith("-light.png")


def test_the_readme_opens_with_one_of_them() -> None:
    (shown,) = re.findall(r"!\[[^\]]{20,}\]\((docs/screenshots/[\w-]+\.png)\)", (ROOT / "README.md").read_text()[:1000])
    assert (ROOT / shown).is_file()


def test_the_command_takes_all_of_them(tmp_path: Path) -> None:
    done = run(tmp_path, "tools.screenshots", "pictures")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == NAMES
    assert f"{len(NAMES)} pictures in pictures" in done.stdout


def test_the_command_says_what_is_missing_without_chromium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, value in (("POWERTOOLS_METRICS_DISABLED", "true"), ("POWERTOOLS_LOG_LEVEL", "CRITICAL")):
        monkeypatch.setenv(name, value)  # the command sets it, for a process of its own
    assert main([str(tmp_path / "pictures")]) == 1
    assert "apt-get install chromium" in capsys.readouterr().err
