"""The keys that order erasures in the drill."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class MemoryKey:
    """A governance key of this run alone."""

    _private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public_key(self) -> bytes:
        """See ``Signer``."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """See ``Signer``."""
        return self._private.sign(message)


GOVERNANCE, STRANGER = MemoryKey(), MemoryKey()
"""The log's own, and one that nobody trusts."""
