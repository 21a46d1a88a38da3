"""What is anchored of a chain: the newest anchors, and whether any that the database has copies of are gone."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import islice

from eventlog.anchors.keys import note_key
from eventlog.anchors.packed import PackedAnchors
from eventlog.anchors.store import AnchorStore
from eventlog.anchors.walk import AnchorReader, Reached
from eventlog.chain_names import REGISTRY
from eventlog.formats.anchor import Anchor, verify_anchor
from eventlog.formats.errors import EvidenceError
from eventlog.formats.restore import Restore
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import EventReader
from eventlog.store.interface.anchor_copies import AnchorCopies
from eventlog.stored.anchor_copies import decode_copy
from eventlog.stored.errors import NotOursError
from eventlog.verify.findings import Finding

_CHAINS = 100
"""Chains whose first anchors are read at most."""
_KEYS = 1000
"""Keys of a chain that are kept at once: as many as S3 lists in one answer."""


@dataclass(slots=True)
class Standing:
    """What is anchored of a chain.

    ``copied`` is the highest number that the database has a copy of, ``copy`` that copy as it is stored, ``last`` the
    highest number of all. ``holds`` is the
    newest anchor that the chain must extend: ``newest``, unless a restore was declared after it.
    """

    newest: Anchor | None = None
    copy: bytes = b""
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


class AnchorHistory:
    """Reads the anchors of all chains; ``public_keys``: those whose signatures count."""

    def __init__(
        self,
        events: EventReader,
        checkpoints: AnchorCopies,
        anchors: AnchorStore,
        public_keys: Callable[[], Sequence[bytes]],
    ) -> None:
        self._events = events
        self._checkpoints = checkpoints
        self._anchors = anchors
        self._trusted = public_keys

    @property
    def public_keys(self) -> Sequence[bytes]:
        """The public keys whose signatures count.

        Raises:
            SigningError: a key can't be asked for.
        """
        return self._trusted()

    def first_time(self) -> int | None:
        """Find when the first anchor of all chains was made, in milliseconds since 1970; None: nothing says so."""
        # With very many chains the registry's will do, which was anchored in the first round of the schedule.
        chains = [REGISTRY, *islice(self._anchors.chains(), _CHAINS)]
        times: list[int] = []
        for chain in chains:
            with suppress(EvidenceError):  # the audit of the chain reports what is wrong with it
                times.append(verify_anchor(self._anchors.read(chain, note_key(1)) or b"", self.public_keys).seal.time)
        return min(times, default=None)

    def reader(self, chain: str, origins: Sequence[str]) -> AnchorReader:
        """Open a reader of a chain's anchors; ``origins`` are the names that the log may have in them."""
        return AnchorReader(self._anchors, chain, self.public_keys, origins, partial(self.rotated, chain))

    def standing(self, chain: str, origins: Sequence[str]) -> Standing:
        """Read the last anchors, from the newest one that the database has a copy of on.

        The database is asked before the anchor store: a copy is made only of what has been anchored, so an anchor that
        has a copy and is not found afterwards was removed.

        Raises:
            StoreError: the database, the anchors or a key can't be reached.
        """
        reader, found = self.reader(chain, origins), Standing()
        known = self._known(chain, found)
        # So is the list of heads, which may be read anew meanwhile, by another audit in this process.
        listed_to = self._anchors.committed(chain) if isinstance(self._anchors, PackedAnchors) else 0
        # Start at the anchor that is known, with nothing known of the one before it. It is read again, not taken from
        # the copy, and verified by its signature.
        before = Reached(number=known - 1, digest=None) if known > 1 else Reached()
        # Names of restores come after those of anchors, so one listing has both, unless it is a long one.
        some = list(islice(self._anchors.keys(chain, note_key(before.number)), _KEYS + 1))
        listed = some if len(some) <= _KEYS else None
        found.restores, found.restore_findings = reader.restores(listed)
        found.last = found.copied = known
        for step in reader.walk(before, found.restores, listed=listed):
            found.findings += step.findings
            found.newest = step.anchor or found.newest
            found.last = max(found.last, step.reached.number)
        reached = found.newest.seal.number if found.newest else 0
        # The list of heads may know of more than the copies: then somebody has removed both.
        known = max(known, listed_to)
        if reached < known and not any(f.kind == "checkpoint_invalid" for f in found.findings):
            detail = f"anchor {known} is not where anchors are kept"
            found.findings.append(Finding("checkpoint_missing", None, str(known), None, detail))
        found.holds = self._holding(chain, found)
        return found

    def _known(self, chain: str, found: Standing) -> int:
        """Return the highest number that the database has a copy of; a damaged copy is a finding."""
        try:
            raw = self._checkpoints.newest_raw(chain)
            copy = None if raw is None else decode_copy(raw)
        except (CorruptionError, NotOursError) as error:
            found.findings.append(Finding("checkpoint_invalid", None, None, None, f"the database's copy: {error}"))
            return 0
        if copy is None or raw is None:
            return 0
        if copy.pack is not None and isinstance(self._anchors, PackedAnchors):
            self._anchors.look(copy.pack)
        found.copy = raw
        return copy.number

    def _holding(self, chain: str, found: Standing) -> Anchor | None:
        """Return the newest anchor, or if a restore was declared after it, the one that the restore has kept."""
        newest = found.newest
        if newest is None or not found.restores:
            return newest
        last = found.restores[-1]
        if not last.supersedes(newest.seal.number, newest.checkpoint.size):
            return newest
        # The newest anchor contradicts the restored chain. The one that the restore names is read and verified anew.
        try:
            data = self._anchors.read(chain, note_key(last.kept)) if last.kept else None
            return None if data is None else verify_anchor(data, self.public_keys)
        except EvidenceError as error:
            detail = f"anchor {last.kept}: {error}"
            found.findings.append(Finding("checkpoint_invalid", None, None, None, detail))
            return None

    def rotated(self, chain: str, number: int, key: bytes, size: int | None = None) -> bool:
        """Whether the chain, or its first ``size`` events, says that this key is used from this anchor on."""
        event = self._events.get(chain, rotation_id(number, key))
        return event is not None and (size is None or event.seq < size)


def rotation_id(number: int, key: bytes) -> str:
    """Return the id of the event that says that this key is used from this anchor on."""
    return f"eventlog.key-{number}-{sha256(key).hexdigest()[:16]}"
