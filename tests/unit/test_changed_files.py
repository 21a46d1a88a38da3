"""Files that an editor or a transfer changed: told as that, with code 1, and never as misconduct, which is code 3."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog.formats.note import format_vkey
from eventlog_client.cli import main
from eventlog_client.keys import new_key_file
from eventlog_client.monitor import Monitor
from eventlog_client.proofs import parse_proof
from eventlog_client.state import format_state
from tests.support.each import each
from tests.support.memory_log import VKEY as STATE_KEY
from tests.support.memory_log import MemoryLog
from tests.support.processes import run_here
from tests.support.small_log import VKEY, SmallLog, small_log

Change = Callable[[bytes], bytes]
ENDINGS = "its line endings were changed"
CHANGES: dict[str, tuple[Change, str]] = {
    "unix2dos": (lambda data: data.replace(b"\n", b"\r\n"), ENDINGS),
    "the last line's alone": (lambda data: data[:-1] + b"\r\n", ENDINGS),
    "unix2mac": (lambda data: data.replace(b"\n", b"\r"), ENDINGS),
    "a byte order mark": (lambda data: b"\xef\xbb\xbf" + data, "a byte order mark was put before it"),
    "mark and line endings": (lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"), "a byte order mark"),
    "UTF-16 with a mark": (lambda data: data.decode().encode("utf-16"), "it was saved as UTF-16"),
    "UTF-16, big-endian": (lambda data: data.decode().encode("utf-16-be"), "it was saved as UTF-16"),
    "UTF-32": (lambda data: data.decode().encode("utf-32"), "it was saved as UTF-16 or UTF-32"),
    "no last newline": (lambda data: data[:-1], "its last newline is missing"),
    "trailing blanks": (lambda data: data.replace(b"\n", b" \n"), "blanks or empty lines were added"),
    "trailing tabs": (lambda data: data[:-1] + b"\t\n", "blanks or empty lines were added"),
    "an empty line at its end": (lambda data: data + b"\n", "blanks or empty lines were added"),
    "an empty line before it": (lambda data: b"\n" + data, ""),
    "cut in the middle": (lambda data: data[: len(data) // 2], "cut off"),
    "cut after a line": (lambda data: b"".join(data.splitlines(keepends=True)[:-1]), ""),
    "nothing left": (lambda _: b"", ""),
}
"""What is done to a file, and words that must be in the line that says so."""
AS_JSON = {"unix2dos", "the last line's alone", "unix2mac", "no last newline", "trailing tabs"} | {
    "trailing blanks",
    "an empty line at its end",
    "an empty line before it",
}
"""What changes nothing in a JSON text: blanks around its values."""


@pytest.fixture(scope="module")
def log() -> Iterator[SmallLog]:
    with small_log() as log:
        yield log


class Files:
    """Writes a file into a folder and runs the command there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, content: bytes, *arguments: str) -> tuple[int, str, str]:
        (self.folder / "f").write_bytes(content)
        done = run_here(self.folder, main, *arguments)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def with_newline(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


@each("what", CHANGES)
def test_a_bundle_that_was_changed_on_its_way_accuses_nobody(what: str, log: SmallLog, files: Files) -> None:
    change, words = CHANGES[what]
    verify = ("verify-bundle", "f", "--key", VKEY)
    assert files(log.bundle, *verify)[0] == 0
    code, out, err = files(change(log.bundle), *verify)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("eventlog: f: ")
    assert words in err


@each("what", CHANGES)
def test_a_proof_file_and_a_checkpoint_that_were_changed_on_their_way_accuse_nobody(
    what: str, log: SmallLog, files: Files
) -> None:
    change, words = CHANGES[what]
    proof = parse_proof(log.proof()).tlog_proof()
    for data, command in (
        (proof, ("verify-proof", "f", "--key", VKEY)),
        (proof, ("compare", "f", "--key", VKEY)),
        (log.note, ("compare", "f", "--key", VKEY)),
        (log.note, ("compare", "f")),
    ):
        assert files(data, *command)[0] == 0
        code, out, err = files(change(data), *command)
        assert (code, out, err.count("\n")) == (1, "", 1), command
        assert err.startswith("eventlog: f: ")
        assert words in err


@each("what", CHANGES)
def test_json_takes_any_blanks_and_is_told_otherwise(what: str, log: SmallLog, files: Files) -> None:
    change, words = CHANGES[what]
    receipt, proof = with_newline(log.receipt()), with_newline(log.proof())
    tlog = files.folder / "p.tlog-proof"
    tlog.write_bytes(parse_proof(log.proof()).tlog_proof())
    for data, command in (
        (receipt, ("compare", "f")),
        (receipt, ("--url", log.url, "prove", "f", "--key", VKEY)),
        (receipt, ("verify-proof", tlog.name, "--key", VKEY, "--receipt", "f")),
        (proof, ("verify-proof", "f", "--key", VKEY)),
        (proof, ("compare", "f", "--key", VKEY)),
    ):
        code, _, err = files(change(data), *command)
        assert code == (0 if what in AS_JSON else 1), (command, err)
        assert what in AS_JSON or words.replace("its last newline is missing", "") in err


@each("what", CHANGES)
def test_a_state_file_that_was_changed_is_damaged_and_no_misconduct(what: str, files: Files) -> None:
    change, words = CHANGES[what]
    state = format_state(Monitor(MemoryLog().grow(3), "main", [STATE_KEY]).check(None))
    verify = ("verify-log", "http://127.0.0.1:1", "--key", format_vkey(STATE_KEY), "--state", "f")
    if what not in AS_JSON:
        code, _, err = files(change(state), *verify)
        assert (code, err.startswith("eventlog: the state file is damaged: ")) == (1, True), err
        assert words in err


@each("what", ["unix2dos", "a byte order mark", "trailing blanks", "an empty line at its end"])
def test_a_key_is_read_from_a_file_as_editors_leave_it(what: str, log: SmallLog, files: Files) -> None:
    key = CHANGES[what][0](VKEY.encode() + b"\n").decode()
    assert files(log.bundle, "verify-bundle", "f", "--key", key)[0] == 0


@each("what", ["a byte order mark", "UTF-16 with a mark", "UTF-16, big-endian", "cut in the middle"])
def test_events_that_were_changed_are_told_before_anything_is_sent(what: str, log: SmallLog, files: Files) -> None:
    events = b'{"event_type":"t","source_id":"s","payload":{},"timestamp":"2026-11-23T12:34:56Z"}\n'
    asked = len(log.asked)
    code, out, err = files(CHANGES[what][0](events), "--url", log.url, "append", "--file", "f")
    assert (code, out, err.startswith("eventlog: f, line 1: "), err.count("\n")) == (1, "", True, 1)
    assert len(log.asked) == asked


@each("what", CHANGES)
def test_a_key_file_works_or_is_refused_in_one_line(what: str, files: Files) -> None:
    path = files.folder / what.replace("/", "")
    new_key_file(path)
    pem = path.read_bytes()
    show = ("keys", "show", "f", "--name", "example.com/log/main")
    good = files(pem, *show)
    assert good[0] == 0
    found = files(CHANGES[what][0](pem), *show)
    assert found == good or (found[0], found[1], found[2].count("\n")) == (1, "", 1)


@each("kind", ["bundle", "proof", "note", "json"])
def test_what_was_forged_is_misconduct_still(kind: str, log: SmallLog, files: Files) -> None:
    # Another payload, another leaf, another root: each well written, and none of it what was signed.
    tlog = parse_proof(log.proof()).tlog_proof()
    other = SmallLog(log.events[:2])
    forged, command = {
        "bundle": (log.bundle.replace("ü".encode(), "ö".encode(), 1), ("verify-bundle", "f")),
        "proof": (tlog.replace(b"index 0", b"index 1"), ("verify-proof", "f")),
        "note": (log.note.replace(b"\n3\n", b"\n4\n"), ("compare", "f")),
        "json": (with_newline(log.proof() | {"root": other.proof()["root"]}), ("verify-proof", "f")),
    }[kind]
    code, _, err = files(forged, *command, "--key", VKEY)
    assert (code, "does not verify" in err) == (3, True)
    # And of damage after what is forged nothing becomes better.
    if kind == "bundle":
        assert files(forged[:-30], *command, "--key", VKEY)[0] == 3
