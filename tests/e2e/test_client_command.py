"""The ``eventlog`` command beside a development server: in a process of its own where that matters, else in ours."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.formats.note import format_vkey
from eventlog.store.mongo.store import open_log
from eventlog_client.cli import main
from local.machine import HOST, wait_until
from local.mongod.embedded import EmbeddedMongo
from tests.support.anchoring import KEY, put_anchor
from tests.support.ports import own_port
from tests.support.processes import ROOT, SECONDS, Running, environment, run, run_here, server

ORIGIN = "localhost/eventlog"
VKEY = format_vkey(KEY.verifier(ORIGIN))
COMMAND = "eventlog_client"
ADD = ("append", "--type", "t", "--source", "s")


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo(tmp_path_factory.mktemp("mongo")) as mongo:
        yield mongo


@pytest.fixture(scope="module")
def running(mongo: EmbeddedMongo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with server(tmp_path_factory.mktemp("server"), MONGO_URI=mongo.uri) as running:
        yield running


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> str:
    """A chain of the test's own."""
    return f"c{abs(hash(request.node.name)) % 10**9}"


class Command:
    """Runs the command against the server, in a folder of its own."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.folder = folder
        self.url = running.url

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
        """What it prints; it must end with this code, and say one line on stderr if that is not 0."""
        if stdin is None:
            done = run_here(self.folder, main, *arguments, EVENTLOG_URL=self.url)
        else:
            done = subprocess.run(
                [sys.executable, "-m", COMMAND, *arguments],
                cwd=self.folder,
                env=environment(EVENTLOG_URL=self.url),
                input=stdin,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1
        return done.stdout if code in {0, 3} else done.stderr


@pytest.fixture
def command(tmp_path: Path, running: Running) -> Command:
    return Command(tmp_path, running)


def anchor(mongo: EmbeddedMongo, chain: str) -> str:
    """Sign the chain as it is; its verifier key."""
    with MongoClient[dict[str, Any]](mongo.uri) as client:
        put_anchor(open_log(client, "eventlog", ORIGIN), chain=chain)
    return format_vkey(KEY.verifier(ORIGIN, chain))


def test_an_event_goes_from_append_to_a_proof_that_needs_no_log(
    command: Command, mongo: EmbeddedMongo, chain: str
) -> None:
    receipt = command(*ADD, "--payload", '{"n":1}', "--chain", chain)
    (command.folder / "receipt.json").write_text(receipt)
    command(*ADD, "--chain", chain)
    vkey = anchor(mongo, chain)
    for name in ("p.json", "p.tlog-proof"):
        assert "Proven: event 0" in command("prove", "receipt.json", "--key", vkey, "--out", name)
        shown = command("--url", "http://nowhere", "verify-proof", name, "--key", vkey, "--receipt", "receipt.json")
        assert shown.startswith("Verified: the receipt stands at 0 in the tree of size 2")
    (command.folder / "event.json").write_text(
        command("--json", "query", "--chain", chain, "--order", "asc", "--limit", "1")
    )
    command("verify-proof", "p.json", "--key", vkey, "--event", "event.json")
    other = command(*ADD, "--chain", chain)
    (command.folder / "other.json").write_text(other)
    command("verify-proof", "p.json", "--key", vkey, "--receipt", "other.json", code=3)
    command("verify-proof", "p.json", "--key", VKEY, code=3)
    assert "No contradiction between 6 claims" in command(
        "compare", "receipt.json", "p.json", "p.tlog-proof", "other.json"
    )


def test_an_event_with_an_id_is_appended_once_however_often_it_is_sent(command: Command, chain: str) -> None:
    once = (*ADD, "--id", "o-1", "--chain", chain)
    receipt = command(*once)
    assert command(*once) == receipt
    assert "409" in command(*once, "--payload", '{"n":2}', code=1)
    assert "409" in command(*once, "--time", "2026-11-23T12:34:56Z", code=1)
    assert len(command("query", "--chain", chain).splitlines()) == 1


def test_a_file_is_appended_and_queried(command: Command, chain: str) -> None:
    sample = ROOT / "events" / "sample.ndjson"
    count = len(sample.read_text().splitlines())
    receipts = command("--json", "append", "--file", str(sample), "--chain", chain).splitlines()
    assert [json.loads(line)["seq"] for line in receipts] == list(range(count))
    assert command("append", "--file", "-", "--chain", chain, stdin=sample.read_text()) == f"{count} events appended.\n"
    assert len(command("query", "--all", "--chain", chain).splitlines()) == 2 * count
    shown = [
        json.loads(line)
        for line in command("--json", "query", "--from-seq", "3", "--to-seq", "5", "--chain", chain).splitlines()
    ]
    assert [event["seq"] for event in shown] == [3, 4]
    found = command("query", f'type:certificate.* "SHOP.example" chain:{chain}', stdin="").splitlines()
    assert [line.split("\t")[2] for line in found] == 2 * ["certificate.renewed"]
    assert "'tpye' at 1" in command("query", "tpye:certificate.*", stdin="", code=2)


def test_a_bundle_is_exported_and_verified(command: Command, mongo: EmbeddedMongo, chain: str) -> None:
    for _ in range(3):
        command(*ADD, "--chain", chain)
    vkey = anchor(mongo, chain)
    assert command("export", "b", "--from-seq", "1", "--chain", chain) == "2 events in b, 1 part; not yet verified.\n"
    assert f"no event of chain {chain} from seq 1 to 2 is missing" in command("verify-bundle", "b", "--key", vkey)
    command("verify-bundle", "b", "--key", VKEY, code=3)
    (command.folder / "b").write_bytes((command.folder / "b").read_bytes()[:-10])
    assert "b: it is cut off in line 5" in command("verify-bundle", "b", "--key", vkey, code=1)


def test_the_monitor_follows_the_log(command: Command, mongo: EmbeddedMongo, chain: str) -> None:
    command(*ADD, "--chain", chain)
    vkey = anchor(mongo, chain)
    watch = ("verify-log", command.url, "--key", vkey, "--chain", chain, "--state", "state", "--events")
    assert "size 1 verified, 1 leaves of it now" in command(*watch)
    command(*ADD, "--chain", chain)
    anchor(mongo, chain)
    assert "size 2 verified, 1 leaves of it now" in command(*watch)
    other = ("verify-log", command.url, "--key", VKEY, "--state", "state")
    assert "which is not given now" in command(*other, code=2)


def test_an_audit_tells_tampering_by_its_exit_code(command: Command, mongo: EmbeddedMongo, chain: str) -> None:
    command(*ADD, "--chain", chain)
    assert command("audit", "--chain", chain) == f"1 events of chain {chain} checked: intact.\n"
    with MongoClient[dict[str, Any]](mongo.uri) as client:
        client["eventlog"].events.update_one({"chain": chain}, {"$set": {"source_id": "other"}})
    assert "content_mismatch\t0\t" in command("audit", "--full", "--chain", chain, code=3)


def test_what_an_audit_found_stands_until_a_full_one_is_clean(
    command: Command, mongo: EmbeddedMongo, chain: str
) -> None:
    command(*ADD, "--chain", chain)
    assert command("status", "--chain", chain).startswith(
        f"Chain {chain}: not audited yet.\nLast full audit: none yet."
    )
    command("audit", "--full", "--chain", chain)
    assert command("status", "--chain", chain).startswith(f"Chain {chain}: intact.\nLast full audit: 20")
    with MongoClient[dict[str, Any]](mongo.uri) as client:
        events = client["eventlog"]["events"]
        event = events.find_one({"chain": chain}) or {}
        events.update_one({"chain": chain}, {"$set": {"principal": "forged"}})
        command("audit", "--full", "--chain", chain, code=3)
        assert command("audit", "--chain", chain, code=3).endswith("intact.\n")  # of what is new

        found = command("status", "--chain", chain, code=3)
        # The watcher of changes may have told of it by now, too.
        assert re.match(
            rf"Chain {chain}: TAMPERED, (1 finding stands|2 findings stand)\.\nIt happened before 20", found
        )
        assert "content_mismatch\t0\t" in found
        assert f"\n{chain}\tTAMPERED\t" in command("status", code=3)
        shown = json.loads(command("--json", "status", code=3))
        assert chain in {one["chain"] for one in shown["tampered"]}
        events.update_one({"chain": chain}, {"$set": {"principal": event["principal"]}})

    def stands_no_more() -> bool:
        """The watcher may have told of the change only after that audit began: then it takes another one."""
        command("audit", "--full", "--chain", chain)
        done = run_here(command.folder, main, "status", "--chain", chain, EVENTLOG_URL=command.url)
        return done.returncode == 0 and done.stdout.startswith(f"Chain {chain}: intact.\n")

    wait_until("nothing to stand any more", stands_no_more)


def test_keys_are_made_and_shown(command: Command) -> None:
    command("keys", "new", "key.pem")
    assert command("keys", "show", "key.pem", "--name", "example.com/log/main").startswith("example.com/log/main+")
    command("keys", "new", "key.pem", code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nonsense",), 2, "No such command"),
        (("query", "--limit", "x"), 2, "Invalid value for '--limit'"),
        (("append",), 2, "give --type and --source, or --file"),
        ((*ADD, "--payload", "{"), 2, "--payload"),
        ((*ADD, "--payload", "[]"), 2, "must be a JSON object"),
        ((*ADD, "--payload", "@nowhere"), 1, "nowhere: No such file or directory"),
        ((*ADD, "--time", "yesterday"), 1, "422 Unprocessable"),
        (("append", "--file", "nowhere"), 1, "nowhere: No such file or directory"),
        (("verify-bundle", "nowhere", "--key", VKEY), 1, "nowhere: No such file or directory"),
        (("verify-bundle", "nowhere"), 2, "a pinned verifier key is needed"),
        (("prove", "nowhere", "--key", "nonsense"), 2, "--key"),
        (("verify-log", "nonsense", "--key", VKEY), 1, "nonsense"),
        (("verify-log", "http://x", "--key", VKEY, "--once", "--every", "1"), 2, "give one of --once and --every"),
        (("compare", "nowhere"), 1, "nowhere: No such file or directory"),
        (("query", "--chain", "BAD"), 1, "/query/chain"),
        (("--url", f"http://{HOST}:1", "keys", "fetch"), 1, "can't be reached"),
    ],
)
def test_what_went_wrong_is_one_line_and_a_code(
    command: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert words in command(*arguments, code=code)


def test_a_bad_line_of_a_file_is_named(command: Command, chain: str) -> None:
    good = json.dumps({"event_type": "t", "source_id": "s", "timestamp": "2026-11-23T12:34:56Z", "payload": {}})
    for bad, words in (("{", "line 3"), (good.replace("2026", "soon"), "line 3 was refused: timestamp: ")):
        (command.folder / "f").write_text(f"{good}\n\n{bad}\n")
        assert words in command("append", "--file", "f", "--chain", chain, code=1)


def test_help_names_the_exit_codes(tmp_path: Path) -> None:
    shown = run(tmp_path, COMMAND, "--help").stdout
    assert "Exit codes:" in shown
    assert run(tmp_path, COMMAND).stdout == shown


def test_tail_survives_a_restart_of_the_server_and_ends_with_ctrl_c(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    port = own_port()
    add = ("--url", f"http://{HOST}:{port}", *ADD, "--chain", "tailed")
    with served_at(port, mongo, tmp_path):
        assert run(tmp_path, COMMAND, *add).returncode == 0
        options = ("--from-seq", "0", "--chain", "tailed")
        tail = start(tmp_path, *add[:2], "--json", "tail", *options)
        wait_until("the first event", lambda: len(seqs(tmp_path)) == 1)
    with served_at(port, mongo, tmp_path):
        assert run(tmp_path, COMMAND, *add).returncode == 0
        wait_until("the second event", lambda: len(seqs(tmp_path)) == 2)
        tail.send_signal(signal.SIGINT)
        assert tail.wait(SECONDS) == 0
    assert seqs(tmp_path) == [0, 1]
    assert (tmp_path / "err").read_text() == ""


def test_a_monitor_that_goes_on_survives_a_restart_of_the_server(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    port = own_port()
    add = ("--url", f"http://{HOST}:{port}", *ADD, "--chain", "watched")
    with served_at(port, mongo, tmp_path):
        assert run(tmp_path, COMMAND, *add).returncode == 0
        vkey = anchor(mongo, "watched")
        watch = start(tmp_path, "verify-log", add[1], "--chain", "watched", "--key", vkey, "--every", "0.1")
        wait_until("the first check", lambda: "size 1 verified" in (tmp_path / "out").read_text())
    wait_until("the monitor to notice", lambda: "trying again" in (tmp_path / "err").read_text())
    with served_at(port, mongo, tmp_path):
        assert run(tmp_path, COMMAND, *add).returncode == 0
        anchor(mongo, "watched")
        wait_until("the next check", lambda: "size 2 verified, 1 leaves" in (tmp_path / "out").read_text())
        watch.send_signal(signal.SIGINT)
        assert watch.wait(SECONDS) in {0, 130}


def served_at(port: int, mongo: EmbeddedMongo, folder: Path) -> AbstractContextManager[Running]:
    (folder / "server").mkdir(exist_ok=True)
    return server(folder / "server", MONGO_URI=mongo.uri, PORT=str(port))


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command in the background; what it says goes to the files ``out`` and ``err``."""
    command = [sys.executable, "-m", COMMAND, *arguments]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=err)


def seqs(folder: Path) -> list[int]:
    """Of whole lines: of the last one there may be a part."""
    lines = (folder / "out").read_text().splitlines(keepends=True)
    return [json.loads(line)["seq"] for line in lines if line.endswith("\n")]


def test_what_a_log_holds_does_not_steer_the_terminal(command: Command, chain: str) -> None:
    command(*ADD, "--payload", '{"a":"\u009b2J\u202e"}', "--chain", chain)
    shown = command("query", "--chain", chain)
    assert "\\u009b2J\\u202e" in shown
    assert not {"\u009b", "\u202e"} & set(shown)


def test_a_reader_that_ends_early_gets_no_traceback(command: Command, chain: str) -> None:
    command("append", "--file", str(ROOT / "events" / "sample.ndjson"), "--chain", chain)
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", COMMAND, "query", "--all", "--chain", chain],
        env=environment(EVENTLOG_URL=command.url),
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        timeout=SECONDS,
    )
    os.close(write)
    assert (process.returncode, process.stderr) == (0, b"")
