"""Keys: pinned verifier keys, and Ed25519 key files (PKCS#8 PEM, RFC 5958, readable by their owner alone)."""

from collections.abc import Iterable
from pathlib import Path

from eventlog.files import create_file
from eventlog.formats.errors import EvidenceError
from eventlog.formats.governance_note import KIND, parse_governance_vkey
from eventlog.formats.note import ED25519, VerifierKey, format_vkey, parse_vkey
from eventlog_client.arguments import OneOrMore, names
from eventlog_client.errors import ClientError

_AROUND = " \t\r\n\ufeff"
"""What editors leave around a key that is kept in a file: blanks, line ends of any system, a byte order mark."""


class KeyFileError(ClientError):
    """A key file can't be made or read."""


def pinned(keys: OneOrMore) -> tuple[VerifierKey, ...]:
    """Read verifier keys as they are written in configuration.

    Raises:
        EvidenceError: a text that is not a vkey of type 0x01.
    """
    return tuple(dict.fromkeys(parse_vkey(text.strip(_AROUND)) for text in names(keys, "key")))


def chain_of(origin: str) -> str:
    """Return the chain of an origin line: its last part, without the epoch of a restore.

    Raises:
        EvidenceError: not ``origin/chain`` or ``origin/chain~epoch``.
    """
    log, _, last = origin.rpartition("/")
    if not log or not last:
        raise EvidenceError(f"the origin line {origin!r} names no chain")
    return last.partition("~")[0]


def log_of(origin: str) -> str:
    """Return the log's origin of an origin line: all of it before the chain."""
    return origin.rpartition("/")[0]


def keys_of(keys: Iterable[VerifierKey], chain: str) -> list[VerifierKey]:
    """Return the keys of a chain; a checkpoint of another chain is not evidence about this one."""
    return [key for key in keys if key.name.rpartition("/")[2].partition("~")[0] == chain]


def new_key_file(path: Path, *, ml_dsa: bool = False) -> None:
    """Make an Ed25519 key file, or an ML-DSA-44 one for a witness, that nobody but its owner can read.

    An existing file is left alone.

    Raises:
        KeyFileError: the file exists or can't be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  slow to import
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    # Never in place of another: a key that is overwritten is lost, and nothing can be signed with it again.
    private = MLDSA44PrivateKey.generate() if ml_dsa else Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        if not create_file(path, pem, 0o600):
            raise KeyFileError(f"can't make {path}: File exists")
    except OSError as error:
        raise KeyFileError(f"can't make {path}: {error.strerror}") from error


def vkey_of_file(path: Path, name: str, *, governance: bool = False) -> str:
    """Return the verifier key of a key file (private or public, PEM) under a name, or its one as a governance key.

    Raises:
        KeyFileError: the file can't be read or is not an Ed25519 key, or no key can have this name.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"can't read {path}: {error.strerror}") from error
    # An operator may show the vkey from either half, so both are accepted. In the end it is parsed as others will parse
    # it, as the name may be one that no key can have.
    key: object
    try:
        if b"PRIVATE KEY" in pem:
            key = serialization.load_pem_private_key(pem, None)
        else:
            key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path} is not an unencrypted PEM key") from error
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    if not isinstance(public, Ed25519PublicKey):
        raise KeyFileError(f"{path} is not an Ed25519 key")
    vkey = format_vkey(VerifierKey(name, public.public_bytes_raw(), KIND if governance else ED25519))
    try:
        (parse_governance_vkey if governance else parse_vkey)(vkey)
    except EvidenceError as error:
        raise KeyFileError(f"{name!r} can't be a key's name: {error}") from error
    return vkey


def witness_vkey_of_file(path: Path, name: str) -> str:
    """Return the verifier key of a witness's private key file (PEM) under the witness's name.

    Raises:
        KeyFileError: the file can't be read or is no such key, or no witness can have this name.
    """
    from eventlog.witness.keys import load_witness_key  # noqa: PLC0415

    try:
        return format_vkey(load_witness_key(path.read_bytes(), name).key)
    except OSError as error:
        raise KeyFileError(f"can't read {path}: {error.strerror}") from error
    except EvidenceError as error:
        raise KeyFileError(f"{path} under the name {name!r}: {error}") from error
