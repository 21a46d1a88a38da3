"""A witness's memory in a directory on one machine.

    <hash of the origin line>.log     its verifier keys, one a line; written by ``add_log`` alone
    <hash>.note                       what was cosigned last, as it is served; empty at first
    <hash>.lock                       locked (flock) while .note or .log is replaced
    evidence/<hash>/<name>            a request that contradicts, and <name>.held: what was held then

The directory must be on a file system with working locks: a local one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventlog.files import create_file, make_directory, write_file
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.witness_protocol import origin_hash
from eventlog.witness.state import MAX_KEPT, Held, StateLostError, parse_keys

_PRIVATE = 0o600
_READABLE = 0o644


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """A ``WitnessState`` in this directory, for any number of processes on this machine."""

    directory: Path

    def add_log(self, key: VerifierKey) -> bool:
        """Begin to trust a log's key; return False if it is trusted already.

        Of a new log the state begins at size 0. What is held of a known log stays as it is, so a log is trusted on
        first use once: not even an operator who adds it again makes the witness forget.

        Raises:
            StateLostError: the log is known, and what was cosigned last of it is gone.
        """
        # The note before the keys: until these are there the log is unknown, so that a crash in between leaves an
        # empty state that nobody could have used.
        origin = key.name
        make_directory(self.directory)
        with self._locked(origin):
            known = self.keys(origin)
            if known:
                self.read(origin)
            else:
                create_file(self._path(origin, "note"), b"", _READABLE)
            if key in known:
                return False
            lines = "".join(f"{format_vkey(each)}\n" for each in (*known, key))
            write_file(self._path(origin, "log"), lines.encode(), _READABLE)
        return True

    def origins(self) -> list[str]:
        """Return the origin lines of the known logs, sorted."""
        return sorted(_parse_keys(path)[0].name for path in self.directory.glob("*.log"))

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys that are trusted for an origin line; none if it is unknown."""
        try:
            return _parse_keys(self._path(origin, "log"))
        except FileNotFoundError:
            return ()

    def read(self, origin: str) -> Held:
        """Return what is held of a known log.

        Raises:
            StateLostError: it is gone.
        """
        try:
            note = self._path(origin, "note").read_bytes()
        except FileNotFoundError as error:
            raise StateLostError(f"what was cosigned last of {origin} is gone") from error
        return Held(note, note)

    def swap(self, origin: str, version: bytes, note: bytes) -> bool:
        """Replace what is held, if it is still this version; return whether it was replaced."""
        # The lock goes with the process, however that ends, and the file is replaced as a whole: after a crash either
        # the old note is there or the new one.
        with self._locked(origin):
            if self.read(origin).version != version:
                return False
            write_file(self._path(origin, "note"), note, _READABLE)
        return True

    def keep(self, origin: str, name: str, request: bytes, held: bytes) -> None:
        """Keep a request that contradicts what is held, with what was held, under a name."""
        # Two at the same time may make it one too many, which harms nobody.
        folder = self.directory / "evidence" / origin_hash(origin)
        kind = name.partition("-")[0]
        if sum(1 for _ in folder.glob(f"{kind}-*.held")) < MAX_KEPT and create_file(folder / name, request, _PRIVATE):
            create_file(folder / f"{name}.held", held, _PRIVATE)

    def _path(self, origin: str, kind: str) -> Path:
        return self.directory / f"{origin_hash(origin)}.{kind}"

    @contextmanager
    def _locked(self, origin: str) -> Iterator[None]:
        import fcntl  # noqa: PLC0415  not on Windows, where no witness runs

        descriptor = os.open(self._path(origin, "lock"), os.O_RDWR | os.O_CREAT, _PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _parse_keys(path: Path) -> tuple[VerifierKey, ...]:
    return parse_keys(path.stem, path.read_bytes())
