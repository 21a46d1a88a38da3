"""The packs of one log (``formats/pack.py``): objects under consecutive numbers, each created once.

Whoever creates pack *n* has read all before it, and puts nothing into it that is in one of those. So of all that is put
into packs under one chain and key the first counts, and there is no second: that a number of an anchor is claimed once
rests on the order of packs, as it rests on the name of an object elsewhere.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from eventlog.anchors.gathering import Offer, Taken
from eventlog.anchors.pack_cache import PackCache
from eventlog.anchors.store import AnchorStore
from eventlog.formats.errors import EvidenceError
from eventlog.formats.pack import MAX_NUMBER, ObjectPlace, Pack, format_pack, parse_pack
from eventlog.store.errors import AnchorsUnavailableError
from eventlog.verify.findings import Finding

FOLDER = "packs"
"""Among the objects that packs are, this stands where else a chain's name does."""
_KEY = re.compile(r"[0-9]{12}")
_AT_ONCE = 64
"""Packs that are read before the first of them is let go."""
_READERS = 8
_TRIES = 20


class Packs:
    """Reads packs, and adds them; of what it has read it knows which pack has which place.

    It knows all packs after some number, without a gap, and some before it. ``objects``: where packs are kept. Several
    threads may use it: one at a time looks for new packs or adds one.
    """

    def __init__(self, objects: AnchorStore) -> None:
        self._objects = objects
        self._order = threading.RLock()
        self._lock = threading.RLock()
        self._cache = PackCache()
        self._places: dict[str, dict[str, int]] = {}
        self._damaged: dict[int, str] = {}
        self._known: set[int] = set()
        self._odd: list[str] = []
        self._floor: int | None = None
        self.newest = 0
        """The number of the newest pack that was read."""

        self.generation = 0
        """How often something was forgotten: what was seen to be free before may be in a pack that was forgotten."""

    def begin(self, after: int, also: Iterable[int]) -> None:
        """Read the packs after number ``after`` and those in ``also`` that were not read yet, and forget all others.

        Raises:
            StoreError: the packs can't be read; what was known still is.
        """
        wanted = set(also)
        with self._order:
            self._cache.clear()  # what is in it may have been altered meanwhile
            first = self._floor is None
            if first:
                self.newest = after
            # An earlier list may have been put back, or come from a backup: what it does not know has to be known here.
            floor = after if self._floor is None else self._floor
            self._read_all(sorted((wanted | set(range(after + 1, floor + 1))) - self._known))
            self.refresh()
            self._floor = after
            self._forget(lambda number: number > after or number in wanted)

    def refresh(self) -> None:
        """Read the packs that are new since it was called last.

        Raises:
            StoreError: the packs can't be read.
        """
        with self._order:
            odd, new, after = list[str](), list[int](), self.newest + 1
            for key in self._objects.keys(FOLDER, _key(self.newest)):
                number = int(key) if _KEY.fullmatch(key) else 0
                # A directory may be listed while packs are added, and show a later one and not the one before it.
                while not odd and number > after and self._objects.read(FOLDER, _key(after)) is not None:
                    new.append(after)
                    after += 1
                # Nobody skips a number, so one behind a gap is no function's. It counts once the others have got there.
                if number == after and not odd:
                    new.append(number)
                    after += 1
                elif number not in new:
                    odd.append(key)
            self._odd = odd
            for start in range(0, len(new), _AT_ONCE):  # however this ends, what was read until then is known
                part = new[start : start + _AT_ONCE]
                self._read_all(part)
                self.newest = part[-1]

    def findings(self) -> Iterator[Finding]:
        """Iterate over the packs that can't be read, and objects that are none: a log's own functions make none."""
        with self._lock:
            wrong = [f"pack {number}: {error}" for number, error in sorted(self._damaged.items())]
            wrong += [f"{key[:100]} is no pack, or not the next one" for key in self._odd]
        for detail in wrong:
            yield Finding("checkpoint_invalid", None, None, None, detail)

    def chains(self) -> list[str]:
        """List the chains that have something in the packs that were read."""
        with self._lock:
            return sorted(self._places)

    def of(self, chain: str) -> dict[str, int]:
        """Return what was read of a chain: its keys, and which pack has each."""
        with self._lock:
            return dict(self._places.get(chain, {}))

    def read(self, number: int, place: ObjectPlace) -> bytes | None:
        """Read what a pack has at a place; None if it has nothing there, can't be read, or does not exist.

        Raises:
            StoreError: the packs can't be reached.
        """
        pack = self._cache.get(number)
        if pack is None and (pack := self._pack(number)) is not None:
            self._cache.put(pack)
        return None if pack is None else pack.entries.get(place)

    def backwards(self, most: int | None) -> Iterator[Pack]:
        """Read so many packs, at most, from the newest one down, or all; those that can be read.

        Raises:
            StoreError: the packs can't be reached.
        """
        last, end = self.newest, 0 if most is None else max(0, self.newest - most)
        for start in range(last, end, -_AT_ONCE):
            # Threads of each part alone: whoever stops midway leaves this to the garbage collector.
            with ThreadPoolExecutor(_READERS) as readers:
                found = list(readers.map(self._pack, range(start, max(end, start - _AT_ONCE), -1)))
            yield from (pack for pack in found if pack is not None)

    def learn(self, place: ObjectPlace, number: int) -> None:
        """Remember which pack has a place, until what is not newer than the list of heads is forgotten."""
        with self._lock:
            self._places.setdefault(place[0], {}).setdefault(place[1], number)

    def append(self, offers: Mapping[ObjectPlace, Offer]) -> Taken:
        """Put what is offered into the next pack, but for what is in earlier packs.

        Raises:
            AnchorsUnavailableError: a pack may be there or not.
        """
        for _ in range(_TRIES):
            with self._order:
                self.refresh()
                # Whoever has looked before something was forgotten may not know of what it forgot.
                stale = {place for place, offer in offers.items() if offer.seen != self.generation}
                new = {place: offer.data for place, offer in offers.items() if place not in stale}
                new = {place: data for place, data in new.items() if place[1] not in self.of(place[0])}
                if not new:
                    return Taken(set(), stale)
                number = self.newest + 1
                # If an answer was lost on the way, this very pack is there: the next try finds it, and in it all that
                # was to be created. Then nothing was, and whoever reads what is there finds its own.
                if number <= MAX_NUMBER and self._objects.create(FOLDER, _key(number), format_pack(number, new)):
                    self._take(Pack(number, new))
                    self.newest = number
                    return Taken(set(new), stale)
        raise AnchorsUnavailableError("anchors: other processes go on creating the next pack")

    def newer(self, newest: Callable[[str], int], number_in: Callable[[str], int]) -> list[int]:
        """List the packs that were read in which something is newer than the newest anchor known of its chain.

        So are those that can't be read. ``newest`` gives the number of that anchor, ``number_in`` that in a key.
        """
        with self._lock:
            held, found = {chain: dict(keys) for chain, keys in self._places.items()}, set(self._damaged)
        for chain, keys in held.items():
            known = newest(chain)
            found.update(pack for key, pack in keys.items() if number_in(key) > known)
        return sorted(found)

    def _read_all(self, numbers: list[int]) -> None:
        """Read packs, many by several threads, and not all of very many before the first is let go."""
        if len(numbers) == 1:
            self._take(self._pack(numbers[0]))
            return
        with ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(numbers), _AT_ONCE):
                for pack in readers.map(self._pack, numbers[start : start + _AT_ONCE]):
                    self._take(pack)

    def _take(self, pack: Pack | None) -> None:
        if pack is None:
            return
        self._cache.put(pack)
        with self._lock:
            self._known.add(pack.number)
            for chain, key in pack.entries:
                keys = self._places.setdefault(chain, {})
                keys[key] = min(keys.get(key, pack.number), pack.number)  # the first that has it counts

    def _forget(self, is_kept: Callable[[int], bool]) -> None:
        with self._lock:
            self._damaged = {number: error for number, error in self._damaged.items() if is_kept(number)}
            before, self._known = self._known, set(filter(is_kept, self._known))
            self._places = {
                chain: left
                for chain, keys in self._places.items()
                if (left := {key: number for key, number in keys.items() if is_kept(number)})
            }
            if self._known != before:
                self.generation += 1

    def _pack(self, number: int) -> Pack | None:
        """Read a pack; None if there is none, or none that a log's functions have made."""
        data = self._objects.read(FOLDER, _key(number))
        if data is None:
            return None
        try:
            pack = parse_pack(data)
            if pack.number != number:
                raise EvidenceError(f"it was made as pack {pack.number}")
        except EvidenceError as error:
            with self._lock:
                self._damaged[number] = str(error)
                self._known.add(number)
            return None
        return pack


def _key(number: int) -> str:
    return f"{number:012}"
