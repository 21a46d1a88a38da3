"""Which chains a round has to audit, and the registry's commitment to the heads of all (``formats/heads.py``).

A chain whose sequence document is, byte for byte, the one under which an audit has found it intact, has not grown, and
was not rolled back, renamed or removed. What that document was is kept for all chains at once (``head_list.py``). So
idle chains cost a round one scan of ``sequences``, and no audit, signature or object of their own. All else is audited
as it always was, and nothing but such an audit ever accuses: whatever is wrong with the list, more chains are audited.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.packed import PackPosition
from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.audit.head_list import HeadList
from eventlog.audit.notices import Notices
from eventlog.audit.run import AuditRun
from eventlog.audit.vouchers import Vouchers
from eventlog.formats.anchor import Anchor
from eventlog.formats.heads import ANCHORED, Commitment, HeadTree, commitment_payload
from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface import EventStore
from eventlog.store.interface.heads import HeadStore, StoredNames
from eventlog.stored.heads import UNKNOWN, KnownHead, KnownHeads
from eventlog.stored.sequences import SequenceImage, encode_sequence

LOOKED_AT = 32
"""Idle chains that each round audits all the same, in turn: a log of so few is audited whole each time."""
_MINUTE = 60_000
_NOT_COMMITTED = "the heads of all chains could not be committed to"
_NOT_READ = "what is known of the heads of all chains can't be read"


class ListedNames(NamedTuple):
    """Every chain there may be, the registry last; those that it registered, and how many events it had then."""

    every: list[str]
    registered: set[str]
    read_to: int


ListNames = Callable[[Iterable[str], int, Iterable[str]], ListedNames]
"""Lists the stored chains and those that the registry names from a seq on, before which these are known."""
_NOTHING = ListedNames([], set(), 0)


class AllHeads:
    """Keeps the heads of all chains of one log. Without ``anchoring`` there are none, and every chain is audited."""

    def __init__(
        self,
        store: HeadStore,
        log: EventStore,
        anchoring: Anchoring | None,
        vouchers: Vouchers,
        notices: Notices,
        *,
        origin: str,
        clock: Callable[[], int],
    ) -> None:
        # What is known is that of the invocation that ``load`` has begun; what was seen is all since the last commit.
        self._store = store
        self._registry = Registry(log, clock)
        self._anchoring = anchoring
        self.list = HeadList(store, log, anchoring, vouchers, origin=origin)
        self._notices = notices
        self._origin = origin
        self._clock = clock
        self._known: KnownHeads | None = None
        self._last: Commitment | None = None
        self._is_lost = False
        self._is_same_key = False
        self._listed = _NOTHING
        self._seen: dict[str, KnownHead] = {}
        self.looked_at = LOOKED_AT
        self.idle: set[str] = set()
        """The chains that this round need not audit, though some of them are."""

    def note(self, run: AuditRun, anchor: Anchor) -> None:
        """Remember a chain's newest anchor and, if all of it was found intact under that, its sequence document."""
        chain, image, size = run.report.chain, UNKNOWN, anchor.checkpoint.size
        if chain == REGISTRY:
            return
        # With something pending the document is about to change. And what is not anchored whole has to be.
        if run.target is not None and not run.tail and run.size == run.target.size == size:
            image = sha256(encode_sequence(SequenceImage(b"", chain, run.origin, size, run.target, [], 0))).digest()
        self._seen[chain] = KnownHead(anchor.seal.number, anchor.digest, image)

    def covers(self, chain: str, anchor: Anchor) -> bool:
        """Whether the registry lately said that this is the chain's newest anchor, so that no other need say so."""
        known = self._known.heads.get(chain) if self._known else None
        if known is None or self._last is None or self._is_old(self._last):
            return False
        return (known.number, known.anchor) == (anchor.seal.number, anchor.digest)

    def load(self) -> None:
        """Read what is known of the heads: what each invocation of the schedule does first.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        self._known, self._last, self._is_same_key, self._listed, self.idle = None, None, False, _NOTHING, set()
        try:
            found, self._is_lost = self.list.read(), False
            if found is not None and self._anchoring is not None:
                self._known, self._last = found.known, found.last
                # Another key seals from now on: each chain has to announce it and get an anchor of it.
                self._is_same_key = found.known.key == _digest(self._anchoring.current_key)
            if self._anchoring is not None and self._anchoring.packed is not None:
                self._anchoring.packed.begin(_position(self.list.signed))
        except CredentialsRefusedError:
            raise
        except StoreError as error:  # what can't be read now is not to be forgotten
            self._notices.failed(_NOT_READ, REGISTRY, error)
            self._is_lost = True

    def pack_position(self) -> PackPosition:
        """Read from where on packs have to be looked at: all of them, if no audit has signed a list.

        One that is too old to be believed will do. It says less than a newer one, so that more packs are looked at.

        Raises:
            StoreError: the database or a key can't be reached.
        """
        self.list.read()
        return _position(self.list.signed)

    def select(self, standing: Iterable[str], list_names: ListNames) -> list[str]:
        """List the chains that a round has to audit, the registry last; ``standing``: those with findings.

        Raises:
            StoreError: the database can't be reached.
        """
        stored, found, known = self._store.names(), set(standing), self._known or KnownHeads()
        # What was registered before the list was written is in it, so the registry is read from there on only.
        names = {*stored.all(), *known.heads, *known.others, *found}
        self._listed = list_names(names, known.read_to, known.heads)
        # The list is bound to the registry: while anything stands of that, it proves nothing, and all are audited.
        is_sound = self._is_same_key and REGISTRY not in found
        self.idle = self._unchanged(known, stored) - found if is_sound else set()
        turn, most = sorted(self.idle), self.looked_at
        start = self._clock() // _MINUTE * most % max(1, len(turn))
        looked_at = {*turn[start : start + most], *turn[: max(0, start + most - len(turn))]}
        return [name for name in self._listed.every if name not in self.idle or name in looked_at]

    def commit(self, *, finished: bool) -> bool:
        """Commit to the heads as they are known now, if that says anything new; return whether it was done.

        ``finished``: the round has been at every chain. Until then, what is not built on an earlier commitment is only
        kept: the first one, and one after a list that could not be believed, must not leave out chains.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        if self._anchoring is None or self._is_lost:
            return False
        try:
            fresh = self._fresh(self._anchoring)
            if fresh is None:
                return False
            # A first list is kept and not committed to: chains that the round has not come to are not in it yet.
            if self._last is None and not finished:
                self.list.save(replace(fresh, event_id=""))
                self._known, self._seen = replace(fresh, event_id=fresh.before), {}
                return False
            self._write(self._anchoring, fresh)
        except CredentialsRefusedError:
            raise
        except StoreError as error:
            self._notices.failed(_NOT_COMMITTED, REGISTRY, error)
            return False
        return True

    def _fresh(self, anchoring: Anchoring) -> KnownHeads | None:
        """Make the list as it is now; None if it says nothing new, and the last commitment is not old."""
        known = self._known or KnownHeads()
        # Another process may have seen a later anchor of a chain, and a number never goes back.
        newer = {c: h for c, h in self._seen.items() if c not in known.heads or h.number >= known.heads[c].number}
        heads = known.heads | newer
        is_said = heads == known.heads and self._last is not None and not self._is_old(self._last)
        if not heads or (is_said and self._is_same_key):
            return None
        # What was registered and is not anchored is gone, or never was: each round looks for it.
        others = (known.others | self._listed.registered) - set(heads)
        read_to = max(known.read_to, self._listed.read_to)
        fresh = KnownHeads(before=known.event_id, key=_digest(anchoring.current_key), read_to=read_to)
        fresh.heads, fresh.others = heads, others
        if anchoring.packed is not None:
            packs = anchoring.packed.position(_numbers(fresh))
            fresh.packs, fresh.open_packs = packs.number, packs.open
        return fresh

    def _write(self, anchoring: Anchoring, fresh: KnownHeads) -> None:
        """Store the list, then the event.

        If a process dies in between, the next round finds a list that follows the newest commitment, and commits again.
        """
        time = max(self._clock(), self._last.time + 1 if self._last else 0)
        commitment = Commitment(time=time, count=len(fresh.heads), root=HeadTree(fresh.leaves()).root)
        payload = commitment_payload(self._origin, commitment, anchoring.signers[0])
        fresh.event_id = commitment.event_id
        self.list.save(fresh)
        self._registry.write(REGISTRY, commitment.event_id, ANCHORED, payload)
        self._known, self._last, self._is_same_key, self._seen = fresh, commitment, True, {}

    def _unchanged(self, known: KnownHeads, stored: StoredNames) -> set[str]:
        there = stored.events & stored.copies
        return {
            chain
            for chain, raw in (self._store.settled() if known.heads else ())
            if (head := known.heads.get(chain)) and chain in there and head.sequence == sha256(raw).digest()
        }

    def _is_old(self, commitment: Commitment) -> bool:
        return self._anchoring is None or self._clock() - commitment.time >= self._anchoring.idle_millis


def _numbers(known: KnownHeads) -> dict[str, int]:
    return {chain: head.number for chain, head in known.heads.items()}


def _position(known: KnownHeads | None) -> PackPosition:
    return PackPosition() if known is None else PackPosition(known.packs, known.open_packs, _numbers(known))


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
