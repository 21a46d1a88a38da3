"""Whether an event is anchored: under a checkpoint that a key of the log signed, whatever the database says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventlog.formats.anchor import verify_anchor
from eventlog.formats.checkpoint import epoch_of
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.proof import verify_inclusion
from eventlog.store.interface.evidence import EvidenceReader


@dataclass(frozen=True, slots=True)
class Anchored:
    """Reads the newest copy of a chain's anchors, and believes what ``public_keys`` have signed of it.

    The copy is made only of what is anchored. Whoever puts an older one in its place, or none, delays an erasure.
    """

    reader: EvidenceReader
    public_keys: Callable[[], Sequence[bytes]]

    def covers(self, event: Event) -> bool:
        """Return whether the newest anchor covers an event.

        Raises:
            StoreError: the database or a key can't be reached, or what is stored is damaged.
        """
        chain = event.entry.chain
        with self.reader.view(chain, None) as (view, copy):
            if view is None or copy is None or event.seq >= copy.size:
                return False
            try:
                head = verify_anchor(copy.note, self.public_keys()).checkpoint
                epoch_of(head.origin, view.origin, chain)
                path = view.inclusion(event.seq, head.size)
                verify_inclusion(event.hash, event.seq, head.size, path.hashes, head.root)
            except EvidenceError:
                return False
        return True
