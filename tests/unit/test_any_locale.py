"""What is stored is shown in every locale and through every pipe: as characters or as escapes, with no traceback."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from admin import declaration, token
from admin.declaration import Declaration
from eventlog import console
from eventlog.formats.event_json import format_event
from eventlog_client.cli import main
from tests.support.each import each
from tests.support.processes import ASCII, SECONDS, environment
from tests.support.small_log import TEXT, VKEY, SmallLog, small_log

ESCAPED = r"\u00fc\ud83d\ude00"


@pytest.fixture(scope="module")
def log() -> Iterator[SmallLog]:
    with small_log() as log:
        yield log


def printed(encoding: str, run: Callable[[Sequence[str]], int], *arguments: str) -> tuple[int, bytes, bytes]:
    """The code of a command, and what it writes to streams of an encoding that refuse what they have not."""
    raw = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(stream, encoding=encoding, errors="strict") for stream in raw)
    with patch.object(sys, "stdout", out), patch.object(sys, "stderr", err):
        code = console.run(run, arguments)
        out.flush()
        err.flush()
    return code, raw[0].getvalue(), raw[1].getvalue()


def misbehaving(log: SmallLog) -> tuple[str, ...]:
    """A command that ends with evidence on standard output: the log shows no such chain's events."""
    return ("--url", log.url, "query", "--chain", "other")


