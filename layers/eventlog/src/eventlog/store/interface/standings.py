"""What stands of each chain: where it is kept beside the reports, and how it is read."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

STANDING_PREFIX = "standing/"
"""With the chain's name it is the id, among the audits, of what stands of a chain; alone, of what belongs to none."""


class StandingRow(NamedTuple):
    """A stored standing, as it is: nothing in it was checked. ``note`` is the note's text, or whatever stands there."""

    chain: str
    note: bytes
    verdict: str


class StandingReads(Protocol):
    """Reads standings. Every method may raise StoreUnavailableError."""

    def of(self, chains: Sequence[str]) -> dict[str, StandingRow]:
        """Read those of these chains, by one query; of a chain that has none there is none."""
        ...

    def with_verdict(
        self, verdict: str, after: str, limit: int, names: Sequence[str] | None = None
    ) -> list[StandingRow]:
        """Read those of chains with this verdict, by the chain's name, only on chains among ``names``."""
        ...

    def verdicts(self, names: Sequence[str] | None = None) -> Counter[str]:
        """Count the chains by verdict, ``""`` without a standing; of chains that are gone the tampered ones alone."""
        ...


class StandingStore(StandingReads, Protocol):
    """Keeps standings, too."""

    def swap(self, before: StandingRow | None, after: StandingRow) -> bool:
        """Put one in the place of ``before``; False: another stands there by now, and nothing was done."""
        ...

    def put(self, after: StandingRow) -> None:
        """Put one in the place of whatever stands there: of what no audit can have written."""
        ...
