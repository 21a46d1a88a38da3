"""Witnesses' cosignatures of anchors, and what is known of each witness."""

from collections.abc import Collection
from typing import Protocol

from eventlog.stored.cosignatures import StoredCosignature
from eventlog.stored.witness_records import WitnessRecord


class CosignatureReads(Protocol):
    """Reads cosignatures.

    Trust: none. Each is verified over its anchor whenever it is used; what is not as this version writes it is left
    out.
    """

    def of(self, chain: str, number: int) -> list[StoredCosignature]:
        """Read those of an anchor, by key id.

        Raises:
            StoreUnavailableError: the database can't be reached.
        """
        ...


class CosignatureStore(CosignatureReads, Protocol):
    """Keeps them, too: each is inserted once, and what ``add`` has returned for is committed by a majority."""

    def add(self, found: StoredCosignature) -> bool:
        """Insert a cosignature; False: the database has one of this key for this anchor.

        Raises:
            StoreUnavailableError: it is not known to be stored.
        """
        ...


class WitnessRecords(Protocol):
    """What is known of each witness for each chain. Every method may raise StoreUnavailableError."""

    def of(self, chains: Collection[str]) -> list[WitnessRecord]:
        """Read what is known for these chains, by one query; what can't be read is left out."""
        ...

    def asked_before(self, time: int) -> list[str]:
        """List the chains for which some witness was asked last before this time, in milliseconds since 1970."""
        ...

    def put(self, record: WitnessRecord) -> None:
        """Keep a record in the place of the one before."""
        ...
