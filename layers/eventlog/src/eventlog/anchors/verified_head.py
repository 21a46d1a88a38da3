"""A chain's head that an audit has verified, and the proof that it extends what was said of the chain before."""

from dataclasses import dataclass

from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.proof import verify_consistency
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.interface.trees import Trees
from eventlog.verify.findings import Finding, FindingKind


@dataclass(frozen=True, slots=True)
class VerifiedHead:
    """A chain's head that an audit has verified."""

    chain: str
    origin: str
    size: int
    root: bytes


class AnchorRefusedError(Exception):
    """What an audit verified contradicts what is anchored or claimed: nothing is signed. ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


def prove_extends(tree: Trees, head: VerifiedHead, earlier: Checkpoint) -> None:
    """Prove that the head extends an earlier one; whether nodes are damaged does not matter, as the proof verifies.

    Raises:
        AnchorRefusedError: it doesn't.
        StoreUnavailableError: the database does not answer, or with a chain that is shorter than the head.
    """
    detail = f"the chain does not extend what is anchored or claimed for size {earlier.size}"
    # Of one size it is the same head, or it is none: for that the database need not be asked.
    if (earlier.size, earlier.root) == (head.size, head.root):
        return
    try:
        with tree.view(head.chain) as view:
            # The audit has just verified so many: a server that has fewer lags behind, which is no tampering.
            if view is None or view.size < head.size:
                raise StoreUnavailableError("MongoDB: an old primary answers; try again")
            hashes = view.consistency(earlier.size, head.size).hashes
        verify_consistency(earlier.size, head.size, hashes, earlier.root, head.root)
    except (EvidenceError, CorruptionError) as error:
        raise refused("rewritten", earlier.size - 1, detail, earlier.root) from error


def refused(kind: FindingKind, seq: int | None, detail: str, expected: bytes | None = None) -> AnchorRefusedError:
    """Build the error of a finding, whose expected value is a hash."""
    return AnchorRefusedError(Finding(kind, seq, expected.hex() if expected else None, None, detail))
