"""``eventlog witness``, as a process that others ask over HTTP, and the keys that it takes."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from eventlog.formats.cosignature import parse_cosigner_vkey, verify_cosignatures
from eventlog.formats.governance_note import parse_governance_vkey
from eventlog.formats.note import Note, format_note, parse_note
from eventlog.formats.witness_protocol import MAX_REQUEST, format_answer, origin_hash, parse_answer
from eventlog.witness.keys import load_witness_key
from eventlog_client.cli import main
from eventlog_client.proofs import parse_proof
from eventlog_client.witness_server import WitnessServer
from local.machine import wait_until
from tests.support.each import each
from tests.support.evidence import LINE
from tests.support.processes import environment, run_here
from tests.support.small_log import VKEY, SmallLog
from tests.support.witness_requests import body

NAME = "witness.example/w1"
Answer = tuple[int, str, bytes]


@dataclass
class Running:
    """A witness in a process."""

    process: subprocess.Popen[str]
    url: str
    vkeys: list[str]
    connection: http.client.HTTPConnection

    def ask(self, data: bytes) -> Answer:
        return self.request("POST", "/witness/add-checkpoint", data)

    def request(self, method: str, path: str, data: bytes | None = None) -> Answer:
        self.connection.request(method, path, data)
        found = self.connection.getresponse()
        return found.status, found.headers["Content-Type"], found.read()


@contextmanager
def serving(folder: Path) -> Iterator[Running]:
    """The command, from keys that it made; it ends with Ctrl-C, and with nothing but what it should say."""
    arguments = ["--directory", "memory", "--name", NAME, "--key", "ed25519", "--key", "ml-dsa", "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "eventlog_client", "--json", "witness", "serve", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            parts = urlsplit(said["url"])
            connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
            yield Running(process, said["url"], said["vkeys"], connection)
            connection.close()
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for command in ("keys new ed25519", "keys new --ml-dsa ml-dsa", f"witness add-log {VKEY} --directory memory"):
        assert run_here(tmp_path, main, *command.split()).returncode == 0
    return tmp_path


def test_a_log_is_cosigned_by_both_keys_and_its_proof_verifies_with_the_quorum_alone(folder: Path) -> None:
    log = SmallLog()
    text = parse_note(log.note).text
    with serving(folder) as witness:
        keys = [parse_cosigner_vkey(vkey) for vkey in witness.vkeys]
        status, _, answer = witness.ask(b"old 0\n\n" + log.note)
        lines = parse_answer(answer)
        assert (status, [key.key_id for key in keys]) == (200, [line.key_id for line in lines])
        assert len(verify_cosignatures(Note(text, lines), keys)) == 2
        # Over the same connection: what it holds, what it says of itself, and what it refuses.
        assert witness.request("GET", f"/witness/{origin_hash(LINE)}/checkpoint")[2] == format_note(
            Note(text, (*parse_note(log.note).signatures, *lines))
        )
        about = json.loads(witness.request("GET", "/witness/")[2])
        assert about == {"name": NAME, "vkeys": witness.vkeys, "logs": [{"origin": LINE, "vkeys": [VKEY]}]}
        assert witness.ask(body(2, 5)) == (409, "text/x.tlog.size", b"3\n")
        assert witness.ask(body(3, 3, "another"))[0] == 422
    assert witness.process.returncode == 0
    vkeys = "".join(f"witness w{n} {vkey}\n" for n, vkey in enumerate(witness.vkeys))
    (folder / "policy").write_text(f"{vkeys}group orgs all w0 w1\nquorum orgs\n")
    for count, code in ((2, 0), (1, 3)):
        # The checkpoint is what a proof file ends with, so that an answer's lines can be put below it as they are.
        proof = parse_proof(log.proof()).tlog_proof() + format_answer(lines[:count])
        (folder / "proof.tlog-proof").write_bytes(proof)
        done = run_here(folder, main, "verify-proof", "proof.tlog-proof", "--key", VKEY, "--policy", "policy")
        assert (done.returncode, "no line of w1" in done.stderr) == (code, code == 3), done.stderr


def test_what_is_no_request_is_answered_as_that_and_a_contradiction_is_told(folder: Path) -> None:
    with serving(folder) as witness:
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", f"/witness/{origin_hash(LINE)}/checkpoint", 404),
            ("GET", "/witness/../memory", 404),
            ("POST", "/witness/other", 404),
            ("POST", "/witness/add-checkpoint", 400),
            ("PUT", "/witness/add-checkpoint", 501),
        ):
            assert witness.request(method, path, b"x" if method != "GET" else None)[0] == status, path
        assert witness.ask(b"x" * (MAX_REQUEST + 1))[0] == 413
        for head in (
            "Content-Length: -1",
            "Content-Length: 1\r\nContent-Length: 2",
            "Transfer-Encoding: chunked",
            "X: y",
        ):
            assert raw(witness, head).startswith(b"HTTP/1.1 411 "), head
        assert witness.ask(body(0, 3))[0] == 200
        assert witness.ask(body(3, 3, "another"))[0] == 422
        told = witness.process.stderr
        assert told is not None
        assert told.readline().startswith(
            f"eventlog: witness: {LINE}: there are two roots for size 3; the request is kept"
        )
    assert witness.process.returncode == 0


def raw(witness: Running, head: str) -> bytes:
    """What is answered to a request with these headers; the connection is closed then."""
    parts = urlsplit(witness.url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), 60) as connection:
        connection.sendall(f"POST /witness/add-checkpoint HTTP/1.1\r\nHost: w\r\n{head}\r\n\r\n".encode())
        found = b""
        while piece := connection.recv(4096):
            found += piece
    return found


@pytest.fixture
def crowded(folder: Path) -> Iterator[WitnessServer]:
    """A witness that takes two connections at a time."""
    key = load_witness_key((folder / "ed25519").read_bytes(), NAME)
    with WitnessServer(folder / "memory", [key], ("127.0.0.1", 0), 2) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_connection_too_many_is_told_so_at_once_and_idle_ones_are_cut_off(
    crowded: WitnessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = crowded.socket.getsockname()
    idle = [socket.create_connection(address, 60) for _ in range(2)]
    with socket.create_connection(address, 60) as refused:
        assert refused.recv(4096).startswith(b"HTTP/1.1 503 ")
    for connection in idle:
        connection.sendall(b"P")  # an attacker's byte now and then makes no difference
    # Only now, or on a slow machine they would be cut off before the third one came.
    with monkeypatch.context() as patch:
        patch.setattr(crowded, "_seconds", 0.1)
        for connection in idle:
            assert connection.recv(4096) == b"", "its time is over"
            connection.close()
    # Their places are free once their threads have found that they are cut off, which may be a moment later.
    wait_until("a free place", lambda: asked_for(address, "/witness/") == 200)


def asked_for(address: tuple[str, int], path: str) -> int:
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_adding_a_log_twice_says_so_and_forgets_nothing(folder: Path) -> None:
    done = run_here(folder, main, "witness", "add-log", VKEY, "--directory", "memory")
    assert (done.returncode, done.stdout) == (0, f"{LINE} was known with this key already.\n")
    next(iter((folder / "memory").glob("*.note"))).unlink()
    done = run_here(folder, main, "witness", "add-log", VKEY, "--directory", "memory")
    assert (done.returncode, "is gone: this witness can't cosign for it any more" in done.stderr) == (1, True)


def test_keys_show_gives_a_witness_s_verifier_key(folder: Path) -> None:
    for name in ("ed25519", "ml-dsa"):
        done = run_here(folder, main, "keys", "show", name, "--name", NAME, "--witness")
        assert parse_cosigner_vkey(done.stdout.strip()).name == NAME


def test_keys_show_gives_the_verifier_key_of_what_orders_erasures(folder: Path) -> None:
    done = run_here(folder, main, "keys", "show", "ed25519", "--name", "log.example/events", "--governance")
    assert parse_governance_vkey(done.stdout.strip()).name == "log.example/events"


@each(
    "arguments, code, words",
    [
        (("witness", "add-log", "x", "--directory", "memory"), 2, "verifier key"),
        (("witness", "serve", "--directory", "memory", "--name", "a b", "--key", "ed25519"), 2, "ed25519: "),
        (("witness", "serve", "--directory", "memory", "--name", NAME, "--key", "memory"), 1, "memory: Is a directory"),
        (("witness", "serve", "--directory", "memory", "--name", NAME, "--key", "policy"), 2, "unencrypted PEM key"),
        (("keys", "show", "ml-dsa", "--name", NAME), 1, "is not an Ed25519 key"),
        (("keys", "show", "ed25519", "--name", NAME, "--witness", "--governance"), 2, "and not both"),
        (("keys", "show", "policy", "--name", NAME, "--witness"), 1, "unencrypted PEM key"),
        (("keys", "show", "nowhere", "--name", NAME, "--witness"), 1, "can't read nowhere"),
    ],
)
def test_what_can_not_be_used_is_named(arguments: tuple[str, ...], code: int, words: str, folder: Path) -> None:
    (folder / "policy").write_text("quorum none\n")
    done = run_here(folder, main, *arguments)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
