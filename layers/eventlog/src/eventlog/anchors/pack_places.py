"""What is remembered of the packs that were read: in memory that does not grow with their number."""

import threading
from collections.abc import Callable

from eventlog.anchors.keys import is_note_key, number_of
from eventlog.formats.pack import ObjectPlace, Pack


class Places:
    """Chains, the keys of what packs have of them, and the first pack that has each. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, dict[str, int]] = {}

    def add(self, pack: Pack, *, newest_only: bool) -> bool:
        """Remember what a pack has; return whether something was forgotten for it.

        ``newest_only``: of the chains in it only the newest anchor is kept, and the claims of that and of what follows
        it. Those before it have copies in the database, which say where they are: nobody claims an anchor before the
        one before it has its copy. Where a copy is gone, its number is missed, and the anchor is searched.
        """
        forgotten = False
        with self._lock:
            for chain, key in pack.entries:
                keys = self._held.setdefault(chain, {})
                keys[key] = min(keys.get(key, pack.number), pack.number)  # the first that has it counts
            for chain in {chain for chain, _ in pack.entries} if newest_only else ():
                keys = self._held[chain]
                last = max((number_of(key) for key in keys if is_note_key(key)), default=0)
                for key in [key for key in keys if number_of(key) < last]:
                    del keys[key]
                    forgotten = True
        return forgotten

    def learn(self, place: ObjectPlace, number: int) -> None:
        """Remember which pack has a place, unless that is known."""
        with self._lock:
            self._held.setdefault(place[0], {}).setdefault(place[1], number)

    def forget(self, is_kept: Callable[[int], bool]) -> None:
        """Forget what is in all packs but those that are kept."""
        with self._lock:
            self._held = {
                chain: left
                for chain, keys in self._held.items()
                if (left := {key: number for key, number in keys.items() if is_kept(number)})
            }

    def chains(self) -> list[str]:
        """List the chains of which something is known."""
        with self._lock:
            return sorted(self._held)

    def of(self, chain: str) -> dict[str, int]:
        """Return what is known of a chain: keys, and which pack has each."""
        with self._lock:
            return dict(self._held.get(chain, {}))

    def newer(self, newest: Callable[[str], int]) -> set[int]:
        """Return the packs in which something is newer than the newest anchor known of its chain.

        ``newest`` gives the number of that anchor, and may ask for other things here.
        """
        with self._lock:
            held = {chain: dict(keys) for chain, keys in self._held.items()}
        found = set[int]()
        for chain, keys in held.items():
            known = newest(chain)
            found.update(pack for key, pack in keys.items() if number_of(key) > known)
        return found
