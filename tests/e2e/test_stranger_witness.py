"""Others' code on the other side: aics-witness cosigns our checkpoints, and its feeder drives our witness.

It runs as processes of a Python of its own (tools/stranger.py); where there is none, the end of the run says so.
"""

import http.client
import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from eventlog.formats.cosignature import parse_cosigner_vkey
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.witness_protocol import AddCheckpoint, format_request, origin_hash
from eventlog.witness.directory import DirectoryState
from eventlog.witness.witness import WitnessAnswer
from eventlog_client.witness_server import WitnessServer
from tests.support.evidence import LINE
from tests.support.witness_requests import LOG, body, note, proof, verified
from tests.support.witnesses import ed25519
from tools.stranger import VENV

VKEY = format_vkey(LOG)
NAME = "witness.stranger.example/w1"


class Stranger:
    """aics-witness in a folder; ``vkey`` is what it says of itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        init = self.command("init", "--name", NAME, "--listen", "127.0.0.1:0")
        self.vkey: VerifierKey = parse_cosigner_vkey(init.stdout.strip())
        self.command("add-log", "--origin", LINE, "--vkey", VKEY)

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [VENV / "bin/aics-witness", *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        )

    @contextmanager
    def serving(self) -> Iterator["Asked"]:
        """Run it on a port that it chooses itself, until SIGTERM."""
        process = subprocess.Popen(
            [VENV / "bin/aics-witness", "serve"], cwd=self._folder, stderr=subprocess.PIPE, text=True
        )
        with process:
            try:
                assert process.stderr is not None
                lines = iter(process.stderr.readline, "")
                found = next(filter(None, (re.search(r"listening on (http://\S+)", line) for line in lines)))
                parts = urlsplit(found[1])
                connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
                yield Asked(connection)
                connection.close()
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)


class Asked:
    """A witness over HTTP."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def ask(self, data: bytes) -> WitnessAnswer:
        self._connection.request("POST", "/add-checkpoint", data)
        answer = self._connection.getresponse()
        return WitnessAnswer(answer.status, answer.read(), answer.headers["Content-Type"])

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def test_a_stranger_s_witness_cosigns_what_grows_remembers_over_a_restart_and_keeps_what_contradicts(
    tmp_path: Path,
) -> None:
    stranger = Stranger(tmp_path)
    with stranger.serving() as witness:
        for at, size in ((0, 3), (3, 3), (3, 8)):
            verified(witness.ask(body(at, size)), size, stranger.vkey)
        assert witness.ask(body(3, 12)) == WitnessAnswer(409, b"8\n", "text/x.tlog.size")
        assert witness.ask(body(0, 12)) == WitnessAnswer(409, b"8\n", "text/x.tlog.size")
        assert witness.ask(body(8, 12, "another")).status == 422
        assert witness.ask(body(8, 8, "another")).status in {409, 422}
        assert witness.ask(format_request(AddCheckpoint(9, (), note(8)))).status == 400
        unknown = note(8).replace(LINE.encode(), b"unknown.example/main")
        assert witness.ask(format_request(AddCheckpoint(0, (), unknown))).status == 404
        forged = note(8).replace(b"\n8\n", b"\n9\n")
        assert witness.ask(format_request(AddCheckpoint(0, (), forged))).status == 403
    with stranger.serving() as witness:
        verified(witness.ask(body(8, 20)), 20, stranger.vkey)
        status, held = witness.get(f"/{origin_hash(LINE)}/checkpoint")
        assert (status, held.startswith(f"{LINE}\n20\n".encode())) == (200, True)
    assert len(json.loads(stranger.command("evidence").stdout)) == 2
    for path in tmp_path.glob("witness.db*"):
        path.unlink()
    lost = stranger.command("serve", check=False)
    assert lost.returncode == 1, "it never makes a second memory for a key that has cosigned"
    assert "database" in lost.stderr


FEED = """
import json, sys
from base64 import b64decode
from aics_witness import WitnessAhead, WitnessClient, WitnessRejected

given = json.load(sys.stdin)
proofs = {tuple(pair): [b64decode(each) for each in hashes] for pair, hashes in given["proofs"]}
with WitnessClient(given["url"], given["vkey"], max_attempts=1) as client:
    for step in given["steps"]:
        client.known_sizes.update({given["origin"]: step["old"]} if "old" in step else {})
        try:
            print(json.dumps(client.submit(step["note"], lambda old, new: proofs[old, new])))
        except WitnessAhead as error:
            print(json.dumps(["ahead", error.known_size]))
        except WitnessRejected as error:
            print(json.dumps(["rejected", error.status]))
"""


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[WitnessServer]:
    DirectoryState(tmp_path).add_log(LOG)
    with WitnessServer(tmp_path, [ed25519("witness.example/w1", 1)], ("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_stranger_s_feeder_gets_our_cosignatures_and_finds_its_way_after_409(ours: WitnessServer) -> None:
    from base64 import b64encode

    pairs = [(3, 8), (8, 12), (12, 20)]
    steps = [
        {"note": note(3).decode()},
        {"note": note(8).decode()},
        {"note": note(8).decode()},
        {"note": note(12).decode(), "old": 3},  # it has forgotten: 409 says 8, and it goes on from there
        {"note": note(8).decode()},
        {"note": note(12, "another").decode()},
        {"note": note(20).decode()},
    ]
    proofs = [[pair, [b64encode(each).decode() for each in proof(*pair)]] for pair in [*pairs, (3, 12)]]
    vkey = format_vkey(ed25519("witness.example/w1", 1).key)
    done = subprocess.run(
        [VENV / "bin/python", "-c", FEED],
        input=json.dumps({"url": ours.url, "vkey": vkey, "origin": LINE, "proofs": proofs, "steps": steps}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer if isinstance(answer, list) else "cosigned" for answer in answers] == [
        *("cosigned", "cosigned", "cosigned", "cosigned"),
        *(["ahead", 12], ["rejected", 422], "cosigned"),
    ]
    for answer, size in zip(answers, (3, 8, 8, 12, 0, 0, 20), strict=True):
        if size:
            verified(WitnessAnswer(200, answer.encode()), size, parse_cosigner_vkey(vkey))
