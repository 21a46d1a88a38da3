"""Where standings are kept that must not be forgotten: signed notes among the anchors, under a name that no chain has.

eventlog.standings/<chain>-<when it was written, 15 digits>

One is made each time that something is found in a chain in which nothing stood. So whoever owns the database can put no
standing back that is older, and can't have one forgotten.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from eventlog.anchors.store import AnchorStore
from eventlog.chain_names import OWN_PREFIX
from eventlog.formats.errors import EvidenceError
from eventlog.formats.standing import StandingNote, verify_standing

STANDINGS = f"{OWN_PREFIX}standings"
"""In the anchor store this name is no chain's."""
_OF_NO_CHAIN = f"{OWN_PREFIX}database"
_KEY = re.compile(r"(.+)-([0-9]{15})")
_TRIES = 20
"""Notes of a chain that are read at most to find one that can be believed."""


class StandingNotes:
    """Keeps and reads the notes of one log, named ``origin``; ``public_keys``: those whose signatures count."""

    def __init__(self, anchors: AnchorStore, origin: str, public_keys: Callable[[], Sequence[bytes]]) -> None:
        self._anchors = anchors
        self._origin = origin
        self._public_keys = public_keys

    def keep(self, standing: StandingNote, note: bytes) -> None:
        """Keep a signed standing for good; nothing happens if it is there.

        Raises:
            StoreError: the anchors can't be reached.
        """
        self._anchors.create(STANDINGS, standing_key(standing), note)

    def times(self) -> dict[str, int]:
        """List the chains that have notes, with the time that the name of the newest one claims.

        Raises:
            StoreError: the anchors can't be reached.
        """
        return _times(self._anchors.keys(STANDINGS))

    def time(self, chain: str) -> int | None:
        """Return the time that the name of a chain's newest note claims; None: it has none.

        Raises:
            StoreError: the anchors can't be reached.
        """
        return _times(self._keys(chain)).get(chain)

    def newest(self, chain: str) -> tuple[StandingNote, bytes] | None:
        """Read a chain's newest note that can be believed. Whatever else stands there is passed over.

        Raises:
            StoreError: the anchors or a key can't be reached.
        """
        public = self._public_keys()
        for key in reversed(list(self._keys(chain))[-_TRIES:]):
            try:
                note = self._anchors.read(STANDINGS, key) or b""
                standing = verify_standing(note, public, self._origin)
            except EvidenceError:
                continue
            if standing.chain == chain and key == standing_key(standing):
                return standing, note
        return None

    def _keys(self, chain: str) -> Iterable[str]:
        start = f"{chain or _OF_NO_CHAIN}-"
        found = takewhile(lambda key: key.startswith(start), self._anchors.keys(STANDINGS, start))
        # A chain's name may go on with a dash and digits, too, so names are compared as a whole.
        return (key for key in found if _chain_of(key) == chain)


def standing_key(standing: StandingNote) -> str:
    """Return the key that a standing is kept under; a chain's sort by when they were written."""
    return f"{standing.chain or _OF_NO_CHAIN}-{standing.time:015}"


def _chain_of(key: str) -> str | None:
    found = _KEY.fullmatch(key)
    return None if found is None else ("" if found[1] == _OF_NO_CHAIN else found[1])


def _times(keys: Iterable[str]) -> dict[str, int]:
    """Take the last key of each chain, as they come in order."""
    return {chain: int(key[-15:]) for key in keys if (chain := _chain_of(key)) is not None}
