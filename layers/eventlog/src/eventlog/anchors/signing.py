"""What signs checkpoints: a key file on one machine, a key in AWS KMS in the cloud. Only Ed25519 (RFC 8032)."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
    load_pem_private_key,
)

from eventlog.files import create_file
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer, VerifierKey
from eventlog.store.errors import SigningError

MAX_KMS_MESSAGE = 4096
"""Bytes that KMS signs as they are; a checkpoint and its seal have a few hundred."""
_MAX_KEY_FILE = 1 << 16


class KeyFile:
    """``Signer`` whose key is in a file: PEM, PKCS #8, not encrypted, readable by its owner only.

    The file is read on first use. Raises SigningError if it can't be used.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    @property
    def public_key(self) -> bytes:
        """See ``Signer.public_key``."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """See ``Signer.sign``."""
        return self._key.sign(message)

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        try:
            key = load_pem_private_key(_read_private(self._path), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SigningError(f"the key file {self._path} can't be read: {_reason(error)}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningError(f"the key file {self._path} does not hold an Ed25519 key")
        return key


class KmsKey:
    """``Signer`` whose key never leaves AWS KMS (key spec ECC_NIST_EDWARDS25519); its public key is asked for once.

    Raises SigningError if KMS does not answer, refuses, or signs wrongly.
    """

    def __init__(self, client: Any, key_id: str) -> None:
        self._client, self._key_id = client, key_id

    @cached_property
    def public_key(self) -> bytes:
        """See ``Signer.public_key``; KMS is asked once, and again after a signature that did not verify."""
        with _mapped(self._key_id):
            der = self._client.get_public_key(KeyId=self._key_id)["PublicKey"]
        try:
            key = load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SigningError(f"KMS key {self._key_id}: its public key can't be read") from error
        if not isinstance(key, Ed25519PublicKey):
            raise SigningError(f"KMS key {self._key_id} is not of spec ECC_NIST_EDWARDS25519")
        return key.public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """See ``Signer.sign``; what KMS returns is verified first, and a long message is refused."""
        if len(message) > MAX_KMS_MESSAGE:
            raise SigningError(f"KMS signs at most {MAX_KMS_MESSAGE} bytes, not {len(message)}")
        with _mapped(self._key_id):
            answer = self._client.sign(
                KeyId=self._key_id, Message=message, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
            )
        signature: bytes = answer["Signature"]
        self._check(message, signature)
        return signature

    def _check(self, message: bytes, signature: bytes) -> None:
        """Verify what KMS has signed: an anchor can't be taken back, so none is made of a wrong signature."""
        try:
            VerifierKey("kms", self.public_key).verify(message, signature)
        except EvidenceError as error:
            del self.public_key  # an alias may have been moved to another key
            raise SigningError(f"KMS key {self._key_id}: the signature is not valid under its public key") from error


def open_signer(spec: str) -> Signer:
    """Open the key ``kms:<key id, ARN or alias>``, or the one in a file.

    Raises:
        SigningError: there is no client for KMS. A file is only read when it is used.
    """
    # A path with this prefix can still be named, as ./kms:...
    if not spec.startswith("kms:"):
        return KeyFile(spec)
    import boto3  # noqa: PLC0415  200 ms, and a machine with a key file need not have it
    from botocore.config import Config  # noqa: PLC0415

    retries: Any = {"mode": "standard", "total_max_attempts": 3}
    key_id = spec.removeprefix("kms:")
    with _mapped(key_id):
        client = boto3.client("kms", config=Config(connect_timeout=3, read_timeout=5, retries=retries))
    return KmsKey(client, key_id)


def create_key_file(path: Path | str) -> bool:
    """Make a new key for ``KeyFile``, readable by its owner only; False if there is something at this path.

    Raises:
        SigningError: the file can't be made.
    """
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        return create_file(Path(path), pem, 0o600)
    except OSError as error:
        raise SigningError(f"the key file {path} can't be made: {_reason(error)}") from error


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise SigningError(f"the key file {path} can be used by others than its owner; run: chmod 600 {path}")
        return file.read(_MAX_KEY_FILE)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is not an unencrypted private key in PEM"


@contextmanager
def _mapped(key_id: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  with boto3, see open_signer

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        raise SigningError(f"KMS key {key_id}: {code} in {error.operation_name}") from error
    except BotoCoreError as error:
        raise SigningError(f"KMS key {key_id}: {type(error).__name__}") from error
