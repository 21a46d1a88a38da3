"""The command's files: who may call, and whose the folder is."""

from hashlib import sha256
from pathlib import Path

import pytest

from local.machine import LocalError
from local.start_api.main import locked
from local.start_api.tokens import UnknownTokenError, issue, open_authorizer


def test_issued_tokens_are_known_and_only_their_hashes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    issued = issue(path)
    authorizer = open_authorizer(path)
    for name, token in issued.items():
        found = authorizer.authorize(f"Bearer {token}")
        assert found is not None
        assert found["jwt"]["claims"]["sub"] == name
        assert token not in path.read_text()
        assert sha256(token.encode()).hexdigest() in path.read_text()
    with pytest.raises(UnknownTokenError):
        authorizer.authorize("Bearer eventlog_other")


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    issue(path)
    path.chmod(0o644)
    with pytest.raises(LocalError, match="chmod 600"):
        open_authorizer(path)


def test_a_folder_is_emptied_for_one_run_and_no_second_one_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "start-api"
    with locked(folder) as held:
        (held / "old").touch()
        with pytest.raises(LocalError, match="Another `make start-api`"), locked(folder):
            pass
        assert (held / "old").exists()
    with locked(folder) as held:
        assert list(held.iterdir()) == []


def test_a_folder_that_no_run_has_made_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work").touch()
    for folder in (tmp_path / "mine", tmp_path / "mine" / "work"):
        with pytest.raises(LocalError, match="not of an earlier run"), locked(folder):
            pass
    assert (tmp_path / "mine" / "work").exists()


def test_folders_whose_names_differ_after_a_dot_are_two(tmp_path: Path) -> None:
    with locked(tmp_path / "run.a"), locked(tmp_path / "run.b"):
        pass
