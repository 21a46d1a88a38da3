"""A witness's private keys: PKCS#8 PEM (RFC 5958), Ed25519 (RFC 8410) or ML-DSA-44 (RFC 9881)."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from eventlog.formats.cosignature import COSIGNATURE_ED25519, ML_DSA_44, parse_cosigner_vkey
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey, format_vkey

WitnessPrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A private key under a witness's name: a ``formats.cosignature.Cosigner``."""

    key: VerifierKey
    private: WitnessPrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self.private.sign(message)


def witness_key(private: WitnessPrivateKey, name: str) -> WitnessKey:
    """Put a private key under a witness's name.

    Raises:
        EvidenceError: no key can have this name, or none that cosigns: it is empty, too long, or has blanks in it.
    """
    kind = ML_DSA_44 if isinstance(private, MLDSA44PrivateKey) else COSIGNATURE_ED25519
    key = VerifierKey(name, private.public_key().public_bytes_raw(), kind)
    # As others will parse it, as the name may be one that no key can have.
    parse_cosigner_vkey(format_vkey(key))
    if len(name.encode()) > 255:
        raise EvidenceError("a witness's name has at most 255 bytes")
    return WitnessKey(key, private)


def load_witness_key(pem: bytes, name: str) -> WitnessKey:
    """Read a private key.

    Raises:
        EvidenceError: it is not an unencrypted Ed25519 or ML-DSA-44 key, or no key can have this name.
    """
    try:
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise EvidenceError("it is not an unencrypted PEM key") from error
    if not isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise EvidenceError("it is neither an Ed25519 nor an ML-DSA-44 key")
    return witness_key(private, name)
