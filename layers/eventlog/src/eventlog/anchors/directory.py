"""Anchors in a directory: for one machine, and for tests."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.anchors.store import MAX_READ, check_names, is_name, names
from eventlog.files import create_file
from eventlog.store.errors import AnchorsUnavailableError

_ODD = {errno.ELOOP, errno.ENXIO}


class DirectoryAnchors:
    """``AnchorStore`` in files ``<path>/<chain>/<key>``, read-only once they exist; for one machine.

    A directory that does not exist is an empty store. Anyone who may write to it can remove or replace files.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def beside(self, folder: str) -> "DirectoryAnchors":
        """See ``AnchorPlace.beside``."""
        return DirectoryAnchors(self._path / folder)

    def chains(self) -> Iterator[str]:
        """See ``AnchorStore.chains``: the directories that hold an object."""
        with _mapped():
            found = names(entry.name for entry in _scan(self._path) if entry.is_dir())
            yield from (name for name in found if any(self.keys(name)))

    def keys(self, chain: str, after: str = "") -> Iterator[str]:
        """See ``AnchorStore.keys``: the names of the files in the chain's directory."""
        if not is_name(chain):
            return
        with _mapped():
            yield from sorted(key for key in names(entry.name for entry in _scan(self._path / chain)) if key > after)

    def read(self, chain: str, key: str) -> bytes | None:
        """See ``AnchorStore.read``."""
        if not (is_name(chain) and is_name(key)):
            return None
        with _mapped():
            return _read(self._path / chain / key)

    def pack_of(self, chain: str, key: str) -> int | None:  # noqa: ARG002  there are none
        """See ``AnchorStore.pack_of``."""
        return None

    def create(self, chain: str, key: str, data: bytes) -> bool:
        """See ``AnchorStore.create``; the file is read-only from the start."""
        check_names(chain, key)
        with _mapped():
            return create_file(self._path / chain / key, data, 0o444)


def _scan(directory: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _read(path: Path) -> bytes | None:
    """Read a regular file; empty for a symbolic link, a directory, a pipe and other things that are not a file.

    None if nothing is there. Anyone who may write to the directory could put such a thing there, to make a reader hang
    or read another file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _ODD:
            return b""
        raise
    try:
        # Opening without blocking has let a pipe or a directory through.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_READ)
    finally:
        os.close(descriptor)


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AnchorsUnavailableError(f"anchors: {error.strerror}: {error.filename}") from error
