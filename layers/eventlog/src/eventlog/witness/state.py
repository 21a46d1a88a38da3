"""What a witness has to remember, as a contract: which logs it knows, and of each what it cosigned last."""

from dataclasses import dataclass
from typing import Protocol

from eventlog.formats.checkpoint import parse_checkpoint
from eventlog.formats.cosignature import cosigned_at
from eventlog.formats.merkle import EMPTY_ROOT
from eventlog.formats.note import VerifierKey, parse_note, parse_vkey
from eventlog.formats.witness_protocol import origin_hash

MAX_KEPT = 100
"""Requests of one kind that are kept of one log."""


class StateLostError(Exception):
    """What is remembered of a log is gone or unreadable; the witness must not cosign for it any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """What was cosigned last of a log: the note with the cosignatures, or nothing at first (size 0).

    ``version`` names this very state to ``WitnessState.swap``.
    """

    note: bytes
    version: bytes

    def head(self) -> tuple[int, bytes]:
        """Return size and root of the last cosigned tree.

        Raises:
            EvidenceError: the note is damaged.
        """
        if not self.note:
            return 0, EMPTY_ROOT
        checkpoint = parse_checkpoint(parse_note(self.note).text)
        return checkpoint.size, checkpoint.root

    def time(self, name: str) -> int:
        """Return the newest time in a cosignature of this witness, in seconds since 1970; 0 if there is none.

        Raises:
            EvidenceError: the note is damaged.
        """
        lines = parse_note(self.note).signatures if self.note else ()
        return max((cosigned_at(line.value) or 0 for line in lines if line.name == name), default=0)


class WitnessState(Protocol):
    """A witness's memory. All methods may raise OSError: it can't be reached now; and StateLostError: it is damaged.

    It must not be a part of what is witnessed, nor be restored from a backup: a witness that has forgotten something
    cosigns what contradicts it.
    """

    def origins(self) -> list[str]:
        """Return the origin lines of the known logs, sorted."""
        ...

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys that are trusted for an origin line; none if it is unknown."""
        ...

    def read(self, origin: str) -> Held:
        """Return what is held of a known log.

        Raises:
            StateLostError: it is gone.
        """
        ...

    def swap(self, origin: str, version: bytes, note: bytes) -> bool:
        """Replace what is held, if it is still this version; return whether it was replaced.

        Of any number of callers at once, one wins. The new state is durable when this returns True.
        """
        ...

    def keep(self, origin: str, name: str, request: bytes, held: bytes) -> None:
        """Keep a request that contradicts what is held, with what was held, under a name; at most so many of a kind.

        The kind is the name up to the first ``-``. What is there under that name already stays.
        """
        ...


def parse_keys(name: str, data: bytes) -> tuple[VerifierKey, ...]:
    """Read the keys of a known log, one a line and one at least; ``name`` is the hash of its origin line.

    Raises:
        StateLostError: they are damaged, or not those of this log.
    """
    try:
        keys = tuple(map(parse_vkey, data.decode().splitlines()))
    except ValueError as error:  # EvidenceError is one, and so is what is not UTF-8
        raise StateLostError(f"the keys in {name}.log are damaged: {error}") from error
    if not keys or any(origin_hash(key.name) != name for key in keys):
        raise StateLostError(f"the keys in {name}.log are not those of its log")
    return keys
