r"""Anchors: checkpoints numbered, dated and linked, as they are kept outside the database.

An anchor is a signed checkpoint with one more signature line, the *seal*, by the same key under the same name:

    signature = uint64_be(number) || uint64_be(time) || previous || Ed25519 over the message
    message   = "eventlog/anchor/v1\nnumber <number>\ntime <time>\nprevious <hex>\n" || the checkpoint's text

of type 0xff "eventlog/anchor/v1" (C2SP signed-note, "Signature types"). So every anchor is a standard checkpoint:
readers that know nothing of seals ignore the extra line. ``number`` counts a chain's anchors from 1, ``time`` is
milliseconds since 1970, ``previous`` the SHA-256 of the anchor before it (zeros for the first).

Before a key signs anything, the message itself is stored in the anchor's place as its *claim*. From then on nothing
else is ever signed for that place.

Specified in docs/formats/checkpoint-and-seal.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from eventlog.formats.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    format_checkpoint,
    parse_checkpoint,
    parse_decimal,
    verify_checkpoint,
)
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, Signature, Signer, VerifierKey, format_note, sign_note
from eventlog.formats.times import MAX_MILLIS

KIND = b"\xffeventlog/anchor/v1"
NO_ANCHOR = bytes(32)
"""``previous`` of the first anchor."""
_HEAD = 8 + 8 + 32


@dataclass(frozen=True, slots=True)
class Seal:
    """An anchor's place in its chain's anchors."""

    number: int
    time: int
    previous: bytes

    def message(self, text: str) -> bytes:
        """Return the message that the seal signs."""
        head = f"eventlog/anchor/v1\nnumber {self.number}\ntime {self.time}\nprevious {self.previous.hex()}\n"
        return (head + text).encode()

    def head(self) -> bytes:
        """Return the 48 bytes that stand before the signature in the seal's line."""
        return self.number.to_bytes(8, "big") + self.time.to_bytes(8, "big") + self.previous


@dataclass(frozen=True, slots=True)
class Anchor:
    """A verified anchor: its bytes in ``data``, and the keys that signed it, the one that sealed it first."""

    checkpoint: Checkpoint
    seal: Seal
    data: bytes
    keys: tuple[VerifierKey, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the anchor: ``previous`` of the next one."""
        return sha256(self.data).digest()


def sign_anchor(checkpoint: Checkpoint, seal: Seal, signers: Sequence[Signer]) -> bytes:
    """Sign a checkpoint by each signer and seal it by the first: the anchor's bytes."""
    text, name = format_checkpoint(checkpoint), checkpoint.origin
    note = sign_note(text, name, signers)
    key = VerifierKey(name, signers[0].public_key, KIND)
    line = Signature(name, key.key_id, seal.head() + signers[0].sign(seal.message(text)))
    return format_note(Note(text, (*note.signatures, line)))


def parse_claim(data: bytes) -> tuple[Checkpoint, Seal]:
    """Read a seal's message; it is accepted only as ``Seal.message`` writes it.

    Raises:
        EvidenceError: it is written in any other way.
    """
    # Five parts: the fixed first line, three fields, and the checkpoint's text, which has newlines of its own.
    try:
        head, *fields, text = data.decode().split("\n", 4)
    except (UnicodeDecodeError, ValueError) as error:
        raise EvidenceError("the claim is not the text of an anchor") from error
    names = [field.partition(" ")[0] for field in fields]
    if head != "eventlog/anchor/v1" or names != ["number", "time", "previous"]:
        raise EvidenceError("the claim is not the text of an anchor")
    number, time, previous = (field.partition(" ")[2] for field in fields)
    try:
        seal = Seal(parse_decimal(number, "the number"), parse_decimal(time, "the time"), bytes.fromhex(previous))
    except ValueError as error:
        raise EvidenceError("the claim's number, time or previous hash is malformed") from error
    _check_range(seal)
    checkpoint = parse_checkpoint(text)
    # fromhex takes upper case and blanks, so writing the claim again is what makes its form the only one accepted.
    if len(seal.previous) != 32 or seal.message(format_checkpoint(checkpoint)) != data:
        raise EvidenceError("the claim is not as an anchor's text is written")
    return checkpoint, seal


def verify_anchor(data: bytes, public_keys: Sequence[bytes]) -> Anchor:
    """Read an anchor, signed and sealed by one of these Ed25519 public keys under its own origin line.

    Raises:
        EvidenceError: it is malformed, a signature is wrong, or none of the keys sealed it.
    """
    # The keys' names are not known yet: it is the origin line that names them, and that is read first.
    unnamed = [VerifierKey("", public) for public in public_keys]
    checkpoint, note = _verified(data, unnamed)
    signed = [VerifierKey(checkpoint.origin, key.public_key) for key in unnamed]
    signed = [key for key in signed if key.signature_in(note) is not None]
    # A key that only cosigned has no seal line; the first that sealed is enough, as one anchor has one seal.
    for key in signed:
        sealing = VerifierKey(key.name, key.public_key, KIND)
        line = sealing.signature_in(note)
        if line is not None:
            seal = _parse_seal(line)
            sealing.verify(seal.message(format_checkpoint(checkpoint)), line[_HEAD:])
            others = [other for other in signed if other != key]
            return Anchor(checkpoint, seal, data, (key, *others))
    raise EvidenceError("the anchor is not sealed by a key that is known here")


def _verified(data: bytes, unnamed: Sequence[VerifierKey]) -> tuple[Checkpoint, Note]:
    """Return the checkpoint of an anchor, which must be signed under its own name and have exactly three lines."""
    name = data.partition(b"\n")[0].decode(errors="replace")
    checkpoint, note = verify_checkpoint(data, [VerifierKey(name, key.public_key) for key in unnamed])
    if note.text != format_checkpoint(checkpoint):
        raise EvidenceError("an anchor's checkpoint has three lines")
    return checkpoint, note


def _parse_seal(line: bytes) -> Seal:
    if len(line) != _HEAD + 64:
        raise EvidenceError("the seal has another length")
    seal = Seal(int.from_bytes(line[:8], "big"), int.from_bytes(line[8:16], "big"), line[16:_HEAD])
    _check_range(seal)
    return seal


def _check_range(seal: Seal) -> None:
    if not 1 <= seal.number <= MAX_SIZE or seal.time > MAX_MILLIS:
        raise EvidenceError("the seal's number or time is out of range")
