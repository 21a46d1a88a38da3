"""Anchoring: a chain's verified head is signed and kept outside the database, one anchor after the other.

Nothing is signed before what is to be signed has been put, exclusively, into its place as a claim; whoever finds one,
because two are at work at once or one has died, finishes that very one or, if it is not true, refuses. So there are
never two roots for one size, nor a smaller or inconsistent tree, under one name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from eventlog.formats.anchor import NO_ANCHOR, Anchor, Seal, parse_claim, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer
from eventlog.formats.proof import verify_consistency
from eventlog.formats.restore import Restore
from eventlog.service.anchor_walk import AnchorReader, Reached, claim_key, note_key, record_of
from eventlog.service.clock import now_millis
from eventlog.service.verify import Finding
from eventlog.store.anchors import AnchorStore
from eventlog.store.checkpoints import CheckpointStore
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import EventStore
from eventlog.store.tree import TreeReader

_FUTURE_MILLIS = 300_000
_TRIES = 5


@dataclass(slots=True)
class Standing:
    """What is anchored of a chain.

    ``copied`` is the highest number that the database knows, ``last`` that of all. ``holds`` is the newest anchor
    that the chain must extend: ``newest`` unless a restore was declared after it.
    """

    newest: Anchor | None = None
    holds: Anchor | None = None
    copied: int = 0
    last: int = 0
    restores: list[Restore] = field(default_factory=list)
    restore_findings: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """Which origin line the next anchor is under."""
        return len(self.restores) + 1


@dataclass(frozen=True, slots=True)
class Head:
    """A chain's head that an audit has verified."""

    chain: str
    origin: str
    size: int
    root: bytes


