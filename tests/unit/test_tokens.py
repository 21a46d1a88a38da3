"""Token files: what they allow, and that a bad one is refused in a sentence without its content."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from eventlog.http.callers import Caller
from eventlog.http.tokens import read_tokens
from eventlog.settings import ConfigurationError

TOKEN = "s3cr3t-token"
HASH = sha256(TOKEN.encode()).hexdigest()
ENTRY: dict[str, Any] = {"sha256": HASH, "principal": "shop", "scopes": ["events:write"], "chains": ["acme.*"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def write(path: Path, content: Any, mode: int = 0o600) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as raised:
        read_tokens(path)
    text = str(raised.value)
    assert text.startswith(f"the token file {path} can't be used: ")
    assert TOKEN not in text
    assert "shop" not in text
    return text.partition(" can't be used: ")[2]


def test_a_token_makes_its_caller_known(path: Path) -> None:
    other = {"sha256": "0" * 64, "principal": "other", "scopes": []}
    tokens = read_tokens(write(path, {"tokens": [other, ENTRY]}))
    assert tokens.find(f"Bearer {TOKEN}") == Caller("shop", frozenset({"events:write"}), ("acme.*",))
    assert tokens.find(f"bearer  {TOKEN} ") == tokens.find(f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {HASH}", "Bearer ÿ"]
)
def test_nothing_else_does(path: Path, header: str) -> None:
    assert read_tokens(write(path, {"tokens": [ENTRY]})).find(header) is None


@pytest.mark.parametrize("chains", [None, ["*"]])
def test_an_entry_without_chains_or_with_a_star_is_for_all_of_them(path: Path, chains: list[str] | None) -> None:
    found = read_tokens(write(path, {"tokens": [ENTRY | {"chains": chains}]})).find(f"Bearer {TOKEN}")
    assert found is not None
    assert found.chains is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    assert "chmod 600" in refusal(write(path, {"tokens": [ENTRY]}, mode))


def test_a_file_that_is_not_there_is_refused(path: Path) -> None:
    assert refusal(path) == "No such file or directory"


def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    assert refusal(path) == "Is a directory"


def test_a_file_that_is_too_large_is_refused(path: Path) -> None:
    assert refusal(write(path, " " * (1 << 20) + "{}")) == "it is too large"


@pytest.mark.parametrize("text", ["", "{", TOKEN, '{"tokens": [], "tokens": []}', "[" * 9 + "]" * 9, "\ufeff{}"])
def test_what_is_not_json_is_refused(path: Path, text: str) -> None:
    assert refusal(write(path, text)) == "it is not JSON, or has a name twice"


@pytest.mark.parametrize("value", [[], {}, {"tokens": {}}, {"tokens": None}, {"tokens": [], TOKEN: 1}, "x", [ENTRY]])
def test_what_is_no_token_file_is_refused(path: Path, value: Any) -> None:
    assert refusal(write(path, json.dumps(value))) == 'it must be {"tokens": [...]}'


@pytest.mark.parametrize(
    "entry",
    [
        TOKEN,
        None,
        [],
        {},
        ENTRY | {TOKEN: 1},
        ENTRY | {"token": TOKEN},
        {"sha256": HASH, "principal": "shop"},
    ],
)
def test_a_bad_entry_is_named_by_its_number(path: Path, entry: Any) -> None:
    other = ENTRY | {"sha256": "0" * 64}
    assert refusal(write(path, {"tokens": [other, entry]})).startswith("entry 2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sha256", TOKEN),
        ("sha256", HASH.upper()),
        ("sha256", HASH + "\n"),
        ("sha256", None),
        ("principal", ""),
        ("principal", "a\nb"),
        ("principal", 5),
        ("scopes", "events:read"),
        ("scopes", ["events:all"]),
        ("scopes", [None]),
        ("chains", []),
        ("chains", "main"),
        ("chains", ["Main"]),
        ("chains", ["a b"]),
        ("chains", [5]),
        ("chains", ["a", "*"]),
        ("chains", ["*", "*"]),
        ("chains", ["a *"]),
        ("chains", ["[*]"]),
        ("chains", [" *"]),
        ("chains", [""]),
    ],
)
def test_a_bad_field_is_named_with_its_entry(path: Path, name: str, value: Any) -> None:
    assert refusal(write(path, {"tokens": [ENTRY | {name: value}]})).startswith(f"entry 1, {name}: ")


def test_two_entries_for_one_token_are_refused(path: Path) -> None:
    assert refusal(write(path, {"tokens": [ENTRY, ENTRY | {"scopes": []}]})) == "two entries are for one token"