@each("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_command_shows_what_is_stored(encoding: str, log: SmallLog, tmp_path: Path) -> None:
    receipt = tmp_path / f"receipt-{TEXT}"
    receipt.write_text(json.dumps(log.receipt()))
    url = ("--url", log.url)
    table: list[tuple[tuple[str, ...], int, bool]] = [
        ((*url, "query"), 0, True),
        ((*url, "audit"), 3, True),
        ((*url, "audit", "--chain", TEXT), 3, True),
        ((*url, "keys", "fetch"), 0, False),
        ((*url, "prove", str(receipt), "--key", VKEY), 0, False),
        (("verify-log", log.url, "--key", VKEY), 0, False),
        (("keys", "new", str(tmp_path / f"{encoding}-{TEXT}")), 0, True),
        (("compare", str(receipt)), 0, False),
    ]
    for arguments, code, shows in table:
        found, out, err = printed(encoding, main, *arguments)
        assert (found, err if arguments[-1] != "fetch" else b"") == (code, b""), arguments
        shown = TEXT if encoding == "utf-8" else (ESCAPED if encoding == "ascii" else "ü" + ESCAPED[6:])
        assert (shown in out.decode(encoding)) == shows, arguments
    for wrong in (
        ("verify-bundle", TEXT, "--key", VKEY),
        (TEXT,),
        (*url, "query", "--order", TEXT, "--type", "\udcff"),
    ):
        found, out, err = printed(encoding, main, *wrong)
        assert (found in {1, 2}, out, err.startswith(b"eventlog: "), err.count(b"\n")) == (True, b"", True, 1)


@each("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_utf_8_or_ascii_in_every_locale(encoding: str, log: SmallLog) -> None:
    code, out, _ = printed(encoding, main, "--url", log.url, "--json", "query")
    events = [json.loads(format_event(event)) for event in log.events]
    assert code == 0
    assert [json.loads(line) for line in out.decode("utf-8").splitlines()] == events
    assert (TEXT.encode() in out) == (encoding == "utf-8")
    assert json.loads(printed(encoding, main, "--url", log.url, "--json", "audit")[1])["findings"][0]["detail"] == TEXT
    code, out, _ = printed(encoding, main, *misbehaving(log))
    assert code == 3
    assert json.loads(out)["evidence"][0]["event_id"] == "e-0"


@each("encoding", ["ascii", "cp437"])
def test_commands_of_operators_print_any_text_too(encoding: str) -> None:
    def command(_: Sequence[str]) -> int:
        print(f"{TEXT}…")
        print(TEXT, file=sys.stderr)
        return 3

    code, out, err = printed(encoding, command)
    assert code == 3
    assert out.decode(encoding) == (rf"{ESCAPED}\u2026" if encoding == "ascii" else rf"ü{ESCAPED[6:]}\u2026") + "\n"
    assert err.decode(encoding).endswith("\\ud83d\\ude00\n")


def test_operators_give_texts_in_a_locale_without_characters(tmp_path: Path) -> None:
    # What such a locale makes of the bytes of an argument.
    given = os.fsencode(TEXT).decode("ascii", "surrogateescape")
    with patch.dict(os.environ, EVENTLOG_TOKENS=str(tmp_path / "tokens")):
        assert printed("ascii", token.main, given, "--scope", "events:read")[0] == 0
    assert json.loads((tmp_path / "tokens").read_text())["tokens"][0]["principal"] == TEXT
    said: list[str] = []

    def run(_: Declaration, *texts: str) -> int:
        said.extend(texts)
        return 0

    def declare(arguments: Sequence[str]) -> int:
        return declaration.main(arguments, run)

    with patch.dict(os.environ):  # which it changes
        assert printed("ascii", declare, "restore", "main", given) == (0, b"", b"")
        refused = printed("ascii", declare, "restore", "main", "\udcff")
    assert said == ["main", TEXT]
    assert refused == (1, b"", b"Nothing was declared: chain and reason must be UTF-8.\n")


def test_a_locale_without_characters_gets_escapes_and_takes_utf_8_as_arguments(log: SmallLog) -> None:
    command = [sys.executable, "-m", "eventlog_client", "--url", log.url, "query", "--type", TEXT]
    done = subprocess.run(command, env=environment(**ASCII), capture_output=True, check=False, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii").count(f'{{"text":"{ESCAPED}"}}') == len(log.events)
    assert log.asked[-1].startswith("GET /api/v1/events?chain=main&event_type=%C3%BC%F0%9F%98%80&")


def test_a_terminal_without_characters_gets_a_table(log: SmallLog) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "eventlog_client", "--url", log.url, "query"]
    with os.fdopen(ours, "rb") as terminal:
        done = subprocess.run(
            command,
            env=environment(**ASCII, COLUMNS="200", TERM="dumb"),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
            timeout=SECONDS,
        )
        shown = os.read(terminal.fileno(), 1 << 16)
        os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ESCAPED.encode() in shown


@each(
    "closed, arguments, code",
    [(">&-", "query", 0), ("<&- >&- 2>&-", "--json audit", 3), ("2>&-", "query --chain o", 3)],
)
def test_streams_that_are_closed_change_nothing(closed: str, arguments: str, code: int, log: SmallLog) -> None:
    command = f"{sys.executable} -m eventlog_client --url {log.url} {arguments} {closed}"
    assert ended(["bash", "-c", command], subprocess.DEVNULL) == (code, b"")


@each("arguments, code", [("query", 0), ("audit", 3), ("query --chain o", 3)])
def test_a_reader_that_leaves_ends_what_only_shows_and_no_verdict(arguments: str, code: int, log: SmallLog) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "eventlog_client", "--url", log.url, *arguments.split()]
    found, err = ended(command, write)
    os.close(write)
    assert (found, err.count(b"\n"), b"misbehaved" in err) == (code, arguments.endswith("o"), arguments.endswith("o"))


def ended(command: list[str], stdout: int) -> tuple[int, bytes]:
    done = subprocess.run(
        command, env=environment(), stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=SECONDS
    )
    return done.returncode, done.stderr


def test_standard_input_that_is_closed_is_told() -> None:
    with patch.object(sys, "stdin", None):
        for arguments in (("append", "--file", "-"), ("append", "--type", "t", "--source", "s", "--payload", "-")):
            assert printed("utf-8", main, *arguments) == (1, b"", b"eventlog: standard input: is closed.\n")
