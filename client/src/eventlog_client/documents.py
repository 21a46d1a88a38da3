"""Evidence in files: receipts, events, proofs and checkpoints, one or many in a file, recognised by their form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.formats.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt, check_event, check_receipt, parse_event, parse_receipt, receipt_of
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.note import VerifierKey, parse_note
from eventlog.formats.proof import verify_inclusion
from eventlog.formats.tlog_proof import TlogProof, parse_tlog_proof
from eventlog_client.given_files import parse_file, parse_text
from eventlog_client.keys import chain_of
from eventlog_client.proofs import LEAF, Proof, check_path, leaf_of, parse_proof

_TLOG_PROOF = b"c2sp.org/tlog-proof@"
_LISTS = ("receipts", "events", "evidence")


@dataclass(frozen=True, slots=True)
class LeafClaim:
    """Claims that a leaf stands at its seq in a chain; ``receipt`` if its event is known. ``where`` names the file."""

    where: str
    chain: str
    leaf: bytes
    receipt: Receipt | None = None

    @property
    def seq(self) -> int:
        """The place of the leaf in its chain."""
        return int.from_bytes(self.leaf[:8], "big")

    @property
    def prev_hash(self) -> bytes:
        """The hash of the leaf before it."""
        return self.leaf[8:40]

    @property
    def hash(self) -> bytes:
        """The leaf's hash: the next leaf's ``prev_hash``."""
        return leaf_hash(self.leaf)


@dataclass(frozen=True, slots=True)
class CheckpointClaim:
    """Claims that a checkpoint was made; ``signed`` if a pinned key's signature was verified."""

    where: str
    checkpoint: Checkpoint
    signed: bool


Claim = LeafClaim | CheckpointClaim


def read_claims(path: Path, keys: Sequence[VerifierKey]) -> Iterator[Claim]:
    """Yield the claims of a file's documents, each of which must verify by itself; with keys, checkpoints too.

    Raises:
        EvidenceError: a document is malformed or does not verify; the text names the file, and the line.
        FileChangedError: the file is not in the form it was written in.
        OSError: the file can't be read.
    """
    # Three forms, recognised by how they begin: JSON, a C2SP proof file, or else a signed note.
    data = path.read_bytes()
    if data.lstrip()[:1] in {b"{", b"["}:
        yield from _of_json(str(path), data, keys)
    else:
        yield from _of_text(str(path), data, keys)


def read_known(path: Path) -> Receipt | Event:
    """Read the one receipt or event in a file, and check its hashes.

    Raises:
        EvidenceError: it is neither, or a hash is wrong.
        FileChangedError: it is not JSON.
        OSError: the file can't be read.
    """
    return _known(parse_file(str(path), path.read_bytes()))


def _of_json(where: str, data: bytes, keys: Sequence[VerifierKey]) -> Iterator[Claim]:
    for place, value in _values(where, data):
        try:
            yield from _of_value(place, value, keys)
        except EvidenceError as error:
            raise EvidenceError(f"{place}: {error}") from error


def _of_text(where: str, data: bytes, keys: Sequence[VerifierKey]) -> Iterator[Claim]:
    # Parsed before anything is verified, so that what can't even be parsed accuses nobody.
    proof = parse_text(where, data, parse_tlog_proof) if data.startswith(_TLOG_PROOF) else None
    parse_text(where, data if proof is None else proof.checkpoint, parse_note)
    try:
        if proof is None:
            yield _of_note(where, data, keys)
        else:
            yield from _of_tlog_proof(where, proof, keys)
    except EvidenceError as error:
        raise EvidenceError(f"{where}: {error}") from error


def _known(value: Any) -> Receipt | Event:
    if isinstance(value, dict) and "payload" in value:
        event = parse_event(value)
        check_event(event)
        return event
    receipt = parse_receipt(value)
    check_receipt(receipt)
    return receipt


def _values(where: str, data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the values of a file that is one JSON text, or has one on each line, each with its place."""
    lines = data.splitlines()
    if len(lines) > 1 and all(line[:1] in {b"{", b"["} for line in lines if line.strip()) and lines[0][-1:] in b"}]":
        for number, line in enumerate(lines, 1):
            if line.strip():
                place = f"{where}, line {number}"
                yield place, parse_file(place, line)
    else:
        yield where, parse_file(where, data)


def _of_value(where: str, value: Any, keys: Sequence[VerifierKey]) -> Iterator[Claim]:
    # A note as a JSON string; a list of anything; an answer of the API, or a file of kept evidence, with a list in it;
    # a proof. Anything else must be a receipt or an event, and its parser says what is wrong if it is neither.
    if isinstance(value, str):
        yield _of_note(where, value.encode(), keys)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _of_value(f"{where}, item {number}", item, keys)
    elif isinstance(value, dict) and (name := next((name for name in _LISTS if name in value), None)):
        yield from _of_value(where, value[name], keys)
    elif isinstance(value, dict) and "leaf_index" in value:
        yield from _of_proof(where, parse_proof(value), keys)
    elif isinstance(value, dict) and "format" in value:
        raise EvidenceError("this is a bundle, which verify-bundle checks")
    else:
        known = _known(value)
        receipt = receipt_of(known) if isinstance(known, Event) else known
        yield LeafClaim(where, receipt.chain, leaf_of(known), receipt)


def _of_proof(where: str, proof: Proof, keys: Sequence[VerifierKey]) -> Iterator[Claim]:
    check_path(proof)
    yield LeafClaim(where, proof.chain, proof.leaf)
    if proof.checkpoint is not None:
        head = _of_note(where, proof.checkpoint.encode(), keys)
        if (head.checkpoint.size, head.checkpoint.root) != (proof.tree_size, proof.root):
            raise EvidenceError("the proof's checkpoint is of another tree than its path")
        yield head


def _of_tlog_proof(where: str, proof: TlogProof, keys: Sequence[VerifierKey]) -> Iterator[Claim]:
    head = _of_note(where, proof.checkpoint, keys)
    if proof.extra is None or len(proof.extra) != LEAF or int.from_bytes(proof.extra[:8], "big") != proof.index:
        raise EvidenceError("the proof does not say which leaf it is about")
    checkpoint = head.checkpoint
    verify_inclusion(leaf_hash(proof.extra), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    yield LeafClaim(where, chain_of(checkpoint.origin), proof.extra)
    yield head


def _of_note(where: str, data: bytes, keys: Sequence[VerifierKey]) -> CheckpointClaim:
    checkpoint = verify_checkpoint(data, keys)[0] if keys else parse_checkpoint(parse_note(data).text)
    return CheckpointClaim(where, checkpoint, bool(keys))
