"""Reads and verifies a chain's head under the registry, with pinned keys."""

from collections.abc import Sequence
from typing import Any

from eventlog.formats.checkpoint import format_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.head_proof import ProvenHead, head_proof_fields, parse_head_proof, verify_head_proof
from eventlog.formats.note import VerifierKey
from eventlog_client.keys import keys_of, log_of

REGISTRY = "eventlog.registry"


def check_head(value: Any, keys: Sequence[VerifierKey]) -> ProvenHead:
    """Verify a proof as the log shows it, with pinned keys of its chain.

    Raises:
        EvidenceError: a step does not hold, or no pinned key is one of the chain.
    """
    # The keys of a log are the same for all its chains, under other names: so a key of the chain is one of the registry
    # as well.
    proof = parse_head_proof(value)
    mine = keys_of(keys, proof.chain)
    if not mine:
        raise EvidenceError(f"no pinned key is of chain {proof.chain}")
    origins = {log_of(key.name) for key in mine}
    if len(origins) > 1:
        raise EvidenceError("the pinned keys are of several logs")
    return verify_head_proof(proof, origins.pop(), [key.public_key for key in mine], REGISTRY)


def proven_fields(proven: ProvenHead) -> dict[str, Any]:
    """Write what a proof has shown, for a program."""
    return {
        "verified": True,
        "checkpoint": format_checkpoint(proven.anchor.checkpoint),
        "number": proven.anchor.seal.number,
        "committed_at": proven.commitment.time,
        "heads": proven.commitment.count,
        "registry": format_checkpoint(proven.registry),
    }


def shown(value: Any) -> dict[str, Any]:
    """Return the proof that was verified as it is to be kept: its members and no other."""
    return head_proof_fields(parse_head_proof(value))
