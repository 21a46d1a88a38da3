"""`make run` where others can reach it: not without tokens; and `make token`, which makes them."""

import json
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from admin import token
from eventlog_client import EventLog, RefusedError
from tests.support import plain_http
from tests.support.ports import own_port
from tests.support.processes import run, run_here, serve, server

SECRET = "s3cr3t-token"


def make_token(folder: Path, *arguments: str) -> str:
    """The token that the command prints."""
    result = run_here(folder, token.main, *arguments, EVENTLOG_TOKENS="tokens.json")
    assert result.returncode == 0, result.stderr
    (made,) = result.stdout.splitlines()
    assert made not in result.stderr
    return made


def test_without_tokens_it_binds_to_no_address_that_others_reach(tmp_path: Path) -> None:
    result = run(tmp_path, "local", HOST="0.0.0.0", PORT=str(own_port()))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "Others can reach 0.0.0.0, so EVENTLOG_TOKENS must name a file of tokens (make token makes one); "
        "or leave HOST out.\n"
    )
    assert not (tmp_path / ".eventlog").exists()


@pytest.mark.parametrize("host", ["no-such-name.invalid", "192.0.2.1"])
def test_an_address_that_is_none_of_this_machines_is_named(tmp_path: Path, host: str) -> None:
    result = run_here(tmp_path, serve, HOST=host, PORT=str(own_port()))
    assert (result.returncode, result.stderr) == (1, f"HOST is {host}, which is no address of this machine.\n")


def test_a_bad_token_file_is_named_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text(json.dumps({"tokens": [{"sha256": SECRET}]}))
    (tmp_path / "tokens.json").chmod(0o600)
    result = run_here(tmp_path, serve, PORT=str(own_port()), EVENTLOG_TOKENS="tokens.json")
    assert result.returncode == 1
    assert result.stderr.startswith("The token file tokens.json can't be used: entry 1, sha256: ")
    assert SECRET not in result.stdout + result.stderr


def test_with_tokens_it_serves_every_address_and_demands_one_everywhere(tmp_path: Path) -> None:
    writer = make_token(tmp_path, "shop", "--scope", "events:write", "--chain", "acme.*")
    reader = make_token(tmp_path, "office", "--scope", "events:read")
    with server(tmp_path, HOST="0.0.0.0", EVENTLOG_TOKENS="tokens.json") as running:
        health = f"{running.url}/api/v1/health"
        assert plain_http.get(health).status_code == 401
        assert plain_http.get(health, headers={"Host": "log.example.com"}).status_code == 401
        with EventLog(running.url, token=writer) as log:
            receipt = log.append("t", "s", {}, chain="acme.orders")
            with pytest.raises(RefusedError, match="There is no chain main"):
                log.append("t", "s", {})
        with EventLog(running.url, token=reader) as log:
            assert log.get(receipt.event_id, "acme.orders").entry.principal == "shop"
        assert "with a token of tokens.json" in running.stdout
        assert not any(token in running.stdout + running.stderr for token in (writer, reader))


def test_the_file_has_hashes_alone_and_is_its_owners(tmp_path: Path) -> None:
    tokens = [make_token(tmp_path, name, "--scope", "events:read") for name in ("a", "b")]
    path = tmp_path / "tokens.json"
    entries = json.loads(path.read_bytes())["tokens"]
    assert [entry["sha256"] for entry in entries] == [sha256(token.encode()).hexdigest() for token in tokens]
    assert [entry["principal"] for entry in entries] == ["a", "b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(token in path.read_text() for token in tokens)
    assert [item.name for item in tmp_path.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["a", "--scope", "events:read", "--chain", "NO"], 1, "Nothing was added: entry 2, chains: must be names"),
        (["", "--scope", "events:read"], 1, "Nothing was added: entry 2, principal: "),
        (["a", "--scope", "all"], 2, "invalid choice: 'all'"),
        (["a"], 2, "required: --scope"),
    ],
)
def test_what_makes_no_entry_changes_nothing(tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    make_token(tmp_path, "first", "--scope", "events:read")
    before = (tmp_path / "tokens.json").read_bytes()
    result = run_here(tmp_path, token.main, *arguments, EVENTLOG_TOKENS="tokens.json")
    assert (result.returncode, result.stdout) == (code, "")
    assert told in result.stderr
    assert (tmp_path / "tokens.json").read_bytes() == before


def test_a_file_that_can_not_be_used_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text("{}")
    result = run_here(tmp_path, token.main, "a", "--scope", "events:read", EVENTLOG_TOKENS="tokens.json")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "Nothing was added: the token file tokens.json can't be used: others than its owner"
    )
    assert path.read_text() == "{}"


def test_the_file_must_be_named(tmp_path: Path) -> None:
    result = run_here(tmp_path, token.main, "a", "--scope", "events:read")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("EVENTLOG_TOKENS (environment or .env) must name the file of tokens")


def test_the_command_by_itself_adds_to_the_file_and_refuses_what_no_server_would_read(tmp_path: Path) -> None:
    held, settings = tmp_path / "tokens.json", {"EVENTLOG_TOKENS": "tokens.json"}
    first = run(tmp_path, "admin.token", "shop", "--scope", "events:write", **settings)
    second = run(tmp_path, "admin.token", "office", "--scope", "events:read", "--chain", "acme.*", **settings)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    entries = json.loads(held.read_text())["tokens"]
    hashes = [sha256(result.stdout.strip().encode()).hexdigest() for result in (first, second)]
    assert [entry["sha256"] for entry in entries] == hashes
    assert stat.S_IMODE(held.stat().st_mode) == 0o600
    before = held.read_bytes()
    refused = run(tmp_path, "admin.token", "odd", "--scope", "events:read", "--chain", "no chain", **settings)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Nothing was added: ")
    assert held.read_bytes() == before
