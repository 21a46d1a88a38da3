"""What is particular to anchors in a directory: permissions, crashes, odd files, file systems without hard links."""

import errno
import os
import stat
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.keys import note_key
from eventlog.anchors.walk import AnchorReader, Reached
from eventlog.store.errors import AnchorsUnavailableError


@pytest.fixture
def store(tmp_path: Path) -> DirectoryAnchors:
    return DirectoryAnchors(tmp_path)


def test_a_file_is_where_the_chain_and_the_key_say_and_read_only(store: DirectoryAnchors, tmp_path: Path) -> None:
    store.create("main", "1.note", b"x")
    assert stat.S_IMODE((tmp_path / "main" / "1.note").stat().st_mode) == 0o444


def test_nothing_but_the_object_is_left_of_a_creation(store: DirectoryAnchors, tmp_path: Path) -> None:
    store.create("main", "1.note", b"x")
    store.create("main", "1.note", b"y")
    assert [path.name for path in (tmp_path / "main").iterdir()] == ["1.note"]


def test_of_many_processes_that_race_exactly_one_creates_each_object(store: DirectoryAnchors) -> None:
    keys = [f"{number}.claim" for number in range(50) for _ in range(8)]
    datas = [str(attempt).encode() for attempt in range(len(keys))]
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        won = list(pool.map(store.create, ["main"] * len(keys), keys, datas))
    winners = {key: data for key, data, mine in zip(keys, datas, won, strict=True) if mine}
    assert Counter(won)[True] == len(winners) == 50
    assert {key: store.read("main", key) for key in winners} == winners


def test_a_reader_sees_the_whole_object_or_none(store: DirectoryAnchors) -> None:
    whole = b"x" * 500_000
    keys = [f"{number}.note" for number in range(40)]

    def read_until_there(key: str) -> bytes:
        found = None
        while found is None:
            found = store.read("main", key)
        return found

    with ThreadPoolExecutor(2) as pool:
        seen = pool.map(read_until_there, keys)
        assert all(store.create("main", key, whole) for key in keys)
        assert set(seen) == {whole}


def test_what_a_crash_left_behind_is_ignored(store: DirectoryAnchors, tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / ".tmp-abc").write_bytes(b"half an anch")
    assert (list(store.chains()), list(store.keys("main"))) == ([], [])
    assert store.create("main", "1.note", b"x")
    assert list(store.keys("main")) == ["1.note"]


def test_files_beside_the_chains_are_ignored(store: DirectoryAnchors, tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("not a chain")
    (tmp_path / "empty").mkdir()
    assert list(store.chains()) == []


@pytest.mark.parametrize("odd", ["link", "loop", "nowhere", "directory", "pipe"])
def test_what_is_not_a_file_is_listed_and_reads_as_empty(store: DirectoryAnchors, tmp_path: Path, odd: str) -> None:
    chain = tmp_path / "main"
    chain.mkdir()
    path = chain / "1.note"
    (tmp_path / "secret").write_text("of another file")
    if odd == "directory":
        path.mkdir()
    elif odd == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": tmp_path / "secret", "loop": path, "nowhere": tmp_path / "gone"}[odd])
    assert (list(store.keys("main")), store.read("main", "1.note")) == (["1.note"], b"")
    assert store.create("main", "1.note", b"x") is False


def without_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_without_hard_links_creation_is_exclusive_all_the_same(
    store: DirectoryAnchors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", without_links)
    assert store.create("main", "1.note", b"first")
    assert store.create("main", "1.note", b"second") is False
    assert (store.read("main", "1.note"), list(store.keys("main"))) == (b"first", ["1.note"])
    assert stat.S_IMODE((tmp_path / "main" / "1.note").stat().st_mode) == 0o444


@pytest.mark.parametrize("failing", ["link", "fsync"])
def test_a_failing_disk_leaves_nothing_behind(
    store: DirectoryAnchors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "main").mkdir()
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(AnchorsUnavailableError, match="Input/output error"):
        store.create("main", "1.note", b"x")
    assert list((tmp_path / "main").iterdir()) == []


def test_a_full_disk_without_hard_links_leaves_no_part_of_an_object(
    store: DirectoryAnchors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def fill(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "main").mkdir()
    monkeypatch.setattr(os, "link", without_links)
    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(AnchorsUnavailableError, match="No space left"):
        store.create("main", "1.note", b"x")
    assert list((tmp_path / "main").iterdir()) == []


def test_a_walk_that_is_left_midway_holds_no_thread(store: DirectoryAnchors) -> None:
    """The garbage collector may close it in a thread that is just starting, which can't wait for others."""
    for number in range(1, 4):
        store.create("main", note_key(number), b"no anchor")
    before = threading.active_count()
    steps = AnchorReader(store, "main", [], ["example.com/log"], lambda *_: False).walk(Reached(), [])
    next(steps)
    assert threading.active_count() == before
    steps.close()  # type: ignore[attr-defined]
