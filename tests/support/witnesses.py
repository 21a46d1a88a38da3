"""Witnesses for tests: keys from seeds, and checkpoints with their cosignatures."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eventlog.formats.cosignature import cosign
from eventlog.formats.note import Note, format_note, format_vkey, parse_note
from eventlog.witness.keys import WitnessKey, witness_key


def ed25519(name: str, seed: bytes | int = 1) -> WitnessKey:
    """A witness's Ed25519 key."""
    seed = bytes([seed]) * 32 if isinstance(seed, int) else seed
    return witness_key(Ed25519PrivateKey.from_private_bytes(seed), name)


def ml_dsa(name: str, seed: bytes | int = 1) -> WitnessKey:
    """A witness's ML-DSA-44 key."""
    seed = bytes([seed]) * 32 if isinstance(seed, int) else seed
    return witness_key(MLDSA44PrivateKey.from_seed_bytes(seed), name)


def pem(key: WitnessKey) -> bytes:
    """A key file's content."""
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def cosigned(note: bytes, time: int, *keys: WitnessKey) -> bytes:
    """A signed checkpoint with a cosignature of each key added."""
    parsed = parse_note(note)
    return format_note(Note(parsed.text, (*parsed.signatures, *cosign(parsed.text, time, keys))))


def policy(quorum: str, *keys: WitnessKey, needed: str = "all") -> bytes:
    """A policy of witnesses w0, w1 and so on, in one group of this name."""
    names = [f"w{n}" for n in range(len(keys))]
    lines = [f"witness {name} {format_vkey(key.key)}\n" for name, key in zip(names, keys, strict=True)]
    return f"{''.join(lines)}group {quorum} {needed} {' '.join(names)}\nquorum {quorum}\n".encode()
