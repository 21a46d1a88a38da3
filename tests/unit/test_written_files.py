"""Where commands write: a regular file is replaced as a whole, and nothing else is ever put aside."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from admin.token import add_token
from eventlog.files import written
from eventlog.formats.bundle_check import verify_bundle
from eventlog_client.cli import main
from eventlog_client.exports import file_lines
from eventlog_client.keys import pinned
from eventlog_client.monitor import Monitor
from eventlog_client.state import Trusted, read_state, write_state
from tests.support.each import each
from tests.support.memory_log import VKEY as STATE_KEY
from tests.support.memory_log import MemoryLog
from tests.support.processes import SECONDS, environment, run_here
from tests.support.small_log import VKEY, SmallLog, small_log

Write = Callable[[Path], None]


@pytest.fixture(scope="module")
def log() -> Iterator[SmallLog]:
    with small_log() as log:
        yield log


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    return Monitor(MemoryLog().grow(5), "main", [STATE_KEY]).check(None)


@pytest.fixture
def writers(log: SmallLog, trusted: Trusted, tmp_path: Path) -> dict[str, Write]:
    """Everything that puts a file where its user wants it."""
    (tmp_path / "receipt").write_text(json.dumps(log.receipt()))

    def command(*arguments: str) -> None:
        done = run_here(tmp_path, main, "--url", log.url, *arguments)
        assert (done.returncode, done.stderr) == (0, "")

    return {
        "export": lambda path: command("export", str(path)),
        "prove": lambda path: command("prove", "receipt", "--key", VKEY, "--out", str(path)),
        "state": lambda path: write_state(path, trusted),
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"receipt"}


@each("name, new", [("export", 0o640), ("prove", 0o640), ("state", 0o600)])
def test_a_new_file_has_the_umask_s_mode_and_an_old_one_keeps_its_own(
    name: str, new: int, writers: dict[str, Write], tmp_path: Path
) -> None:
    path = tmp_path / name
    before = os.umask(0o027)
    try:
        writers[name](path)
        assert mode(path) == new
        path.chmod(0o606)
        content = path.read_bytes()
        path.write_bytes(b"old")
        writers[name](path)
    finally:
        os.umask(before)
    assert (mode(path), path.read_bytes()) == (0o606, content)
    assert not [found for found in everything_in(tmp_path) if found.startswith(".")]
    path.unlink()


@each("name", ["export", "prove", "state"])
def test_a_link_stays_and_what_it_leads_to_is_written(name: str, writers: dict[str, Write], tmp_path: Path) -> None:
    for target in (tmp_path / f"{name}-old", tmp_path / f"{name}-new"):
        link, other = tmp_path / f"{target.name}-link", tmp_path / f"{target.name}-link-to-link"
        link.symlink_to(target.name)
        other.symlink_to(link)
        if target.name.endswith("old"):
            target.write_text("")
            target.chmod(0o604)
        writers[name](other)
        assert link.is_symlink()
        assert other.is_symlink()
        assert target.stat().st_size > 100


@each("name", ["export", "prove", "state"])
def test_a_fifo_and_a_device_are_written_through(name: str, writers: dict[str, Write], tmp_path: Path) -> None:
    fifo, read = tmp_path / f"{name}-fifo", list[bytes]()
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), name="reader")
    reader.start()
    writers[name](fifo)
    reader.join(SECONDS)
    assert len(read[0]) > 100
    assert fifo.is_fifo()
    null = tmp_path / f"{name}-null"
    null.symlink_to(os.devnull)
    writers[name](null)
    assert null.is_symlink()
    assert Path(os.devnull).is_char_device()


def test_what_a_fifo_got_is_the_whole_bundle(log: SmallLog, writers: dict[str, Write], tmp_path: Path) -> None:
    writers["export"](tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == log.bundle
    assert verify_bundle(file_lines(tmp_path / "b"), pinned(VKEY)).events == 2


@each("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_gets_the_bundle_and_nothing_else_wherever_it_goes(
    path: str, log: SmallLog, tmp_path: Path
) -> None:
    # As ``eventlog export /dev/stdout >> file`` and ``... | cat``: what was in the file before stays.
    command = [sys.executable, "-m", "eventlog_client", "--url", log.url, "export", path]
    kept = tmp_path / "kept"
    kept.write_bytes(b"before\n")
    with kept.open("ab") as file:
        subprocess.run(command, env=environment(), stdout=file, check=True, timeout=SECONDS)
    assert kept.read_bytes() == b"before\n" + log.bundle
    if path == "/dev/stdout":
        piped = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, check=True, timeout=SECONDS)
        assert piped.stdout == log.bundle
        assert Path(path).is_symlink()


def test_a_descriptor_is_written_where_it_stands(tmp_path: Path) -> None:
    # As a file that a shell has open for itself, under the names that it has for it.
    with (tmp_path / "f").open("ab", buffering=0) as file:
        file.write(b"before")
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        for path in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}", str(tmp_path / "link")):
            with written(Path(path)) as through:
                through.write(b" through")
        file.write(b" after")
        assert os.fstat(file.fileno()).st_ino == (tmp_path / "f").stat().st_ino
    assert (tmp_path / "f").read_bytes() == b"before through through through after"
    with pytest.raises(OSError, match="Bad file descriptor"), written(Path("/dev/fd/999")):
        pass


def test_after_an_error_there_is_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    for name in ("f", "new"):
        with pytest.raises(TypeError), written(tmp_path / name) as file:
            file.writelines([b"a half", "no bytes"])  # type: ignore[list-item]
    assert everything_in(tmp_path) == {"f"}
    assert (tmp_path / "f").read_bytes() == b"old"


def test_what_can_not_be_written_is_told_by_its_name(log: SmallLog, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("folder", "loop", "nowhere/b", "receipt/b", "x" * 300):
        (tmp_path / "receipt").write_text("")
        done = run_here(tmp_path, main, "--url", log.url, "export", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"eventlog: {name}: ")
        assert len(done.stderr.splitlines()) == 1
    assert everything_in(tmp_path) == {"folder", "loop"}


def test_what_its_owner_made_read_only_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everything, so who is asked about is not who runs the tests.
    (tmp_path / "f").write_bytes(b"kept")
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (tmp_path / "f", os.W_OK))
    with pytest.raises(PermissionError, match="f"), written(tmp_path / "f"):
        pass
    assert (tmp_path / "f").read_bytes() == b"kept"


def test_a_state_behind_a_link_is_read_and_written_there(trusted: Trusted, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("state")
    assert read_state(tmp_path / "link") is None
    write_state(tmp_path / "link", trusted)
    assert read_state(tmp_path / "state") == read_state(tmp_path / "link") == trusted


def test_a_token_file_behind_a_link_stays_its_owner_s_alone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("tokens")
    for name in ("shop", "desk"):
        add_token(tmp_path / "link", name, ["events:read"], None)
    assert (tmp_path / "link").is_symlink()
    assert mode(tmp_path / "tokens") == 0o600
    assert len(json.loads((tmp_path / "tokens").read_text())["tokens"]) == 2


def test_a_key_is_made_for_its_owner_alone_and_never_over_anything(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    before = everything_in(tmp_path)
    for name in ("link", "fifo", os.devnull):
        done = run_here(tmp_path, main, "keys", "new", name)
        assert (done.returncode, done.stderr) == (1, f"eventlog: can't make {name}: File exists.\n")
    assert everything_in(tmp_path) == before
    assert run_here(tmp_path, main, "keys", "new", "key").returncode == 0
    assert mode(tmp_path / "key") == 0o600


def test_a_reader_that_leaves_ends_an_export_with_one_line(log: SmallLog) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "eventlog_client", "--url", log.url, "export", "-"]
    done = subprocess.run(
        command, env=environment(), stdout=write, stderr=subprocess.PIPE, check=False, timeout=SECONDS
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"eventlog: the reader of - left before the end.\n")
