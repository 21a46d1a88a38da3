"""The keys of chains whose anchors are in packs: put together from objects, the database's copies and the packs.

What is not where its copy says, or has no copy, is searched for in older packs.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import groupby

from eventlog.anchors.keys import BEHIND_NUMBERS, is_note_key, note_key, number_of
from eventlog.anchors.packs import Packs
from eventlog.anchors.store import AnchorStore
from eventlog.store.interface.anchor_copies import AnchorCopies

_DIGITS = re.compile("[0-9]{12}")
_REMEMBERED = 4096
_SEARCHED = 512


class PackedKeys:
    """Lists the keys of a chain that has anchors in packs, and tells which pack has an anchor. For several threads.

    ``committed`` gives the number of the newest anchor of a chain that the audit's list of heads knows of.
    """

    def __init__(
        self, objects: AnchorStore, packs: Packs, copies: AnchorCopies, committed: Callable[[str], int]
    ) -> None:
        self._objects = objects
        self._packs = packs
        self._copies = copies
        self._committed = committed
        self._lock = threading.Lock()
        self._listed: OrderedDict[tuple[str, int], int | None] = OrderedDict()
        self.searched: int | None = _SEARCHED
        """How many packs are searched for an anchor that is not where it should be; None: all."""

    def forget(self) -> None:
        """Forget where copies have said that anchors are."""
        with self._lock:
            self._listed.clear()

    def pack_of(self, chain: str, key: str) -> int | None:
        """Return the pack in which an anchor should be: of one that was read, or else as its copy says."""
        pack = self._packs.of(chain).get(key)
        if pack is not None or not is_note_key(key) or self._packs.newest == 0:
            return pack
        number = number_of(key)
        with self._lock:
            if (chain, number) in self._listed:
                return self._listed[chain, number]
        return next((pack for _, pack in self._copies.packs(chain, number, number)), None)

    def after(self, chain: str, after: str) -> Iterator[str]:
        """Iterate over keys of objects, of copies that name a pack, and of packs that were read, each once."""
        first, others, packs = int(after[:12]) if _DIGITS.match(after) else 0, list[str](), dict[str, int | None]()

        def numbered(objects: Iterator[str]) -> Iterator[str]:
            for key in objects:
                if key > BEHIND_NUMBERS:
                    others.extend((key, *objects))
                    return
                yield key

        def copied() -> Iterator[str]:
            for number, pack in self._copies.packs(chain, max(1, first)):
                if (key := note_key(number)) > after:
                    packs[key] = pack
                    yield key

        read = sorted(key for key in self._packs.of(chain) if key > after)
        every = merge(numbered(self._objects.keys(chain, after)), copied(), read)
        yield from self._filled(chain, first, (key for key, _ in groupby(every)), packs)
        yield from others

    def _filled(self, chain: str, last: int, keys: Iterable[str], packs: dict[str, int | None]) -> Iterator[str]:
        """Iterate over keys after anchor ``last``, and in their places over those of anchors that have to be searched.

        Where a number is left out, or the list of heads knows of more, an anchor is neither an object, nor has a copy,
        nor is in a new pack. ``packs`` are those that copies name.
        """
        lost: list[int] | None = None
        for key in keys:
            if is_note_key(key):
                number = number_of(key)
                if number > last + 1:
                    lost = self.lost(chain, last) if lost is None else lost
                    yield from (note_key(found) for found in lost if last < found < number)
                last = number
                self._remember(chain, number, packs.pop(key, None))
            yield key
        if self._committed(chain) > last:
            lost = self.lost(chain, last) if lost is None else lost
            yield from (note_key(found) for found in lost if found > last)

    def _remember(self, chain: str, number: int, pack: int | None) -> None:
        """Remember where an anchor is that is about to be read; None: it is an object."""
        with self._lock:
            self._listed[chain, number] = pack
            if len(self._listed) > _REMEMBERED:
                self._listed.popitem(last=False)

    def lost(self, chain: str, last: int) -> list[int]:
        """Look in older packs for the anchors of a chain after number ``last`` that are not where they should be.

        Something was removed, or a chain alone is that of a backup. What is missing is found to be, whether it is found
        here or not. So only some packs are searched; all of them, where a restore is declared.
        """
        found = dict[int, int]()
        for pack in self._packs.backwards(self.searched):
            keys = [key for held, key in pack.entries if held == chain and key.endswith(".note")]
            found |= {number_of(key): pack.number for key in keys}
            if last + 1 in found:
                break
        for number, held in found.items():
            self._packs.learn((chain, note_key(number)), held)
        return sorted(found)
