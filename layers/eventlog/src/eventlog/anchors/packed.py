"""Anchors in packs: what many chains get in one round is kept in few objects, not in two for each.

A store in front of another one. Claims and anchors of a chain that is packed are entries of packs (``packs.py``), all
else is as it was. From which anchor on a chain is packed is said, once and for good, by an object in the place of that
anchor's claim. Whoever claims it must create this very object. So there is no moment at which one auditor puts a claim
beside the chain's anchors, and another puts one for the same anchor into a pack.

Where an anchor is, its copy in the database says. That does not have to be believed. What is not where its copy says is
missing. Anchors without copies are looked for in all packs that are newer than the audit's list of heads
(``audit/heads.py``), and if that list knows of an anchor that is not found then, in the older ones, too.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from eventlog.anchors.gathering import WAIT_SECONDS, Gathering, Offer
from eventlog.anchors.keys import BEHIND_NUMBERS, is_claim_key, is_note_key, note_key, number_of
from eventlog.anchors.packed_keys import PackedKeys
from eventlog.anchors.packs import Packs
from eventlog.anchors.store import AnchorStore
from eventlog.chain_names import is_own
from eventlog.formats.names import is_chain_name
from eventlog.store.interface.anchor_copies import AnchorCopies
from eventlog.verify.findings import Finding

FROM_HERE = b"eventlog/packed/v1\n"
"""What stands in the place of a claim: from this anchor on, the chain's are in packs."""
_LEFT_OPEN = 1000
"""How many packs a list of heads leaves open, at most: the newest ones."""


@dataclass(frozen=True, slots=True)
class PackPosition:
    """What the audit's list of heads says of packs.

    ``number``: packs up to this one are known. ``open``: those of them in which something is newer than the list.
    ``newest``: the number of each chain's newest anchor.
    """

    number: int = 0
    open: tuple[int, ...] = ()
    newest: Mapping[str, int] = field(default_factory=dict)


