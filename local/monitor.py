"""A monitor: whoever pins the key and remembers the signed checkpoints that it has seen."""

from typing import Any

from pymongo.collection import Collection

from eventlog.formats.checkpoint import Checkpoint, origin_line, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey
from eventlog.formats.proof import verify_consistency
from eventlog.store.errors import StoreError
from eventlog.store.tree import TreeReader


class Monitor:
    """Keeps the newest checkpoint of each chain, and accepts only what extends it.

    It needs nothing but what the query function serves: checkpoints and consistency proofs.
    """

    def __init__(self, public_key: bytes, origin: str) -> None:
        self._public_key = public_key
        self._origin = origin
        self._kept: dict[str, Checkpoint] = {}

    def look(self, checkpoints: Collection[dict[str, Any]], tree: TreeReader) -> list[str]:
        """Go on to the newest checkpoints; which chains' history is not the one seen before."""
        served = sorted({*self._kept, *checkpoints.distinct("chain")})
        found = []
        for chain in served:
            newest = checkpoints.find_one({"chain": chain}, sort=[("number", -1)])
            if not self.accepts(chain, newest["note"].encode() if newest else b"", tree):
                found.append(f"{chain} contradicted")
        return found

    def accepts(self, chain: str, note: bytes, tree: TreeReader) -> bool:
        """Whether a checkpoint, wherever it comes from, is of the history seen before; if so, and newer, it is kept."""
        key = VerifierKey(origin_line(self._origin, chain), self._public_key)
        try:
            shown, _ = verify_checkpoint(note, [key])
            kept = self._kept.setdefault(chain, shown)
            first, second = sorted((kept, shown), key=lambda checkpoint: checkpoint.size)
            hashes = tree.consistency(chain, first.size, second.size).hashes
            verify_consistency(first.size, second.size, hashes, first.root, second.root)
        except (EvidenceError, StoreError):
            return False
        self._kept[chain] = second
        return True
