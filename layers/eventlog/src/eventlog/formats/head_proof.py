"""A chain's head proven under the registry: its anchor, the commitment that has it, and the registry's checkpoint.

JSON with the members ``chain``, ``number``, ``anchor`` (the note's text), ``index``, ``count``, ``hashes`` (from the
head's leaf to the commitment's root), ``event`` (the registry's, as the API shows events), and ``registry``:
``tree_size``, ``hashes`` (from that event to the root) and ``checkpoint`` (the note's text).

It shows that this very head is among those that everybody is shown who is shown this checkpoint of the registry. That
the chain's head extends its earlier ones it does not show: that is for the chain's own monitor.

Specified in docs/formats/heads.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eventlog.formats.anchor import Anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, epoch_of, parse_checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import check_event, event_fields, parse_event
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.heads import Commitment, HeadLeaf, format_head, verify_commitment
from eventlog.formats.members import chain_name, hex_bytes, members, text, whole
from eventlog.formats.note import VerifierKey, parse_note
from eventlog.formats.proof import verify_inclusion

_LONGEST = 64
_MEMBERS = {"chain", "number", "anchor", "index", "count", "hashes", "event", "registry"}
_REGISTRY_MEMBERS = {"tree_size", "hashes", "checkpoint"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadProof:
    """A head and its way up to a checkpoint of the registry; nothing in it is verified."""

    chain: str
    number: int
    anchor: bytes
    index: int
    count: int
    hashes: tuple[bytes, ...]
    event: Event
    registry_hashes: tuple[bytes, ...]
    registry_size: int
    registry_checkpoint: bytes

    @property
    def leaf(self) -> HeadLeaf:
        """What the commitment must have of this chain."""
        return HeadLeaf(self.chain, self.number, sha256(self.anchor).digest())


@dataclass(frozen=True, slots=True)
class ProvenHead:
    """What a proof that verifies shows: the chain's anchor, the commitment, and the checkpoint of the registry."""

    anchor: Anchor
    commitment: Commitment
    registry: Checkpoint


def head_proof_fields(proof: HeadProof) -> dict[str, Any]:
    """Write a proof, to be encoded by orjson."""
    return {
        "chain": proof.chain,
        "number": proof.number,
        "anchor": proof.anchor.decode(),
        "index": proof.index,
        "count": proof.count,
        "hashes": [value.hex() for value in proof.hashes],
        "event": event_fields(proof.event),
        "registry": {
            "tree_size": proof.registry_size,
            "hashes": [value.hex() for value in proof.registry_hashes],
            "checkpoint": proof.registry_checkpoint.decode(),
        },
    }


def parse_head_proof(value: Any) -> HeadProof:
    """Read a proof from parsed JSON (``members.parse_json``); nothing is verified yet.

    Raises:
        EvidenceError: a member is missing, unknown or malformed.
    """
    fields = members(value, "a head's proof")
    registry = members(fields.get("registry"), "registry")
    for found, known in ((fields, _MEMBERS), (registry, _REGISTRY_MEMBERS)):
        if set(found) != known:
            raise EvidenceError(f"there must be the members {', '.join(sorted(known))}, all of them and no other")
    return HeadProof(
        chain=chain_name(fields),
        number=whole(fields, "number"),
        anchor=text(fields, "anchor").encode(),
        index=whole(fields, "index"),
        count=whole(fields, "count"),
        hashes=_hashes(fields),
        event=parse_event(fields["event"]),
        registry_hashes=_hashes(registry),
        registry_size=whole(registry, "tree_size"),
        registry_checkpoint=text(registry, "checkpoint").encode(),
    )


def verify_head_proof(proof: HeadProof, origin: str, public_keys: Sequence[bytes], registry: str) -> ProvenHead:
    """Check every step from the chain's anchor up to the checkpoint of the chain ``registry`` of the log ``origin``.

    ``public_keys``: the log's, which are trusted; one of them must have signed each part.

    Raises:
        EvidenceError: a step does not hold; the text says which.
    """
    # From the bottom up: the chain's own anchor, its leaf under the commitment's root, the commitment's event, and that
    # event under the root of the registry's checkpoint.
    anchor = verify_anchor(proof.anchor, public_keys)
    epoch_of(anchor.checkpoint.origin, origin, proof.chain)
    if anchor.seal.number != proof.number:
        raise EvidenceError(f"the anchor is number {anchor.seal.number}, and the proof is of {proof.number}")
    check_event(proof.event)
    if proof.event.entry.chain != registry:
        raise EvidenceError(f"the commitment is in chain {proof.event.entry.chain} and not in {registry}")
    commitment = verify_commitment(proof.event.entry, origin, public_keys)
    if commitment.count != proof.count:
        raise EvidenceError(f"the commitment is to {commitment.count} heads, and the proof is of {proof.count}")
    hashed = leaf_hash(format_head(proof.leaf))
    verify_inclusion(hashed, proof.index, commitment.count, proof.hashes, commitment.root)
    head = _registry_head(proof, origin, public_keys, registry)
    verify_inclusion(proof.event.hash, proof.event.seq, head.size, proof.registry_hashes, head.root)
    return ProvenHead(anchor, commitment, head)


def _registry_head(proof: HeadProof, origin: str, public_keys: Sequence[bytes], registry: str) -> Checkpoint:
    # The registry may have been restored, so that its checkpoints are under another line of its own by now.
    name = parse_checkpoint(parse_note(proof.registry_checkpoint).text).origin
    epoch_of(name, origin, registry)
    head, _ = verify_checkpoint(proof.registry_checkpoint, [VerifierKey(name, key) for key in public_keys])
    if head.size != proof.registry_size:
        raise EvidenceError(f"the registry's checkpoint is of size {head.size}, and the proof of {proof.registry_size}")
    return head


def _hashes(fields: dict[str, Any]) -> tuple[bytes, ...]:
    shown = fields.get("hashes")
    if not isinstance(shown, list) or len(shown) > _LONGEST:
        raise EvidenceError("hashes must be a list of at most 64")
    return tuple(hex_bytes({"hashes": value}, "hashes") for value in shown)
