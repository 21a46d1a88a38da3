r"""What a log and a witness say to each other (C2SP tlog-witness): the bodies of ``add-checkpoint``.

    request    "old " <size> "\n"          the size that the witness should have cosigned last, 0 at first
               <base64 of a hash> "\n"     the consistency proof from it (RFC 9162), at most 63 hashes
               "\n"
               <the signed checkpoint>
    200        <signature line>...         the witness's cosignatures
    409        <size> "\n"                 what it did cosign last, as ``text/x.tlog.size``

Specified in docs/formats/cosignature.md.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import MAX_SIGNATURES, Signature, decode_base64, format_signature, parse_signature

MAX_REQUEST = 64 << 10
MAX_ANSWER = 64 << 10
MAX_PROOF_HASHES = 63
SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign a checkpoint; nothing in it is verified."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def format_request(request: AddCheckpoint) -> bytes:
    """Write the body of a request."""
    lines = [f"old {request.old}", *(base64.b64encode(value).decode() for value in request.hashes)]
    return "\n".join(lines).encode() + b"\n\n" + request.checkpoint


def parse_request(data: bytes) -> AddCheckpoint:
    """Read the body of a request; it is accepted only as ``format_request`` writes it.

    Raises:
        EvidenceError: it is written in any other way, is too long, or has too many hashes.
    """
    if len(data) > MAX_REQUEST:
        raise EvidenceError(f"the request is longer than {MAX_REQUEST} bytes")
    # No line of the head is empty, so the first empty line ends it. The checkpoint after it has one of its own.
    head, _, checkpoint = data.partition(b"\n\n")
    first, *lines = head.decode("ascii", "replace").split("\n")
    if not first.startswith("old "):
        raise EvidenceError("a request begins with a line 'old <size>'")
    if not checkpoint:
        raise EvidenceError("a request ends with an empty line and a checkpoint")
    if len(lines) > MAX_PROOF_HASHES:
        raise EvidenceError(f"a request has at most {MAX_PROOF_HASHES} hashes")
    hashes = tuple(decode_base64(line, "a hash of the proof") for line in lines)
    if any(len(value) != 32 for value in hashes):
        raise EvidenceError("a hash of the proof must have 32 bytes")
    return AddCheckpoint(parse_decimal(first.removeprefix("old "), "the old size"), hashes, checkpoint)


def format_answer(cosignatures: Iterable[Signature]) -> bytes:
    """Write the body of an answer 200: signature lines."""
    return "".join(map(format_signature, cosignatures)).encode()


def parse_answer(data: bytes) -> tuple[Signature, ...]:
    """Read the body of an answer 200: one signature line or more; none is verified.

    Raises:
        EvidenceError: it is written in any other way, is too long, or has too many lines.
    """
    if len(data) > MAX_ANSWER:
        raise EvidenceError(f"the answer is longer than {MAX_ANSWER} bytes")
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise EvidenceError("the answer is not UTF-8") from error
    if lines.pop() or not lines or len(lines) > MAX_SIGNATURES:
        raise EvidenceError(f"an answer is 1 to {MAX_SIGNATURES} signature lines, each with a newline")
    return tuple(map(parse_signature, lines))


def format_size(size: int) -> bytes:
    """Write the body of an answer 409."""
    return f"{size}\n".encode()


def parse_size(data: bytes) -> int:
    """Read the body of an answer 409.

    Raises:
        EvidenceError: it is not as ``format_size`` writes it.
    """
    if not data.endswith(b"\n"):
        raise EvidenceError("a size ends with a newline")
    return parse_decimal(data[:-1].decode("ascii", "replace"), "the size")


def origin_hash(origin: str) -> str:
    """Return the name of an origin line in a witness's addresses: SHA-256, in hexadecimal."""
    return sha256(origin.encode()).hexdigest()
