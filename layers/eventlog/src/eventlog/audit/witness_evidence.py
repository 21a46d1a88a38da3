"""What a checkpoint that a witness shows says of the log: only one that the log's own key has signed is evidence.

A witness's word alone never accuses the log. But a tree that a key of this log has signed under this chain's origin
line, and that the chain does not extend, can be shown by nobody unless somebody with the key, or with a backup, has
replaced history.
"""

from contextlib import suppress

from eventlog.anchors.anchoring import Anchoring
from eventlog.formats.checkpoint import Checkpoint, epoch_of, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.verify.findings import Finding


class WitnessEvidence:
    """Holds what witnesses show against the chains of this log."""

    def __init__(self, anchoring: Anchoring, origin: str) -> None:
        self._anchoring = anchoring
        self._origin = origin

    def keys(self, origin: str) -> list[VerifierKey]:
        """Return this log's keys under an origin line.

        Raises:
            StoreError: a key can't be asked for.
        """
        return [VerifierKey(origin, public_key) for public_key in self._anchoring.history.public_keys]

    def finding(self, chain: str, witness: str, note: bytes) -> Finding | None:
        """Return what is wrong with the chain if this checkpoint is true; None: nothing, or it is no evidence.

        Raises:
            StoreError: the database, the anchors or a key can't be reached, or nodes of the tree are damaged.
        """
        shown = self.binding(chain, note)
        if shown is None:
            return None
        # The size first, by a read that no replaced primary answers: no honest chain is ever shorter than what it has
        # signed. Then the root, which an honest chain never changes.
        size = self._anchoring.tree.newest_size(chain) or 0
        what = f"the witness {witness} shows a checkpoint of {shown.size} events that a key of this log has signed"
        if shown.size > size:
            detail = f"{what}; now there are {size}"
            return Finding("truncated", size, str(shown.size), str(size), detail)
        with self._anchoring.tree.view(chain) as view:
            if view is None or view.size < shown.size:
                raise StoreUnavailableError("MongoDB: an old primary answers; try again")
            root = view.root(shown.size)
        if root == shown.root:
            return None
        return Finding("rewritten", shown.size - 1, shown.root.hex(), root.hex(), f"{what}, and the chain has another")

    def binding(self, chain: str, note: bytes) -> Checkpoint | None:
        """Return the checkpoint in a note if a key of this log has signed it for this chain, and no restore came since.

        After a declared restore the chain need not extend what was signed before, and has another origin line.

        Raises:
            StoreError: the anchors or a key can't be reached.
        """
        try:
            shown, _ = verify_checkpoint(note, self.keys(note.partition(b"\n")[0].decode()))
        except (EvidenceError, UnicodeDecodeError):
            return None
        origins = self._origins(chain)
        epochs = [epoch for origin in origins if (epoch := _epoch(shown.origin, origin, chain))]
        restores, _ = self._anchoring.history.reader(chain, origins).restores()
        return shown if epochs and shown.size and epochs[0] > len(restores) else None

    def _origins(self, chain: str) -> list[str]:
        """List the names that the log may have in it: that of the settings, and what the chain was created under."""
        with suppress(CorruptionError), self._anchoring.tree.view(chain) as view:
            if view is not None:
                return list(dict.fromkeys([self._origin, view.origin]))
        return [self._origin]


def _epoch(line: str, origin: str, chain: str) -> int | None:
    try:
        return epoch_of(line, origin, chain)
    except EvidenceError:
        return None
