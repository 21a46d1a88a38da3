"""Entries of the registry that an operator has declared void: the signed notes beside the registry's anchors."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from eventlog.anchors.store import AnchorStore
from eventlog.chain_names import REGISTRY
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.strike_off import StrikeOff, verify_strike_off
from eventlog.verify.findings import Finding

_PREFIX = "struck-off-"
_KEY = re.compile(rf"{_PREFIX}[0-9a-f]{{64}}\.note")


def strike_off_key(entry: bytes) -> str:
    """Return the key of the strike-off of the entry with this hash, among the registry's anchors."""
    return f"{_PREFIX}{entry.hex()}.note"


def is_strike_off(chain: str, key: str) -> bool:
    """Return whether an object stands where strike-offs do: beside the anchors of the registry alone."""
    return chain == REGISTRY and _KEY.fullmatch(key) is not None


@dataclass(frozen=True, slots=True)
class StrikeOffs:
    """Reads strike-offs. ``origins``: what the log may be called."""

    store: AnchorStore
    public_keys: Sequence[bytes]
    origins: Sequence[str]

    def is_void(self, chain: str, seq: int, digest: bytes) -> bool:
        """Whether the very entry with this seq and hash was struck off; one that is made later counts.

        Raises:
            StoreError: the anchors can't be reached.
        """
        try:
            struck = self._read(strike_off_key(digest))
        except EvidenceError:  # the registry's audit reports that
            return False
        return struck is not None and (struck.chain, struck.seq) == (chain, seq)

    def findings(self) -> Iterator[Finding]:
        """Iterate over what is wrong with the strike-offs: a forged one, or one that stands in another's place.

        Raises:
            StoreError: the anchors can't be reached.
        """
        for key in takewhile(lambda key: key.startswith(_PREFIX), self.store.keys(REGISTRY, _PREFIX)):
            try:
                self._read(key)
            except EvidenceError as error:
                yield Finding("checkpoint_invalid", None, None, None, f"{key}: {error}")

    def _read(self, key: str) -> StrikeOff | None:
        data = self.store.read(REGISTRY, key)
        if data is None:
            return None
        # A note for another entry or another log, copied here, says nothing of this one.
        struck = verify_strike_off(data, self.public_keys)
        if key != strike_off_key(struck.hash):
            raise EvidenceError(f"it is of another entry, {struck.seq} of chain {struck.chain}")
        if struck.origin not in {origin_line(origin, REGISTRY) for origin in self.origins}:
            raise EvidenceError(f"it is of another log: {struck.origin}")
        return struck
