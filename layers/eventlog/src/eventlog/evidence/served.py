"""Checkpoints for live streams: those that agree with the chain, as all that are handed out."""

from collections.abc import Iterator

from eventlog.evidence.proofs import Evidence
from eventlog.store.interface.anchor_copies import AnchorCopies
from eventlog.stored.anchor_copies import AnchorCopy


class ServedCheckpoints:
    """Reads copies of anchors, and checks each one before it is given (``Evidence.check``)."""

    def __init__(self, copies: AnchorCopies, evidence: Evidence) -> None:
        self._copies = copies
        self._evidence = evidence

    def newest(self, chain: str) -> AnchorCopy | None:
        """Return the chain's newest one.

        Raises:
            CorruptionError: it does not agree with the chain.
            StoreUnavailableError: the database can't be reached.
        """
        found = self._copies.newest(chain)
        return None if found is None else self._evidence.check(found)

    def scan(self, chain: str, first: int) -> Iterator[AnchorCopy]:
        """Iterate over those from this number on; raises as ``newest`` does, while it is read."""
        return map(self._evidence.check, self._copies.scan(chain, first))

    def lines(self, copy: AnchorCopy) -> list[str]:
        """Return what witnesses have added to one.

        Raises:
            StoreUnavailableError: the database can't be reached.
        """
        return self._evidence.lines(copy)
