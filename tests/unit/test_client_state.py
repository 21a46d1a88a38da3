"""The monitor's state file: written as a whole, for its owner alone, and refused when anything in it was changed."""

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from eventlog_client.errors import StateError
from eventlog_client.monitor import Monitor
from eventlog_client.state import Trusted, format_state, keep_evidence, parse_state, read_state, write_state
from tests.support.memory_log import VKEY, MemoryLog


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    return Monitor(MemoryLog().grow(5), "main", [VKEY]).check(None)


def test_what_is_written_is_read_again(tmp_path: Path, trusted: Trusted) -> None:
    write_state(tmp_path / "state", trusted)
    assert read_state(tmp_path / "state") == trusted


def test_a_file_that_is_not_there_yet_remembers_nothing(tmp_path: Path) -> None:
    assert read_state(tmp_path / "state") is None


def test_the_file_is_its_owner_s_alone_and_nothing_is_left_beside_it(tmp_path: Path, trusted: Trusted) -> None:
    write_state(tmp_path / "state", trusted)
    write_state(tmp_path / "state", trusted)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"size": "4"},
        {"size": 5},
        {"origin": "example.com/log/other"},
        {"hash": "00"},
        {"frontier": []},
        {"frontier": ["00" * 32, "11" * 32]},
        {"key": "nonsense"},
        {"checkpoint": "nonsense"},
        {"checkpoint": None},
    ],
)
def test_a_changed_member_is_refused(trusted: Trusted, change: dict[str, Any]) -> None:
    value = orjson.loads(format_state(trusted)) | change
    with pytest.raises(StateError):
        parse_state(orjson.dumps(value))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff"])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        parse_state(data)


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path, trusted: Trusted) -> None:
    with pytest.raises(StateError, match="can't write"):
        write_state(tmp_path / "nowhere" / "state", trusted)


def test_evidence_never_replaces_earlier_evidence(tmp_path: Path) -> None:
    kept = [keep_evidence(tmp_path / "state", {"finding": number}) for number in range(2)]
    assert [orjson.loads(path.read_bytes())["finding"] for path in kept] == [0, 1]
