"""Reads inclusion proofs as the API shows them (JSON), verifies them with pinned keys, writes C2SP tlog-proof files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventlog.formats import hashing
from eventlog.formats.checkpoint import Checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt
from eventlog.formats.members import chain_name, hex_bytes, members, text, whole
from eventlog.formats.note import VerifierKey
from eventlog.formats.proof import verify_inclusion
from eventlog.formats.tlog_proof import TlogProof, format_tlog_proof
from eventlog_client.keys import keys_of

LEAF = 72
_LONGEST = 64
_MEMBERS = ("chain", "leaf_index", "tree_size", "leaf", "leaf_hash", "hashes", "root", "checkpoint")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that a leaf stands at an index under a root, and the checkpoint (note text) that signs the root.

    ``fields`` are the members above as they were read, and no other: what is shown or kept is what was verified.
    """

    chain: str
    leaf_index: int
    tree_size: int
    leaf: bytes
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    root: bytes
    checkpoint: str | None
    fields: dict[str, Any]

    def tlog_proof(self) -> bytes:
        """Return the proof as a C2SP tlog-proof file, with the leaf as its extra data.

        Raises:
            EvidenceError: no checkpoint.
        """
        if self.checkpoint is None:
            raise EvidenceError("the proof has no checkpoint")
        return format_tlog_proof(TlogProof(self.leaf_index, self.hashes, self.checkpoint.encode(), self.leaf))


def parse_proof(value: Any) -> Proof:
    """Read a proof from parsed JSON; nothing is verified yet.

    Raises:
        EvidenceError: a member is missing or malformed.
    """
    # Members that are not known here are left out: nothing verifies them, and a log may say more later.
    fields = members(value, "a proof")
    hashes = fields.get("hashes")
    if not isinstance(hashes, list) or len(hashes) > _LONGEST:
        raise EvidenceError("hashes must be a list of at most 64")
    checkpoint = fields.get("checkpoint")
    return Proof(
        chain=chain_name(fields),
        leaf_index=whole(fields, "leaf_index"),
        tree_size=whole(fields, "tree_size"),
        leaf=hex_bytes(fields, "leaf", LEAF),
        leaf_hash=hex_bytes(fields, "leaf_hash"),
        hashes=tuple(hex_bytes({"hashes": value}, "hashes") for value in hashes),
        root=hex_bytes(fields, "root"),
        checkpoint=None if checkpoint is None else text(fields, "checkpoint"),
        fields={name: fields[name] for name in _MEMBERS if name in fields},
    )


def check_path(proof: Proof) -> None:
    """Check that the path leads from the leaf to the root, and that the leaf has the proof's index in it.

    Raises:
        EvidenceError: it does not lead there, or the leaf has another index.
    """
    if int.from_bytes(proof.leaf[:8], "big") != proof.leaf_index:
        raise EvidenceError("the proof's leaf is that of another place")
    if proof.leaf_hash != hashing.leaf_hash(proof.leaf):
        raise EvidenceError("the proof's leaf_hash is not the hash of its leaf")
    verify_inclusion(proof.leaf_hash, proof.leaf_index, proof.tree_size, proof.hashes, proof.root)


def check_proof(proof: Proof, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Check the path, and that a pinned key of the chain signed the root it leads to; return the checkpoint.

    Raises:
        EvidenceError: the path is wrong, or no pinned key signed its root.
    """
    check_path(proof)
    if proof.checkpoint is None:
        raise EvidenceError("the proof comes without a checkpoint, so nobody has signed its root")
    checkpoint, _ = verify_checkpoint(proof.checkpoint.encode(), keys_of(keys, proof.chain))
    if (checkpoint.size, checkpoint.root) != (proof.tree_size, proof.root):
        raise EvidenceError("the proof's checkpoint is of another tree than its path")
    return checkpoint


def leaf_of(known: Receipt | Event) -> bytes:
    """Return the 72-byte leaf of a receipt or an event."""
    content = known.entry.content_hash if isinstance(known, Event) else known.content_hash
    return hashing.leaf(known.seq, known.prev_hash, content)
