r"""Cosignatures (C2SP tlog-cosignature): what witnesses add to a checkpoint once they saw that it extends the last one.

A cosignature is one more signature line of the checkpoint's note, by a key under the witness's own name:

    signature = uint64_be(time) || the signature of a message, with ``time`` in seconds since 1970

    type 0x04, Ed25519:    message = "cosignature/v1\ntime <time>\n" || the checkpoint's text
    type 0x06, ML-DSA-44:  message = "subtree/v1\n\0" || uint8(n) || the witness's name, n bytes || uint64_be(time)
                                     || uint8(m) || the origin line, m bytes || uint64_be(0) || uint64_be(size) || root

It says: as of ``time`` this is the largest tree of this origin that I have seen, and it extends every other one that I
have seen. ML-DSA-44 is FIPS 204. A message of type 0x06 has no extension lines in it.

Specified in docs/formats/cosignature.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from eventlog.formats.checkpoint import MAX_SIZE, parse_checkpoint, parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, Signature, VerifierKey, parse_vkey_of

COSIGNATURE_ED25519 = b"\x04"
ML_DSA_44 = b"\x06"
PUBLIC_KEY_SIZES = {COSIGNATURE_ED25519: 32, ML_DSA_44: 1312}
_VALUE_SIZES = {COSIGNATURE_ED25519: 8 + 64, ML_DSA_44: 8 + 2420}
_FIRST = "cosignature/v1"
_LABEL = b"subtree/v1\n\0"


class Cosigner(Protocol):
    """Signs as a witness, with one key."""

    @property
    def key(self) -> VerifierKey:
        """The key under the witness's name, of type 0x04 or 0x06."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message: 64 bytes of Ed25519, or 2,420 of ML-DSA-44."""
        ...


