"""Signed notes and verifier keys (C2SP signed-note): text that one or more keys have signed.

    note = text, a blank line, one signature line or more: "— " name " " base64(key id || signature)
    key id = SHA-256(name || 0x0A || type || public key)[:4]
    verifier key (vkey) = name "+" hex(key id) "+" base64(type || public key)

Here Ed25519 alone (RFC 8032). Type 0x01 signs the text as it is; for cosignatures see ``cosignature.py``.

Specified in docs/formats/checkpoint-and-seal.md.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from eventlog.formats.ed25519 import check_public_key
from eventlog.formats.errors import EvidenceError

ED25519 = b"\x01"
MAX_NOTE = 1 << 20
MAX_SIGNATURES = 64
_DASH = "— "
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]+")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class Signer(Protocol):
    """Signs with an Ed25519 private key."""

    @property
    def public_key(self) -> bytes:
        """32 bytes (RFC 8032)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return 64 bytes (RFC 8032); the same message always gets the same signature."""
        ...


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the signer's claimed name, the key id, and the signature."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; nothing in it is verified. ``text`` ends with a newline."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name, for one type of signature: Ed25519, but for ``cosignature.ML_DSA_44``."""

    name: str
    public_key: bytes
    kind: bytes = ED25519

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name || 0x0A || type || public key), which signature lines begin with."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public_key).digest()[:4]

    def signature_in(self, note: Note) -> bytes | None:
        """Return what this key's line in the note holds after the key id; None if it has no line there.

        Raises:
            EvidenceError: the key has two lines.
        """
        values = [s.value for s in note.signatures if s.name == self.name and s.key_id == self.key_id]
        if len(values) > 1:
            raise EvidenceError(f"the note has two signatures of the key {self.name}")
        return values[0] if values else None

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature.

        Raises:
            EvidenceError: the signature is not this key's, or the key must not be trusted (``ed25519``).
        """
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  20 ms that appends and queries don't need
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        check_public_key(self.public_key)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise EvidenceError(f"the signature of {self.name} is not valid") from error


def is_key_name(name: str) -> bool:
    """Return whether a key, and so a log, can have this name: not empty, no blank, plus sign or control character."""
    return _NAME.fullmatch(name) is not None


def format_vkey(key: VerifierKey) -> str:
    """Write a verifier key."""
    material = base64.b64encode(key.kind + key.public_key).decode()
    return f"{key.name}+{key.key_id.hex()}+{material}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key of type 0x01.

    Raises:
        EvidenceError: it is malformed, its key id is wrong, or its key must not be trusted (``ed25519``).
    """
    return parse_vkey_of(text, {ED25519: 32}, "an Ed25519 key of type 0x01")


def parse_vkey_of(text: str, sizes: Mapping[bytes, int], what: str) -> VerifierKey:
    """Read a verifier key of one of these types, each with the size of its public keys; ``what`` names them.

    Raises:
        EvidenceError: it is malformed or of another type, its key id is wrong, or its key must not be trusted.
    """
    # A name has no plus sign and base64 may have some, so the first two plus signs are the separators.
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    decoded = decode_base64(material, "the verifier key")
    if not _NAME.fullmatch(name):
        raise EvidenceError("a verifier key begins with a name without blanks and plus signs")
    if len(decoded) - 1 != sizes.get(decoded[:1]):
        raise EvidenceError(f"the verifier key is not {what}")
    # Of the types there are, those with 32 bytes are Ed25519.
    if len(decoded) == 33:
        check_public_key(decoded[1:])
    # The key id is derived, never believed: it is what ties a name to a key.
    key = VerifierKey(name, decoded[1:], decoded[:1])
    if key_id != key.key_id.hex():
        raise EvidenceError("the verifier key's id is not that of its name and key")
    return key


def sign_note(text: str, name: str, signers: Iterable[Signer]) -> Note:
    """Sign a text that ends with a newline with each signer under this name.

    Raises:
        EvidenceError: no key can have this name, so the note could be read in another way than it was meant.
    """
    if not is_key_name(name):
        raise EvidenceError("a key's name has no blanks, control characters or plus signs")
    message = text.encode()
    lines = [Signature(name, VerifierKey(name, s.public_key).key_id, s.sign(message)) for s in signers]
    return Note(text, tuple(lines))


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Check the note's signatures of type 0x01 by these keys; return the keys that signed it, at least one.

    Signatures of other keys are ignored. If a known key's signature is wrong, the whole note is refused.

    Raises:
        EvidenceError: a known key's signature is wrong, or none of the keys signed it.
    """
    # C2SP signed-note, "Verifying": lines of unknown keys are skipped, as witnesses' keys may be unknown here.
    found: list[VerifierKey] = []
    for key in keys:
        signature = key.signature_in(note)
        if signature is not None:
            key.verify(note.text.encode(), signature)
            found.append(key)
    if not found:
        raise EvidenceError("the note is not signed by a key that is known here")
    return found


def format_note(note: Note) -> bytes:
    """Write a note."""
    return f"{note.text}\n{''.join(map(format_signature, note.signatures))}".encode()


def parse_note(data: bytes) -> Note:
    """Read a note; it is accepted only as ``format_note`` writes it.

    Raises:
        EvidenceError: it is written in any other way, is too long, or has too many signatures.
    """
    if len(data) > MAX_NOTE:
        raise EvidenceError(f"the note is longer than {MAX_NOTE} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise EvidenceError("the note is not UTF-8") from error
    if _CONTROL.search(whole):
        raise EvidenceError("the note has a control character")
    # The text may hold blank lines itself, so the last blank line is the one before the signatures.
    text, blank, rest = whole.rpartition("\n\n")
    lines = rest.split("\n")
    if not blank or lines.pop() or not lines:
        raise EvidenceError("a note is a text, a blank line and signature lines that end with a newline")
    if len(lines) > MAX_SIGNATURES:
        raise EvidenceError(f"the note has more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(parse_signature, lines)))


def format_signature(signature: Signature) -> str:
    """Write a signature line, with its newline."""
    return f"{_DASH}{signature.name} {base64.b64encode(signature.key_id + signature.value).decode()}\n"


def parse_signature(line: str) -> Signature:
    """Read a signature line, given without its newline.

    Raises:
        EvidenceError: it is not as ``format_signature`` writes it.
    """
    dash, name, value = line[:2], *line[2:].partition(" ")[::2]
    if dash != _DASH or not _NAME.fullmatch(name):
        raise EvidenceError("a signature line is '— name base64'")
    decoded = decode_base64(value, "a signature")
    if len(decoded) < 5:
        raise EvidenceError("a signature is too short")
    return Signature(name, decoded[:4], decoded[4:])


def decode_base64(text: str, what: str) -> bytes:
    """Decode standard Base 64 (RFC 4648, section 4) in its one canonical form.

    Raises:
        EvidenceError: it is not canonical Base 64; the text names ``what``.
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvidenceError(f"{what} is not Base 64") from error
    if base64.b64encode(decoded).decode() != text:
        raise EvidenceError(f"{what} is not canonical Base 64")
    return decoded
