"""Anchoring: a chain's verified head is signed and kept outside the database, one anchor after the other.

What is to be signed is first created, exclusively, as a claim beside the anchors. An auditor that finds a claim, since
two are at work at once or one has died, completes that very claim or, if it is not true, refuses. So a key never signs
two roots for one size, nor a smaller or inconsistent tree, under one name.
"""

from collections.abc import Callable, Sequence

from eventlog.anchors.history import AnchorHistory, Standing
from eventlog.anchors.keys import claim_key, note_key
from eventlog.anchors.packed import PackedAnchors
from eventlog.anchors.store import AnchorStore
from eventlog.anchors.verified_head import VerifiedHead, prove_extends, refused
from eventlog.anchors.walk import copy_of
from eventlog.clock import now_millis
from eventlog.formats.anchor import NO_ANCHOR, Anchor, Seal, parse_claim, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import EventReader
from eventlog.store.interface.anchor_copies import AnchorCopies
from eventlog.store.interface.trees import Trees
from eventlog.stored.anchor_copies import AnchorCopy, encode_copy

_FUTURE_MILLIS = 300_000
_TRIES = 5


class Anchoring:
    """Signs and anchors.

    ``signers``: the current one first. ``public_keys``: all that are trusted. ``idle_millis``: after so long, a chain
    that has not grown is anchored again, to show that it hasn't.
    """

    def __init__(
        self,
        events: EventReader,
        tree: Trees,
        checkpoints: AnchorCopies,
        anchors: AnchorStore,
        *,
        signers: Sequence[Signer],
        public_keys: Callable[[], Sequence[bytes]],
        idle_millis: int,
        clock: Callable[[], int] = now_millis,
    ) -> None:
        self.anchors = anchors
        self.packed = anchors if isinstance(anchors, PackedAnchors) else None
        self.checkpoints = checkpoints
        self.tree = tree
        self.history = AnchorHistory(events, checkpoints, anchors, public_keys)
        self.signers = signers
        # The first of the signers seals; the others sign as well, while a key is being replaced.
        self.idle_millis = idle_millis
        self._clock = clock

    @property
    def current_key(self) -> bytes:
        """The public key that new anchors are sealed by."""
        return self.signers[0].public_key

    def keep_copies(self, chain: str, standing: Standing) -> None:
        """Add the copies of the newest anchors that the database lacks, as an auditor died before it made them.

        Raises:
            AnchorRefusedError: an anchor is another than it was, or the database has another copy of it.
            StoreError: the anchors, a key or the database can't be reached.
        """
        newest = standing.newest
        if newest is None:
            return
        # As a rule its copy was read with it, and is the very same: nothing to add.
        if standing.copied == newest.seal.number and standing.copy == encode_copy(self._copy_of(chain, newest)):
            return
        # The newest is verified already; those before it are read and verified here.
        first = standing.copied + 1
        for number in range(first, newest.seal.number):
            anchor = self._verified(self.anchors.read(chain, note_key(number)) or b"", number)
            if anchor.seal.number != number:
                raise refused("checkpoint_invalid", None, f"anchor {number} is anchor {anchor.seal.number} by now")
            self._keep_copy(chain, anchor)
        self._keep_copy(chain, newest)

    def advance(
        self, head: VerifiedHead, standing: Standing, covers: Callable[[str, Anchor], bool] = lambda *_: False
    ) -> Anchor | None:
        """Anchor a verified head, if there is something new to say; return the newest anchor then.

        ``covers``: whether the registry has said lately that an anchor is the chain's newest, so that it is enough.

        Raises:
            AnchorRefusedError: the head contradicts an anchor or a claim.
            StoreError: the anchors, the key or the database can't be reached.
        """
        if standing.newest is None:
            self.checkpoints.ensure_indexes()
        # The next anchor may turn out to be of an older head that another auditor has claimed. It is made as claimed,
        # and ours comes after it: hence more than one round.
        for _ in range(_TRIES):
            newest, holds = standing.newest, standing.holds
            if holds is not None:
                if holds.checkpoint.size > head.size:
                    return newest  # an audit that began later was faster
                prove_extends(self.tree, head, holds.checkpoint)
            # If newest does not hold, a restore was declared: an anchor is due however little the chain has grown.
            if newest is not None and newest is holds and not self._is_due(head, newest, covers):
                return newest
            if head.size == 0 or (newest is not None and self._is_unannounced(head, newest)):
                return newest
            anchor = self._place(head, standing)
            if anchor is None:
                return newest
            self._keep_copy(head.chain, anchor)
            standing.newest = standing.holds = anchor
        return standing.newest

    def _is_due(self, head: VerifiedHead, newest: Anchor, covers: Callable[[str, Anchor], bool]) -> bool:
        """Whether the chain has grown, or has not for so long that this must be shown."""
        if head.size > newest.checkpoint.size:
            return True
        return self._clock() - newest.seal.time >= self.idle_millis and not covers(head.chain, newest)

    def _is_unannounced(self, head: VerifiedHead, newest: Anchor) -> bool:
        """Whether our key differs from the newest anchor's and the verified part of the chain does not say so yet."""
        key, number = self.current_key, newest.seal.number + 1
        return newest.keys[0].public_key != key and not self.history.rotated(head.chain, number, key, head.size)

    def _place(self, head: VerifiedHead, standing: Standing) -> Anchor | None:
        """Make the next anchor, of our head or as another auditor has claimed it; None if it claims a later head.

        One claim gives one text, and a key gives one Ed25519 signature for it. So auditors with the same keys make the
        same anchor of a claim.
        """
        newest = standing.newest
        number = newest.seal.number + 1 if newest else 1
        since = newest.seal.time if newest else 0
        seal = Seal(number, max(self._clock(), since), newest.digest if newest else NO_ANCHOR)
        checkpoint = Checkpoint(origin_line(head.origin, head.chain, standing.epoch), head.size, head.root)
        claim = seal.message(format_checkpoint(checkpoint))
        if not self.anchors.create(head.chain, claim_key(number, standing.epoch), claim):
            # There is a claim, perhaps this very one: go on with what stands there, whatever ours was.
            written = self.anchors.read(head.chain, claim_key(number, standing.epoch)) or b""
            checkpoint, seal = self._claimed(written, head, checkpoint, seal, standing)
            if checkpoint.size > head.size:  # not verified here: its own auditor, or the next audit, signs it
                return None
        data = sign_anchor(checkpoint, seal, self.signers)
        # If there is one, another auditor was faster, or our own put had succeeded.
        if not self.anchors.create(head.chain, note_key(number), data):
            data = self.anchors.read(head.chain, note_key(number)) or b""
        anchor = self._verified(data, number)
        place = (anchor.checkpoint, anchor.seal.number, anchor.seal.previous)
        if place != (checkpoint, seal.number, seal.previous):
            raise refused("checkpoint_invalid", None, f"anchor {number} is not what was claimed for it")
        return anchor

    def _claimed(
        self, written: bytes, head: VerifiedHead, ours: Checkpoint, seal: Seal, standing: Standing
    ) -> tuple[Checkpoint, Seal]:
        """Return what is claimed for the next anchor, once it is known to be true.

        Anyone who can write to the anchor store could have put a claim there, so nothing in it is trusted: it must be
        for this log and place, not be of fewer events than before, and the head that was verified must extend it.

        Raises:
            AnchorRefusedError: it is not true, or no claim.
        """
        try:
            claimed, other = parse_claim(written)
        except EvidenceError as error:
            raise refused("checkpoint_invalid", None, f"the claim of anchor {seal.number}: {error}") from error
        if (other.number, other.previous, claimed.origin) != (seal.number, seal.previous, ours.origin):
            raise refused("checkpoint_invalid", None, f"the claim of anchor {seal.number} is of another log or place")
        since = standing.newest.seal.time if standing.newest else 0
        if not since <= other.time <= self._clock() + _FUTURE_MILLIS:
            other = seal  # its writer's clock was wrong, and a time alone makes no claim untrue
        if claimed.size < (standing.holds.checkpoint.size if standing.holds else 1):
            raise refused("checkpoint_invalid", None, f"the claim of anchor {seal.number} is of fewer than before it")
        if claimed.size <= head.size:
            prove_extends(self.tree, head, claimed)
        elif claimed.size > (self.tree.newest_size(head.chain) or 0):  # so no audit has verified it
            raise refused("checkpoint_invalid", None, f"the claim of anchor {seal.number} is of more than there is")
        return claimed, other

    def _verified(self, data: bytes, number: int) -> Anchor:
        """Verify an anchor that was read a second time: it may be another by now."""
        try:
            return verify_anchor(data, self.history.public_keys)
        except EvidenceError as error:
            raise refused("checkpoint_invalid", None, f"anchor {number}: {error}") from error

    def _keep_copy(self, chain: str, anchor: Anchor) -> None:
        """Add the database's copy of an anchor.

        Raises:
            AnchorRefusedError: the database has another copy of it.
        """
        try:
            self.checkpoints.add(self._copy_of(chain, anchor))
        except CorruptionError as error:
            raise refused("checkpoint_invalid", None, f"the database's copies: {error}") from error

    def _copy_of(self, chain: str, anchor: Anchor) -> AnchorCopy:
        return copy_of(chain, anchor, self.anchors.pack_of(chain, note_key(anchor.seal.number)))
