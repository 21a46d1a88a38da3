"""Proofs of single events as files (C2SP tlog-proof@v1).

    c2sp.org/tlog-proof@v1
    extra <base64>                  left out if there is none
    index <decimal>
    <base64 of a SHA-256 hash>      none or more, the leaf's sibling first
                                    an empty line
    <a signed checkpoint, verbatim>

Here ``extra`` is the event's 72-byte leaf, so that a file says which leaf it is about.

Specified in docs/formats/proof-file.md.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from eventlog.formats.checkpoint import Checkpoint, parse_decimal, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import leaf_hash as hash_leaf
from eventlog.formats.note import MAX_NOTE, VerifierKey, decode_base64
from eventlog.formats.proof import verify_inclusion

MAX_PROOF = 2 * MAX_NOTE
MAX_HASHES = 63
_FIRST = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed proof file; nothing in it is verified."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def format_tlog_proof(proof: TlogProof) -> bytes:
    """Write a proof file."""
    extra = [] if proof.extra is None else [f"extra {_base64(proof.extra)}"]
    lines = [_FIRST, *extra, f"index {proof.index}", *map(_base64, proof.hashes)]
    return "\n".join(lines).encode() + b"\n\n" + proof.checkpoint


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Read a proof file; it is accepted only as ``format_tlog_proof`` writes it.

    Raises:
        EvidenceError: it is written in any other way, or has too many hashes.
    """
    if len(data) > MAX_PROOF:
        raise EvidenceError(f"the proof is longer than {MAX_PROOF} bytes")
    # No line of the head is empty, so the first empty line ends it. The checkpoint after it has one of its own.
    head, _, checkpoint = data.partition(b"\n\n")
    first, *lines = head.decode("ascii", "replace").split("\n")
    if first != _FIRST:
        raise EvidenceError(f"a proof's first line is {_FIRST}")
    if not checkpoint:
        raise EvidenceError("a proof ends with an empty line and a checkpoint")
    # ``extra`` may be left out, ``index`` may not; every line after them is a hash.
    extra = _after("extra ", lines)
    index = _after("index ", lines)
    if index is None:
        raise EvidenceError("the proof has no index line where it belongs")
    if extra == "":
        raise EvidenceError("an extra line without data is left out")
    proof = TlogProof(
        index=parse_decimal(index, "the index"),
        hashes=tuple(map(_parse_hash, lines)),
        checkpoint=checkpoint,
        extra=None if extra is None else decode_base64(extra, "the extra data"),
    )
    if len(proof.hashes) > MAX_HASHES or format_tlog_proof(proof) != data:
        raise EvidenceError(f"a proof has at most {MAX_HASHES} hashes and is written in one way only")
    return proof


def verify_tlog_proof(data: bytes, leaf_hash: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Check that a proof file shows this leaf under a checkpoint signed by one of the keys; return the checkpoint.

    ``extra`` authenticates nothing. If the file has it, it must be this very leaf, and the leaf must name the index.

    Raises:
        EvidenceError: the file is malformed, its checkpoint or its path does not verify, or it is of another leaf.
    """
    # The signature first: until it holds, neither the root nor the size that the path leads to means anything.
    proof = parse_tlog_proof(data)
    checkpoint, _ = verify_checkpoint(proof.checkpoint, keys)
    if proof.extra is not None:
        if hash_leaf(proof.extra) != leaf_hash:
            raise EvidenceError("the proof's extra data is not the leaf that was asked about")
        if int.from_bytes(proof.extra[:8], "big") != proof.index:
            raise EvidenceError("the leaf in the proof's extra data names another place than the proof's index")
    verify_inclusion(leaf_hash, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint


def _after(label: str, lines: list[str]) -> str | None:
    """Remove the first line if it has this label, and return it without the label."""
    return lines.pop(0).removeprefix(label) if lines and lines[0].startswith(label) else None


def _parse_hash(line: str) -> bytes:
    value = decode_base64(line, "a hash of the proof")
    if len(value) != 32:
        raise EvidenceError("a hash of the proof must have 32 bytes")
    return value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
