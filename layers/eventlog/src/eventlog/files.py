"""Writes whole files that are durable when the call returns: new ones exclusively, or in place of an old one."""

import errno
import os
import tempfile
from pathlib import Path

TEMPORARY = ".tmp-"
"""Prefix of unfinished files; a crash may leave one behind."""
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


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Put a file with these permissions in place of whatever is there; a reader sees the old one or the new one.

    Raises:
        OSError: the new file can't be written; the old one stays.
    """
    make_directory(path.parent)
    # The contents reach the disk before the name does, and the name before the call returns. So a crash leaves the old
    # file or the new one, never a part.
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        _write(descriptor, data, mode)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink()
        raise
    _sync(path.parent)


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
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