class RefusedError(Exception):
    """What was verified contradicts what is anchored or claimed: nothing is signed. ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


class Anchoring:
    """Signs and anchors. ``signers``: the current one first; ``public_keys``: all that are trusted."""

    def __init__(
        self,
        store: EventStore,
        tree: TreeReader,
        checkpoints: CheckpointStore,
        anchors: AnchorStore,
        *,
        signers: Sequence[Signer],
        public_keys: Callable[[], Sequence[bytes]],
        idle_millis: int,
        clock: Callable[[], int] = now_millis,
    ) -> None:
        self.anchors = anchors
        self.checkpoints = checkpoints
        self.tree = tree
        self._store = store
        self.signers = signers
        self._trusted = public_keys
        self._idle_millis = idle_millis
        self._clock = clock

    @property
    def public_keys(self) -> Sequence[bytes]:
        """Whose signatures count.

        Raises:
            StoreError: a key can't be asked for.
        """
        return self._trusted()

    @property
    def current_key(self) -> bytes:
        """The public key that new anchors are sealed by."""
        return self.signers[0].public_key

    def reader(self, chain: str, origins: Sequence[str]) -> AnchorReader:
        """Reads a chain's anchors."""
        return AnchorReader(self.anchors, chain, self.public_keys, origins, partial(self._rotated, chain))

    def standing(self, chain: str, origins: Sequence[str]) -> Standing:
        """Look at the last anchors, from the newest one that the database knows on.

        The database is asked first: what it knows has been anchored.
        """
        reader, found = self.reader(chain, origins), Standing()
        known = self._known(chain, found)
        found.restores, found.restore_findings = reader.restores()
        before = Reached(number=known - 1, digest=None) if known > 1 else Reached()
        found.last = found.copied = known
        for step in reader.walk(before, found.restores):
            found.findings += step.findings
            found.newest = step.anchor or found.newest
            found.last = max(found.last, step.reached.number)
        reached = found.newest.seal.number if found.newest else 0
        if reached < known and not any(f.kind == "checkpoint_invalid" for f in found.findings):
            detail = f"anchor {known} is not where anchors are kept"
            found.findings.append(Finding("checkpoint_missing", None, str(known), None, detail))
        found.holds = self._holding(chain, found)
        return found

    def keep_copies(self, chain: str, standing: Standing) -> None:
        """Give the database the copies of the newest anchors that it lacks because somebody died before that.

        Raises:
            RefusedError, StoreError
        """
        newest = standing.newest
        if newest is None:
            return
        first = self._known(chain, standing) + 1
        for number in range(first, newest.seal.number):
            data = self.anchors.read(chain, note_key(number))
            self._keep_copy(chain, verify_anchor(data or b"", self.public_keys))
        self._keep_copy(chain, newest)

    def advance(self, head: Head, standing: Standing) -> Anchor | None:
        """Anchor a verified head, if there is something new to say; the newest anchor then.

        Raises:
            RefusedError: the head contradicts an anchor or a claim.
            StoreError: the anchors, the key or the database can't be reached.
        """
        if standing.newest is None:
            self.checkpoints.ensure_indexes()
        for _ in range(_TRIES):
            newest, holds = standing.newest, standing.holds
            if holds is not None:
                if holds.checkpoint.size > head.size:
                    return newest  # an audit that began later was faster
                self._prove(head, holds.checkpoint)
            if newest is not None and newest is holds and not self._is_due(head, newest):
                return newest
            if head.size == 0:
                return newest
            anchor = self._place(head, standing)
            if anchor is None:
                return newest
            self._keep_copy(head.chain, anchor)
            standing.newest = standing.holds = anchor
        return standing.newest

    def _known(self, chain: str, found: Standing) -> int:
        """The highest number that the database has a copy of."""
        try:
            copy = self.checkpoints.newest(chain)
        except CorruptionError as error:
            found.findings.append(Finding("checkpoint_invalid", None, None, None, f"the database's copy: {error}"))
            return 0
        return 0 if copy is None else copy.number

    def _holding(self, chain: str, found: Standing) -> Anchor | None:
        """The newest anchor, or the last one that a restore after it has kept."""
        newest = found.newest
        if newest is None or not found.restores:
            return newest
        last = found.restores[-1]
        if not last.supersedes(newest.seal.number, newest.checkpoint.size):
            return newest
        try:
            data = self.anchors.read(chain, note_key(last.kept)) if last.kept else None
            return None if data is None else verify_anchor(data, self.public_keys)
        except EvidenceError as error:
            detail = f"anchor {last.kept}: {error}"
            found.findings.append(Finding("checkpoint_invalid", None, None, None, detail))
            return None

    def _is_due(self, head: Head, newest: Anchor) -> bool:
        """Whether the chain has grown, or has been silent so long that this must be said."""
        grown = head.size > newest.checkpoint.size
        return grown or self._clock() - newest.seal.time >= self._idle_millis

    def _place(self, head: Head, standing: Standing) -> Anchor | None:
        """Make the next anchor, of our head or as somebody has claimed it; None if that one is of a later head."""
        newest = standing.newest
        number = newest.seal.number + 1 if newest else 1
        since = newest.seal.time if newest else 0
        seal = Seal(number, max(self._clock(), since), newest.digest if newest else NO_ANCHOR)
        checkpoint = Checkpoint(origin_line(head.origin, head.chain, standing.epoch), head.size, head.root)
        claim = seal.message(format_checkpoint(checkpoint))
        if not self.anchors.create(head.chain, claim_key(number, standing.epoch), claim):
            written = self.anchors.read(head.chain, claim_key(number, standing.epoch)) or b""
            checkpoint, seal = self._claimed(written, head, checkpoint, seal, since=since)
            if checkpoint.size > head.size:
                return None
        data = sign_anchor(checkpoint, seal, self.signers)
        if not self.anchors.create(head.chain, note_key(number), data):
            data = self.anchors.read(head.chain, note_key(number)) or b""
        anchor = self._verified(data, number)
        if (anchor.checkpoint, anchor.seal) != (checkpoint, seal):
            raise _refused("checkpoint_invalid", None, f"anchor {number} is not what was claimed for it")
        return anchor

    def _claimed(
        self, written: bytes, head: Head, ours: Checkpoint, seal: Seal, *, since: int
    ) -> tuple[Checkpoint, Seal]:
        """What stands claimed for the next anchor, once it is known to be true."""
        try:
            claimed, other = parse_claim(written)
        except EvidenceError as error:
            raise _refused("checkpoint_invalid", None, f"the claim of anchor {seal.number}: {error}") from error
        if (other.number, other.previous, claimed.origin) != (seal.number, seal.previous, ours.origin):
            raise _refused("checkpoint_invalid", None, f"the claim of anchor {seal.number} is of another log or place")
        if not since <= other.time <= self._clock() + _FUTURE_MILLIS:
            raise _refused("checkpoint_invalid", None, f"the claim of anchor {seal.number} has an impossible time")
        if claimed.size <= head.size:
            self._prove(head, claimed)
        return claimed, other

    def _verified(self, data: bytes, number: int) -> Anchor:
        try:
            return verify_anchor(data, self.public_keys)
        except EvidenceError as error:
            raise _refused("checkpoint_invalid", None, f"anchor {number}: {error}") from error

    def _prove(self, head: Head, earlier: Checkpoint) -> None:
        """The head extends an earlier one, by a proof that needs no trust in the nodes it is made of."""
        detail = f"the chain does not extend what is anchored or claimed for size {earlier.size}"
        try:
            hashes = self.tree.consistency(head.chain, earlier.size, head.size).hashes
            verify_consistency(earlier.size, head.size, hashes, earlier.root, head.root)
        except (EvidenceError, CorruptionError) as error:
            raise _refused("rewritten", earlier.size - 1, detail, earlier.root) from error

    def _keep_copy(self, chain: str, anchor: Anchor) -> None:
        try:
            self.checkpoints.add(record_of(chain, anchor))
        except CorruptionError as error:
            raise _refused("checkpoint_invalid", None, f"the database's copies: {error}") from error

    def _rotated(self, chain: str, number: int, size: int) -> bool:
        event = self._store.get(chain, rotation_id(number))
        return event is not None and event.seq < size


def rotation_id(number: int) -> str:
    """The id of the event that says that from this anchor on another key is used."""
    return f"eventlog.key-{number}"


def _refused(kind: str, seq: int | None, detail: str, expected: bytes | None = None) -> RefusedError:
    return RefusedError(Finding(kind, seq, expected.hex() if expected else None, None, detail))
