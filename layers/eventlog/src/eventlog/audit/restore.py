"""Going on after a chain had to be restored from a backup: declared by an operator, signed, kept for good.

The anchors made since the backup contradict the chain, and will for ever. What is left of it must be intact by itself;
it goes on under its next origin line, with an event that says what was lost and a signed note beside the anchors.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.history import Standing
from eventlog.anchors.keys import claim_key, note_key, restore_key
from eventlog.anchors.orders import OrderNotes, append_order
from eventlog.anchors.registry import Registry
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.audit.witnessed import WitnessView
from eventlog.clock import now_millis
from eventlog.errors import InvalidError, NotFoundError
from eventlog.formats.anchor import Anchor, parse_claim, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.proof import verify_consistency
from eventlog.formats.restore import Restore, format_restore, sign_restore
from eventlog.formats.strict_json import Problem
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import Chain, EventStore
from eventlog.store.interface.audits import AuditDatabase


@dataclass(frozen=True, slots=True)
class Restorer:
    """Declares restores. ``auditor`` is the one that anchors."""

    store: EventStore
    audits: AuditDatabase
    anchoring: Anchoring
    auditor: Auditor
    orders: OrderNotes | None = field(default=None, kw_only=True)
    """The erasures and holds that are kept beside the anchors; None: nothing can be erased or held in this log."""
    witnessed: WitnessView | None = field(default=None, kw_only=True)
    """What witnesses have shown; None: nobody is asked."""
    clock: Callable[[], int] = field(default=now_millis, kw_only=True)

    def restore(self, chain: str, reason: str) -> AuditReport:
        """Declare that a chain was restored, and anchor it anew; the report of the full audit that does it.

        Raises:
            NotFoundError: there is no such chain, or it was never anchored.
            InvalidError: nothing was lost, a witness shows what is no anchor, what is left is damaged, or
                the reason is not one line of text.
            StoreError: the database, the anchors or the key can't be reached.
        """
        # The chain alone may be that of a backup: then the copies of anchors are, and the list of all heads is not.
        if self.anchoring.packed is not None:
            self.anchoring.packed.search_all()
        # What is left is settled, so that it stands where the audit of it alone will verify it.
        self.store.settle(chain)
        found = self.store.chain(chain)
        if found is None:
            raise NotFoundError(f"There is no chain {chain}; nothing of it was restored.")
        standing = self.anchoring.history.standing(chain, [found.origin])
        # A restore is declared against an anchor that the chain contradicts, or against what an auditor has claimed for
        # the next one, and perhaps signed, before it died: nothing else could ever be anchored there. Without either,
        # or if it still extends both, there is nothing to declare.
        claimed = self._claimed(chain, standing)
        found = self.store.chain(chain) or found  # what was claimed was there by then
        is_lost = claimed is not None and not self._extends(found, claimed)
        # Where anything stands or is told of, but no newest anchor is found, somebody has damaged or made up copies or
        # anchors: no claim counts there, as nothing says which number is next.
        if standing.newest is None and (not is_lost or standing.last or standing.findings):
            raise NotFoundError(f"Chain {chain} was never anchored; there is nothing to go on from.")
        kept = self._kept(found, standing)
        if kept is not None and kept == standing.holds and not is_lost:
            raise InvalidError([Problem("/chain", "it extends its newest anchor: nothing was lost")])
        self._check_witnesses(chain, standing)
        # The signed note comes last: until it is there the anchors contradict the chain, as they did, and after a crash
        # the restore is declared again. The event that says what was lost is in the chain before the note allows it to
        # go on.
        declared = self._declared(found, standing, kept, reason)
        self._check_alone(found, declared)
        self._write(found, standing, declared, claimed if is_lost else None)
        self._order_again(found)
        data = sign_restore(declared, self.anchoring.signers)
        self.anchoring.anchors.create(chain, restore_key(standing.epoch + 1), data)
        return self.auditor.run(self.auditor.start(chain, "full"), float("inf"))

    def _check_witnesses(self, chain: str, standing: Standing) -> None:
        """Refuse to give up what a witness alone still knows of: after a restore its evidence no longer counts."""
        # A backup of the database takes no anchor away, and nothing but anchors is ever signed. So where a witness has
        # a checkpoint that is no anchor, one was removed or replaced, and to declare a restore then would hide it.
        for witness, shown in self.witnessed.shown(chain) if self.witnessed else ():
            if not self._is_anchored(chain, standing.newest, shown):
                what = f"the witness {witness} shows a checkpoint of {shown.size} events that this log has signed"
                detail = f"{what}, and it is none of the anchors: one is missing or damaged, so find that first"
                raise InvalidError([Problem("/chain", detail)])

    def _is_anchored(self, chain: str, newest: Anchor | None, shown: Checkpoint) -> bool:
        """Whether a checkpoint of the line in force is an anchor; they grow, so older ones than it aren't looked at."""
        for anchor in self._anchors(chain, newest):
            if anchor.checkpoint.size <= shown.size:
                return (anchor.checkpoint.size, anchor.checkpoint.root) == (shown.size, shown.root)
        return False

    def _anchors(self, chain: str, newest: Anchor | None) -> Iterator[Anchor]:
        """Iterate backwards over the anchors up to this one."""
        for number in range(newest.seal.number if newest else 0, 0, -1):
            data = self.anchoring.anchors.read(chain, note_key(number))
            # One that is missing, can't be verified or is another one does not stop the search: one before it may be
            # there.
            with suppress(EvidenceError):
                anchor = verify_anchor(data or b"", self.anchoring.history.public_keys)
                if anchor.seal.number == number:
                    yield anchor

    def _claimed(self, chain: str, standing: Standing) -> Checkpoint | None:
        """Read what is claimed for the next anchor; None: nothing, or nothing that an auditor can have claimed."""
        number = standing.newest.seal.number + 1 if standing.newest else 1
        data = self.anchoring.anchors.read(chain, claim_key(number, standing.epoch))
        with suppress(EvidenceError):
            return None if data is None else parse_claim(data)[0]
        return None

    def _extends(self, found: Chain, head: Checkpoint) -> bool:
        """Whether the chain is proven to extend a checkpoint of it."""
        if head.size > found.state.size:
            return False
        try:
            tree = self.anchoring.tree.consistency(found.name, head.size, found.state.size)
            verify_consistency(head.size, found.state.size, tree.hashes, head.root, found.state.root)
        except (EvidenceError, CorruptionError):
            return False
        return True

    def _kept(self, found: Chain, standing: Standing) -> Anchor | None:
        """Find the newest anchor that the chain still extends, searching backwards."""
        for anchor in self._anchors(found.name, standing.holds or standing.newest):
            # One that isn't extended does not stop the search either. One that an earlier restore has given up never
            # holds again.
            number, size = anchor.seal.number, anchor.checkpoint.size
            if any(restore.supersedes(number, size) for restore in standing.restores):
                continue
            if self._extends(found, anchor.checkpoint):
                return anchor
        return None

    def _declared(self, found: Chain, standing: Standing, kept: Anchor | None, reason: str) -> Restore:
        newest = standing.newest
        # If no anchor is still extended, nothing is kept: number 0, of 0 events.
        declared = Restore(
            origin=origin_line(found.origin, found.name, standing.epoch + 1),
            number=newest.seal.number + 1 if newest else 1,
            kept=kept.seal.number if kept else 0,
            kept_size=kept.checkpoint.size if kept else 0,
            time=self.clock(),
            reason=reason,
        )
        try:
            format_restore(declared)  # before anything is written: only the reason can be refused
        except EvidenceError as error:
            raise InvalidError([Problem("/reason", str(error))]) from error
        return declared

    def _check_alone(self, found: Chain, declared: Restore) -> None:
        """Check that what is left is intact in itself; what earlier audits saw beyond it is forgotten."""
        self.audits.forget_verified(found.name, declared.kept_size)
        alone = Auditor(self.store, self.audits, found.origin, last_word=False)
        report = alone.run(alone.start(found.name, "full"), float("inf"))
        if report.status != "intact":
            detail = f"what is left of it is damaged, see audit {report.audit_id}"
            raise InvalidError([Problem("/chain", detail)])

    def _order_again(self, found: Chain) -> None:
        """Bring erasures and holds back into the chain that the backup didn't have: what they ordered is in force.

        What an erasure names is known by its hash, so where other events stand now nothing is erased.
        """
        for order, note in self.orders.notes(found.name) if self.orders else ():
            append_order(self.store, order, note, self.clock())

    def _write(self, found: Chain, standing: Standing, declared: Restore, claimed: Checkpoint | None) -> None:
        newest = standing.newest
        payload: dict[str, object] = {
            "reason": declared.reason,
            "origin": declared.origin,
            "kept": {"anchor": declared.kept, "size": declared.kept_size},
            "size": found.state.size,
            "lost_checkpoint": newest.data.decode() if newest else "",
        }
        if claimed is not None:
            payload["lost_claim"] = format_checkpoint(claimed)
        name = sha256(format_restore(declared).encode()).hexdigest()[:16]
        registry = Registry(self.store, self.clock)
        registry.write(found.name, f"eventlog.restored-{name}", "eventlog.chain_restored", payload)
