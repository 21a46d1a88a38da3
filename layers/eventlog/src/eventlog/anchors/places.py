"""Where anchors are kept outside the database: the contract, and a directory that fulfils it."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from eventlog.files import create_file
from eventlog.formats.note import MAX_NOTE
from eventlog.store.errors import AnchorsUnavailableError

MAX_READ = MAX_NOTE + 1
"""Bytes of an object that a read returns at most: one more than a note may have."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,80}")
_ODD = {errno.ELOOP, errno.ENXIO}


class AnchorStore(Protocol):
    """Objects that are created once, under a chain and a key, and never changed.

    Consistency: what ``create`` has made is there for every later call of every process. Of callers that race for one
    key exactly one creates it, and nobody ever sees a part of an object.
    Durability: an object is on disk, or stored by the service, when ``create`` returns, whether it made it or found it.
    Trust: none. Objects may be missing or of any content if somebody tampered with the store: readers verify.
    Names are ``[a-z0-9][a-z0-9._-]{0,80}`` and else mean nothing here; under any other name there is nothing.
    Calls, and iterators while they are read, raise AnchorsUnavailableError if they can't say what is there.
    """

    def chains(self) -> Iterator[str]:
        """The chains that have objects, each once, in any order."""
        ...

    def keys(self, chain: str, after: str = "") -> Iterator[str]:
        """The keys of a chain's objects that come after ``after``, in order (of ASCII)."""
        ...

    def read(self, chain: str, key: str) -> bytes | None:
        """An object, cut to ``MAX_READ`` bytes; empty if what is there is unreadable by its nature; None: not there."""
        ...

    def create(self, chain: str, key: str, data: bytes) -> bool:
        """Create an object. False: there is one, perhaps this very one, if an answer was lost on the way: read it.

        Raises:
            AnchorsUnavailableError: it may be there or not.
            ValueError: no such name can be.
        """
        ...


class DirectoryAnchors:
    """``AnchorStore`` in files ``<path>/<chain>/<key>``, read-only once they exist; for one machine.

    A directory that is not there is an empty store. Whoever may write to the directory can remove or replace files.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def chains(self) -> Iterator[str]:
        with _mapped():
            found = names(entry.name for entry in _scan(self._path) if entry.is_dir())
            yield from (name for name in found if any(self.keys(name)))

    def keys(self, chain: str, after: str = "") -> Iterator[str]:
        if not is_name(chain):
            return
        with _mapped():
            yield from sorted(key for key in names(entry.name for entry in _scan(self._path / chain)) if key > after)

    def read(self, chain: str, key: str) -> bytes | None:
        if not (is_name(chain) and is_name(key)):
            return None
        with _mapped():
            return _read(self._path / chain / key)

    def create(self, chain: str, key: str, data: bytes) -> bool:
        check_names(chain, key)
        with _mapped():
            return create_file(self._path / chain / key, data, 0o444)


def open_anchors(location: str, retention_days: int) -> AnchorStore:
    """The store at ``s3://bucket[/prefix]`` or in a directory; objects in S3 can't be removed for so many days."""
    if not location.startswith("s3://"):
        return DirectoryAnchors(location)
    from eventlog.anchors.s3 import S3Anchors, connect  # noqa: PLC0415  imports boto3

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return S3Anchors(connect(), bucket, prefix, retention_days)


def is_name(name: str) -> bool:
    """Whether it can be the name of a chain or a key."""
    return _NAME.fullmatch(name) is not None


def names(found: Iterable[str]) -> Iterator[str]:
    """Those that can be names: whatever else lies in a store is not ours."""
    return filter(is_name, found)


def check_names(chain: str, key: str) -> None:
    """Let only names through.

    Raises:
        ValueError
    """
    for name in (chain, key):
        if not is_name(name):
            raise ValueError(f"{name[:100]!r} can't be the name of an anchor or its chain")


def _scan(directory: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _read(path: Path) -> bytes | None:
    """A regular file's content; empty for a symbolic link, a directory, a pipe and other things that are not a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _ODD:
            return b""
        raise
    try:
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
