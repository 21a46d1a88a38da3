"""The state of a monitor between runs: the newest checkpoint it trusts, and what is needed to extend its tree."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from eventlog.files import create_file, write_file
from eventlog.formats.checkpoint import Checkpoint, parse_decimal, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState
from eventlog.formats.hashing import HASH_SIZE
from eventlog.formats.note import VerifierKey, format_vkey, parse_vkey
from eventlog_client.errors import FileChangedError, StateError
from eventlog_client.given_files import parse_file

VERSION = 1
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Trusted:
    """A checkpoint whose whole tree has been checked: its note, the key that signed it, and the chain's head there."""

    checkpoint: Checkpoint
    note: str
    key: VerifierKey
    head: ChainState


def format_state(trusted: Trusted) -> bytes:
    """Write a state file: one JSON object."""
    value = {
        "version": VERSION,
        "key": format_vkey(trusted.key),
        "origin": trusted.checkpoint.origin,
        "size": str(trusted.checkpoint.size),
        "hash": trusted.head.hash.hex(),
        "frontier": [node.hex() for node in trusted.head.frontier],
        "checkpoint": trusted.note,
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parse_state(data: bytes) -> Trusted:
    """Read a state file; its own checkpoint is verified again, so that no run starts from a damaged file.

    Raises:
        StateError: it is damaged, or of another version.
    """
    # The file is the user's own, but may be damaged or edited. Its frontier must lead to the root that its key signed,
    # or a forged tree could be extended from here.
    try:
        value: dict[str, Any] = parse_file("the state file is damaged", data)
    except FileChangedError as error:
        raise StateError(str(error)) from error
    try:
        if value["version"] != VERSION:
            raise StateError(f"the state file has version {value['version']}, this program reads {VERSION}")
        key = parse_vkey(value["key"])
        checkpoint, _ = verify_checkpoint(value["checkpoint"].encode(), [key])
        size = parse_decimal(value["size"], "the size")
        head = ChainState(size, bytes.fromhex(value["hash"]), [bytes.fromhex(node) for node in value["frontier"]])
    except (EvidenceError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise StateError(f"the state file is damaged: {error}") from error
    hashes = [head.hash, *head.frontier]
    whole = all(len(value) == HASH_SIZE for value in hashes) and len(head.frontier) == size.bit_count()
    if not whole or checkpoint != Checkpoint(value["origin"], size, head.root):
        raise StateError("the state file is damaged: its parts don't belong together")
    return Trusted(checkpoint, value["checkpoint"], key, head)


def read_state(path: Path) -> Trusted | None:
    """Read a state file; None if there is no file yet.

    Raises:
        StateError: it can't be read, is damaged, or of another version.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"can't read {path}: {error.strerror}") from error
    return parse_state(data)


def write_state(path: Path, trusted: Trusted) -> None:
    """Replace the file as a whole; a new one can be read by its owner alone.

    Raises:
        StateError: it can't be written.
    """
    try:
        write_file(path, format_state(trusted), _PRIVATE)
    except OSError as error:
        raise StateError(f"can't write {path}: {error.strerror}") from error


def keep_evidence(beside: Path, value: Any) -> Path:
    """Write evidence into a new file ``<name>.evidence-<n>.json``; earlier evidence stays.

    Raises:
        StateError: it can't be written.
    """
    # The next free number: evidence is never overwritten, also not by another process that runs at the same time.
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    for number in range(1, 10_000):
        path = beside.with_name(f"{beside.name}.evidence-{number}.json")
        try:
            if create_file(path, data, _PRIVATE):
                return path
        except OSError as error:
            raise StateError(f"can't keep the evidence in {path}: {error.strerror}") from error
    raise StateError(f"there is too much evidence beside {beside}")
