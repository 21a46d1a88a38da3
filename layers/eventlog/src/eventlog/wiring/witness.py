"""What the witness function works with: no database, and nothing of a log of its own."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from eventlog.formats.cosignature import COSIGNATURE_ED25519, Cosigner
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer, VerifierKey
from eventlog.settings import ConfigurationError, listed
from eventlog.store.errors import SigningError
from eventlog.wiring.connection import Wiring
from eventlog.witness.witness import NotSignedError, Witness

if TYPE_CHECKING:
    from eventlog.witness.directory import DirectoryState
    from eventlog.witness.s3 import S3State


@dataclass(frozen=True)
class KmsCosigner:
    """A ``Cosigner`` whose Ed25519 key is in KMS, which is asked for nothing before the key is used."""

    name: str
    signer: Signer

    @cached_property
    def key(self) -> VerifierKey:
        """See ``Cosigner.key``; KMS is asked for the public key once.

        Raises:
            NotSignedError: KMS does not answer.
        """
        try:
            return VerifierKey(self.name, self.signer.public_key, COSIGNATURE_ED25519)
        except SigningError as error:
            raise NotSignedError(str(error)) from error

    def sign(self, message: bytes) -> bytes:
        """See ``Cosigner.sign``.

        Raises:
            NotSignedError: KMS does not answer, or signs wrongly.
        """
        try:
            return self.signer.sign(message)
        except SigningError as error:
            raise NotSignedError(str(error)) from error


class WitnessWiring(Wiring):
    """Cosigns others' checkpoints."""

    @cached_property
    def witness(self) -> Witness:
        """Build the witness.

        Raises:
            ConfigurationError: it has no name, no key or no memory, or a key can't be used.
        """
        settings = self.settings
        if not (settings.witness_name and settings.witness_keys and settings.witness_state):
            raise ConfigurationError("EVENTLOG_WITNESS_NAME, _KEYS and _STATE are all needed for a witness")
        logger = Logger(service="eventlog-witness")
        cosigners = [_cosigner(spec, settings.witness_name) for spec in listed(settings.witness_keys)]
        return Witness(self.state, cosigners, lambda line: logger.warning("witness", extra={"told": line}))

    @cached_property
    def state(self) -> "S3State | DirectoryState":
        """Open the witness's memory: ``s3://bucket[/prefix]``, or a directory."""
        location = self.settings.witness_state
        if not location.startswith("s3://"):
            from eventlog.witness.directory import DirectoryState  # noqa: PLC0415  a function has no directory

            return DirectoryState(Path(location))
        from eventlog.anchors.s3 import connect  # noqa: PLC0415  boto3: 530 ms
        from eventlog.witness.s3 import S3State  # noqa: PLC0415

        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        return S3State(connect(), bucket, prefix)


def _cosigner(spec: str, name: str) -> Cosigner:
    if spec.startswith("kms:"):
        from eventlog.anchors.signing import open_signer  # noqa: PLC0415  cryptography: 35 ms

        return KmsCosigner(name, open_signer(spec))
    from eventlog.witness.keys import load_witness_key  # noqa: PLC0415  as above

    try:
        return load_witness_key(Path(spec).read_bytes(), name)
    except (OSError, EvidenceError) as error:
        raise ConfigurationError(f"EVENTLOG_WITNESS_KEYS: {spec} can't be used") from error