class PackedAnchors:
    """``AnchorStore``: ``objects``, and the packs in ``packs``. For several threads.

    ``copies``: the database's copies of anchors. ``position`` reads the list of heads when it is needed first, and
    ``begin`` gives it anew. ``packing``: whether chains that are not packed yet become so with their next anchor.
    """

    def __init__(
        self,
        objects: AnchorStore,
        packs: AnchorStore,
        copies: AnchorCopies,
        position: Callable[[], PackPosition],
        *,
        packing: bool,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._objects = objects
        self._packs = Packs(packs)
        self._keys = PackedKeys(objects, self._packs, copies, self.committed)
        self._copies = copies
        self._read_position = position
        self._position: PackPosition | None = None
        self._packing = packing
        self.gathering = Gathering(self._packs.append, wait_seconds)
        self._lock = threading.Lock()
        self._beginning = threading.RLock()
        self._seen = threading.local()
        self._from_here: set[tuple[str, int]] = set()

    @property
    def is_packing(self) -> bool:
        """Whether some chains are packed, or get packed."""
        return self._packing or self._packs.newest > 0

    def search_all(self) -> None:
        """Search every pack, however many, for an anchor that is not where it should be."""
        self._keys.searched = None

    def begin(self, position: PackPosition) -> None:
        """Look at all packs that are newer than a list of heads: what a round does first.

        Raises:
            StoreError: the packs can't be read.
        """
        with self._beginning:
            self._packs.begin(position.number, position.open)
            self._keys.forget()
            self._position = position

    def begin_anew(self) -> None:
        """Look at everything as it is now: what an audit does first that is no part of a round.

        Raises:
            StoreError: the list or the packs can't be read.
        """
        self.look()
        if self._packs.newest > 0:
            self.begin(self._read_position())

    def look(self, at_least: int | None = None) -> None:
        """Read the packs that are new; given a number, only if there must be so many and they are not known.

        Whoever reads copies first and anchors then does this in between, or might not know of any pack.

        Raises:
            StoreError: as in ``begin_anew``.
        """
        self._begun()
        if at_least is None or at_least > self._packs.newest:
            self._packs.refresh()

    def committed(self, chain: str) -> int:
        """Return the number of the newest anchor of a chain that the list of heads knows of; 0: of none."""
        return 0 if self._position is None else self._position.newest.get(chain, 0)

    def position(self, newest: Mapping[str, int]) -> PackPosition:
        """Say how far packs are known, for a list of heads with these numbers of newest anchors.

        Raises:
            StoreError: the list or the packs can't be read.
        """
        self._begun()
        number = self._packs.newest  # before the open ones are looked for: what comes now is newer than both
        copied: dict[str, int] = {}

        def known(chain: str) -> int:
            # A chain in which something stands gets no anchor, and no new number in the list. What has a copy can be
            # found by that, too.
            listed = newest.get(chain, 0)
            if max(map(number_of, self._packs.of(chain)), default=0) <= listed:
                return listed
            if chain not in copied:
                copied[chain] = self._copies.newest_number(chain)
            return max(listed, copied[chain])

        left_open = self._packs.newer(known, number_of)
        if len(left_open) > _LEFT_OPEN:
            # More than a list names: a claim in one that it left out could be made again. So all from there on count
            # as not known, and whoever begins with the list reads them.
            return PackPosition(min(number, left_open[0] - 1), (), newest)
        return PackPosition(number, tuple(left_open), newest)

    def findings(self) -> Iterator[Finding]:
        """Iterate over what is wrong with packs as such; what is wrong with an anchor in one, its chain's audit finds.

        Raises:
            StoreError: as in ``begin_anew``.
        """
        self._begun()
        return self._packs.findings()

    def chains(self) -> Iterator[str]:
        """See ``AnchorStore.chains``: a packed chain has the object that says so, unless somebody has removed that."""
        self._begun()
        seen = set[str]()
        for chain in self._objects.chains():
            seen.add(chain)
            yield chain
        yield from (chain for chain in self._packs.chains() if chain not in seen)

    def keys(self, chain: str, after: str = "") -> Iterator[str]:
        """See ``AnchorStore.keys``: of objects and of what is in packs, in one order."""
        if not _has_packable(chain) or after >= BEHIND_NUMBERS:
            return self._objects.keys(chain, after)
        self._begun()
        # What is created after this, by this thread, is created on what is known now.
        self._seen.generation = self._packs.generation
        return self._keys.after(chain, after) if self._packs.newest > 0 else self._objects.keys(chain, after)

    def read(self, chain: str, key: str) -> bytes | None:
        """See ``AnchorStore.read``."""
        if not _is_packable(chain, key):
            return self._objects.read(chain, key)
        self._begun()
        if key.endswith(".claim"):
            # Whoever claims something creates this object first, and it alone says where the claim is.
            found, pack = self._objects.read(chain, key), self._packs.of(chain).get(key)
            is_packed = found is None or found == FROM_HERE
            return self._packs.read(pack, (chain, key)) if is_packed and pack is not None else found
        pack = self._keys.pack_of(chain, key)
        found = None if pack is None else self._packs.read(pack, (chain, key))
        found = self._objects.read(chain, key) if found is None else found
        if found is None and self._packs.newest > 0 and number_of(key) in self._keys.lost(chain, number_of(key) - 1):
            # It was searched for before, as it has no copy, and where it is was forgotten meanwhile.
            found = self._packs.read(self._packs.of(chain)[key], (chain, key))
        return found

    def pack_of(self, chain: str, key: str) -> int | None:
        """See ``AnchorStore.pack_of``."""
        if not _is_packable(chain, key):
            return None
        self._begun()
        pack = self._keys.pack_of(chain, key)
        return None if pack is None or self._packs.read(pack, (chain, key)) is None else pack

    def create(self, chain: str, key: str, data: bytes) -> bool:
        """See ``AnchorStore.create``.

        An anchor or a claim in a pack is created only on what this thread has seen by ``keys`` before. If something was
        forgotten since, this raises AnchorsUnavailableError.
        """
        if not _is_packable(chain, key):
            return self._objects.create(chain, key, data)
        self._begun()
        offer = Offer(data, getattr(self._seen, "generation", self._packs.generation))
        number = number_of(key)
        is_note = is_note_key(key)
        # What follows an anchor that is in a pack is in one, too. That the anchor is, its copy says, too, or the audit
        # would have found something and not come here. And each anchor is where its claim is.
        is_packed = number > 1 and self.pack_of(chain, note_key(number - 1)) is not None
        if is_packed or (is_note and (chain, number) in self._from_here):
            return self.gathering.create((chain, key), offer)
        if is_note:
            return self._objects.create(chain, key, data)
        # Exactly one object takes this place: this claim, that of another auditor, or the word that claims are in packs
        # from here on, whoever said it first.
        created = self._objects.create(chain, key, FROM_HERE if self._packing else data)
        if created and not self._packing:
            return True
        if not created and self._objects.read(chain, key) != FROM_HERE:
            return False
        with self._lock:
            self._from_here.add((chain, number))
        return self.gathering.create((chain, key), offer)

    def _begun(self) -> None:
        if self._position is None:
            with self._beginning:
                if self._position is None:
                    self.begin(self._read_position())


def _is_packable(chain: str, key: str) -> bool:
    return _has_packable(chain) and (is_note_key(key) or is_claim_key(key))


def _has_packable(chain: str) -> bool:
    return is_chain_name(chain) and not is_own(chain)
