"""Writes whole files that are durable when the call returns: new ones exclusively, or in place of an old one.

What is no regular file (a fifo, a device, a terminal) is never put aside: it is written through.
"""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO

TEMPORARY = ".tmp-"
"""Prefix of unfinished files; a crash may leave one behind."""
_POSIX = os.name == "posix"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def create_file(path: Path, data: bytes, mode: int) -> bool:
    """Create a file with these permissions, and its directories; return False if the name is taken.

    A reader sees the whole file or none, except on a file system without hard links, where a crash may leave a part.

    Raises:
        OSError: the file or a directory can't be written.
    """
    make_directory(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        _write(descriptor, data, mode)
        created = _link(temporary, path, data, mode)
    finally:
        Path(temporary).unlink()
    # Also if the name was taken: another process may have made the file without its directory entry being on disk yet.
    _sync(path.parent)
    return created


def write_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a whole file, as ``written`` does.

    Raises:
        OSError: it can't be written.
    """
    with written(path, mode) as file:
        file.write(data)


@contextmanager
def written(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Yield what is written to a file that a user named.

    A regular file is replaced as a whole at the end; after an error the old one stays, and a reader never sees a part.
    It keeps its permissions; a new one gets ``mode`` without the umask's bits, as ``open`` makes it. A symbolic link
    stays: the file that it leads to is replaced. Anything else is written as it comes.

    Raises:
        OSError: it can't be written; ``filename`` is the path.
    """
    # Three cases. A name of an open descriptor (/dev/stdout) shares its place in the file, also where a shell sent it
    # to a regular one: replacing that would leave the shell with the old one. Then what is there and is no regular
    # file. Only what is left, a regular file or none, gets its name last. A file whose owner made it read-only is not
    # replaced, though the directory would allow it.
    number = descriptor_of(path)
    if number is not None:
        with os.fdopen(os.dup(number), "wb") as file:
            yield file
        return
    try:
        before = path.stat()
    except FileNotFoundError:  # or a link to a file that is still to be made
        before = None
    if before is not None and not stat.S_ISREG(before.st_mode):
        with os.fdopen(os.open(path, os.O_WRONLY), "wb") as file:
            yield file
        return
    if before is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    with _replacing(path, mode if before is None else stat.S_IMODE(before.st_mode)) as file:
        if before is not None:
            _take_over(file.fileno(), before)
        yield file


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[IO[bytes]]:
    # The name of the temporary file is nobody's concern, so errors about it are told under the path's. A directory may
    # be one that can be written and not read; then only its own entry can't be brought to disk here.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f"{TEMPORARY}{token_hex(8)}")
    with _named(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        with _named(path):
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with suppress(PermissionError):
        _sync(target.parent)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def descriptor_of(path: Path) -> int | None:
    """Return the number of the open descriptor that a path names: /dev/stdout, /dev/fd/3, or a link to one; or None."""
    # /proc/self/fd/1 looks like a link to a file, and may be one to a pipe or to a file without a name. So links are
    # followed one by one, and never beyond this directory; a loop of links ends with the number that Linux allows.
    own = re.compile(rf"/dev/fd|/proc/{os.getpid()}(/task/[0-9]+)?/fd")
    for _ in range(40):
        folder = Path(os.path.realpath(path.parent))
        if path.name.isdecimal() and own.fullmatch(str(folder)):
            return int(path.name)
        if not path.is_symlink():
            return None
        path = folder / path.readlink()
    return None


def make_directory(path: Path) -> None:
    """Make a directory and those above it, and have each entry on disk.

    Raises:
        OSError: a directory can't be made.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o755, exist_ok=True)
    _sync(path.parent)


def _link(temporary: str, path: Path, data: bytes, mode: int) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _create_in_place(path, data, mode)
    return True


def _create_in_place(path: Path, data: bytes, mode: int) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    try:
        _write(descriptor, data, mode)
    except OSError:
        path.unlink()
        raise
    return True


def _write(descriptor: int, data: bytes, mode: int) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if _POSIX:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    if not _POSIX:  # there directories can't be opened, nor need to be
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Give a file the permissions of another and, where that is allowed, its owner."""
    if not _POSIX:
        return
    with suppress(PermissionError):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