@dataclass(frozen=True, slots=True)
class Subtree:
    """What a key of type 0x06 signs. Of a checkpoint, ``start`` is 0 and ``end`` the size."""

    cosigner: str
    time: int
    origin: str
    start: int
    end: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: whose it is, and the time that is in it, in seconds since 1970."""

    key: VerifierKey
    time: int


def parse_cosigner_vkey(text: str) -> VerifierKey:
    """Read a witness's verifier key, of type 0x04 or 0x06.

    Raises:
        EvidenceError: it is malformed or of another type, its key id is wrong, or its key must not be trusted.
    """
    return parse_vkey_of(text, PUBLIC_KEY_SIZES, "a witness's key, of type 0x04 (Ed25519) or 0x06 (ML-DSA-44)")


def format_cosigned(time: int, text: str) -> bytes:
    """Write the message that a key of type 0x04 signs, of a checkpoint's text.

    Raises:
        EvidenceError: the time is out of range.
    """
    _check_time(time)
    return f"{_FIRST}\ntime {time}\n{text}".encode()


def parse_cosigned(data: bytes) -> tuple[int, str]:
    """Read the message that a key of type 0x04 signs; return the time and the checkpoint's text.

    Raises:
        EvidenceError: it is not as ``format_cosigned`` writes it, or the text is no checkpoint.
    """
    try:
        first, time, text = data.decode().split("\n", 2)
    except ValueError as error:
        raise EvidenceError("a cosigned text is two lines and a checkpoint, in UTF-8") from error
    if first != _FIRST or not time.startswith("time "):
        raise EvidenceError(f"a cosigned text begins with the lines {_FIRST} and time")
    parse_checkpoint(text)
    return parse_decimal(time.removeprefix("time "), "the time"), text


def format_subtree(subtree: Subtree) -> bytes:
    """Write the message that a key of type 0x06 signs.

    Raises:
        EvidenceError: a name is empty or over 255 bytes, a number is out of range, or there is a time with a start.
    """
    numbers = subtree.time, subtree.start, subtree.end
    if len(subtree.root) != 32 or not all(0 <= number <= MAX_SIZE for number in numbers) or subtree.start > subtree.end:
        raise EvidenceError("a subtree's time, start and end are below 2^63, its end not before its start")
    # Only of a whole tree can a witness say that it is the largest one it has seen.
    if subtree.start and subtree.time:
        raise EvidenceError("a subtree that does not start at 0 has no time")
    time, start, end = (number.to_bytes(8, "big") for number in numbers)
    return b"".join((_LABEL, _sized(subtree.cosigner), time, _sized(subtree.origin), start, end, subtree.root))


def parse_subtree(data: bytes) -> Subtree:
    """Read the message that a key of type 0x06 signs.

    Raises:
        EvidenceError: it is not as ``format_subtree`` writes it.
    """
    # A message that is cut off gives short slices here, and is then not what is written again.
    label, rest = data[: len(_LABEL)], data[len(_LABEL) :]
    cosigner, rest = _take_sized(rest)
    first, rest = rest[:8], rest[8:]
    origin, rest = _take_sized(rest)
    time, start, end = (int.from_bytes(part, "big") for part in (first, rest[:8], rest[8:16]))
    found = Subtree(cosigner, time, origin, start, end, rest[16:])
    if label != _LABEL or format_subtree(found) != data:
        raise EvidenceError("the message is not that of a subtree")
    return found


def cosign(text: str, time: int, cosigners: Iterable[Cosigner]) -> tuple[Signature, ...]:
    """Cosign a checkpoint's text with each key; ``time`` is in seconds since 1970.

    Raises:
        EvidenceError: the text is no checkpoint, the time is out of range, or a name is too long for ML-DSA-44.
    """
    return tuple(
        Signature(each.key.name, each.key.key_id, time.to_bytes(8, "big") + each.sign(_message(each.key, time, text)))
        for each in cosigners
    )


def cosigned_at(value: bytes) -> int | None:
    """Return the time in what a signature line holds after the key id, or None if it can be no cosignature."""
    time = int.from_bytes(value[:8], "big")
    return time if len(value) in _VALUE_SIZES.values() and time <= MAX_SIZE else None


def verify_cosignatures(note: Note, keys: Iterable[VerifierKey]) -> list[Cosignature]:
    """Check the cosignatures of a checkpoint's note by these keys, in the order of the keys; return those there are.

    Lines of other keys are ignored. If a known key's line is wrong, the whole note is refused (C2SP signed-note).

    Raises:
        EvidenceError: a known key's cosignature is wrong or is there twice, or the note is no checkpoint.
    """
    found: list[Cosignature] = []
    for key in keys:
        value = key.signature_in(note)
        if value is not None:
            found.append(Cosignature(key, _verified(key, note.text, value)))
    return found


def _verified(key: VerifierKey, text: str, value: bytes) -> int:
    if len(value) != _VALUE_SIZES.get(key.kind):
        raise EvidenceError(f"the cosignature of {key.name} has another length")
    time = int.from_bytes(value[:8], "big")
    message = _message(key, time, text)
    if key.kind == ML_DSA_44:
        _verify_ml_dsa(key, message, value[8:])
    else:
        key.verify(message, value[8:])
    return time


def _verify_ml_dsa(key: VerifierKey, message: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415  20 ms, as in ``note``
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415

    # A build of the library on an old OpenSSL has no ML-DSA. What can't be checked doesn't count.
    try:
        MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except UnsupportedAlgorithm as error:
        raise EvidenceError(f"the ML-DSA-44 cosignature of {key.name} can't be checked on this machine") from error
    except (InvalidSignature, ValueError) as error:
        raise EvidenceError(f"the cosignature of {key.name} is not valid") from error


def _message(key: VerifierKey, time: int, text: str) -> bytes:
    checkpoint = parse_checkpoint(text)
    if key.kind == ML_DSA_44:
        return format_subtree(Subtree(key.name, time, checkpoint.origin, 0, checkpoint.size, checkpoint.root))
    return format_cosigned(time, text)


def _check_time(time: int) -> None:
    if not 0 <= time <= MAX_SIZE:
        raise EvidenceError("a cosignature's time is below 2^63")


def _sized(name: str) -> bytes:
    data = name.encode()
    if not 1 <= len(data) <= 255:
        raise EvidenceError("ML-DSA-44 cosignatures take names and origin lines of 1 to 255 bytes")
    return len(data).to_bytes(1, "big") + data


def _take_sized(data: bytes) -> tuple[str, bytes]:
    size = int.from_bytes(data[:1], "big")
    try:
        return data[1 : size + 1].decode(), data[size + 1 :]
    except UnicodeDecodeError as error:
        raise EvidenceError("a name in the message is not UTF-8") from error
