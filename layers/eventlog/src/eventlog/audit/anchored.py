"""The anchors' part in an audit: what is anchored before it, the marks on its way, and its own anchor at the end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.gathering import Gathering
from eventlog.anchors.history import Standing, rotation_id
from eventlog.anchors.registry import Registry
from eventlog.anchors.rounds import ROUNDS
from eventlog.anchors.standings import STANDINGS
from eventlog.anchors.store import is_name
from eventlog.anchors.strike_offs import StrikeOffs
from eventlog.anchors.verified_head import AnchorRefusedError, VerifiedHead
from eventlog.anchors.walk import Step
from eventlog.audit.heads import AllHeads, ListedNames
from eventlog.audit.report import AuditReport
from eventlog.audit.run import AuditRun, OpenReport
from eventlog.audit.run_documents import encode_run, voucher_message
from eventlog.audit.vouchers import Vouchers
from eventlog.chain_names import REGISTRY
from eventlog.formats.anchor import Anchor
from eventlog.formats.event import Event
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.store.errors import CorruptionError, StoreError
from eventlog.store.interface import EventStore
from eventlog.verify.findings import Finding


class AuditAnchors:
    """An audit's work on anchors; none if ``anchoring`` is None. If anchors can't be reached, it is incomplete."""

    def __init__(
        self,
        store: EventStore,
        anchoring: Anchoring | None,
        origin: str,
        clock: Callable[[], int],
        *,
        vouchers: Vouchers,
        heads: AllHeads,
    ) -> None:
        self._heads = heads
        self._store = store
        self._anchoring = anchoring
        self.vouchers = vouchers
        self._origin = origin
        self._registry = Registry(store, clock)

    @property
    def gathering(self) -> Gathering | None:
        """See ``RoundParts.gathering``."""
        packed = self._anchoring.packed if self._anchoring else None
        return packed.gathering if packed is not None and packed.is_packing else None

    def begin_anew(self) -> None:
        """See ``PackedAnchors.begin_anew``.

        Raises:
            StoreError: the database, the anchors or a key can't be reached.
        """
        if self._anchoring is not None and self._anchoring.packed is not None:
            self._anchoring.packed.begin_anew()

    def names(self, stored: Iterable[str], start: int = 0, before: Iterable[str] = ()) -> ListedNames:
        """List every chain in the database, the anchor store or the registry, which is read from seq ``start`` on.

        The registry itself comes last, as the audits of the others add to it. ``before``: the chains known before that.
        """
        names, registered = set(stored), set[str]()
        if self._anchoring is not None:
            with suppress(StoreError):  # the audits of what is known will say so
                names.update(set(self._anchoring.anchors.chains()) - {ROUNDS, STANDINGS})
            with suppress(StoreError):
                registered.update(self._registry.names(start, before))
                start = self._registry.read_to
        return ListedNames([*sorted((names | registered) - {REGISTRY}), REGISTRY], registered, start)

    def look(self, opened: OpenReport, origin: str | None = None, *, alone: bool = False) -> Standing | None:
        """Read what is anchored of the chain before anything else, and announce a change of keys in the chain.

        ``origin``: the chain's, if the caller has just read it. ``alone``: the audit is no part of a round, for which
        everything was looked at. None: nothing is anchored in this log.
        """
        chain = opened.report.chain
        if not is_name(chain):
            opened.emit(Finding("unexpected", None, None, None, "no chain can have this name"))
            return None if self._anchoring is None else Standing()
        if self._anchoring is None:
            return None
        try:
            if alone:
                self.begin_anew()
            origins = self._origins(chain) if origin is None else list(dict.fromkeys([origin, self._origin]))
            standing = self._anchoring.history.standing(chain, origins)
        except StoreError as error:
            opened.leave_incomplete(f"what is anchored is not known: {error}")
            return Standing()
        try:
            # A change of keys is announced now, so that this audit verifies the event before it signs with the new key.
            self._rotate(chain, standing)
        except StoreError as error:  # the chain is held against its anchors all the same
            opened.leave_incomplete(f"a change of keys could not be announced: {error}")
        # A full audit reads every anchor on its way, so it finds by itself what is wrong with the last ones.
        incremental = opened.report.mode == "incremental"
        for finding in standing.restore_findings + (standing.findings if incremental else []):
            opened.emit(finding)
        try:
            self._look_at_registry(opened, standing, origins)
        except StoreError as error:
            opened.leave_incomplete(f"what the registry says is not known: {error}")
        opened.report = with_anchor(opened.report, standing.holds)
        return standing

    def _look_at_registry(self, opened: OpenReport, standing: Standing, origins: list[str]) -> None:
        """Report a chain that was registered, and has no anchor; and strike-offs that nobody here has signed."""
        chain = opened.report.chain
        with suppress(CorruptionError):  # the registry's own audit says so
            entries = [] if standing.last else self._registry.entries(chain)
            if not all(self._is_void(chain, entry) for entry in entries) and not self._is_anchored_now(chain, origins):
                detail = "the registry says that this chain was anchored, but there is no anchor of it"
                opened.emit(Finding("checkpoint_missing", None, None, None, detail))
        if chain == REGISTRY:
            for finding in self._strike_offs().findings():
                opened.emit(finding)
            for finding in packed.findings() if (packed := self._anchoring and self._anchoring.packed) else ():
                opened.emit(finding)
            for finding in self._heads.list.forged(whole=opened.report.mode == "full"):
                opened.emit(finding)

    def _is_anchored_now(self, chain: str, origins: list[str]) -> bool:
        """Whether another audit has made the chain's first anchor, and registered it, since this one looked."""
        assert self._anchoring is not None
        if self._anchoring.packed is not None:
            self._anchoring.packed.look()
        return bool(self._anchoring.history.standing(chain, origins).last)

    def _strike_offs(self) -> StrikeOffs:
        assert self._anchoring is not None
        return StrikeOffs(self._anchoring.anchors, self._anchoring.history.public_keys, self._origins(REGISTRY))

    def _is_void(self, chain: str, entry: Event) -> bool:
        return self._strike_offs().is_void(chain, entry.seq, entry.hash)

    def steps(self, run: AuditRun) -> Iterator[Step]:
        """Iterate over the anchors that a full audit checks; an incremental one checked the last ones in ``look``."""
        walk, report = run.walk, run.report
        if self._anchoring is None or not walk.last or report.mode != "full":
            return
        if self._anchoring.packed is not None:
            self._anchoring.packed.look()
        reader = self._anchoring.history.reader(report.chain, list(dict.fromkeys([run.origin, self._origin])))
        copies = self._anchoring.checkpoints.stored(report.chain, walk.reached.number + 1)
        yield from reader.walk(walk.reached, reader.restores()[0], copies, walk.last, walk.copied)

    def vouch(self, run: AuditRun) -> None:
        """Sign what a running audit is stored as, so that it can be resumed and still anchor what it finds.

        If nothing is anchored, or signing fails, it is not signed; whoever resumes the audit then anchors nothing.
        """
        run.voucher = self.vouchers.sign(partial(voucher_message, encode_run(run)))

    def check_voucher(self, run: AuditRun, stored: bytes) -> None:
        """Check that an audit has lately signed the state that this one resumes from, given as it is ``stored``.

        Otherwise anyone who can write to the database could claim that events were verified, and have that anchored.
        """
        voucher, run.voucher = run.voucher, None  # the state will change, and is signed anew when it is stored
        if refusal := self.vouchers.refusal(partial(voucher_message, stored), voucher):
            run.leave_incomplete(
                f"the state that it was resumed from is not believed, and it is not anchored: {refusal}"
            )

    def advance(self, run: AuditRun, head: VerifiedHead) -> None:
        """Anchor what was found intact, and register the chain once it is anchored."""
        if self._anchoring is None:
            return
        try:
            # The anchors are read again: others may have been made while this audit ran. The chain's origin is not: it
            # is the one that this audit has verified under.
            origins = list(dict.fromkeys([run.origin, self._origin]))
            standing = self._anchoring.history.standing(head.chain, origins)
            for finding in standing.restore_findings + standing.findings:
                run.emit(finding)
            # The origin comes from the database alone, and whoever controls that can write any. So a first anchor is
            # made for the log's own name only.
            if standing.newest is None and head.origin != self._origin:
                because = f"its origin is {head.origin}, and a first anchor is made for {self._origin} alone"
                run.leave_incomplete(because)
            elif not run.report.findings_total:
                # If an auditor died before it made its copies, they come first, so that there is no gap; then the head.
                self._anchoring.keep_copies(head.chain, standing)
                anchor = self._anchoring.advance(head, standing, self._heads.covers)
                run.report = with_unanchored(with_anchor(run.report, anchor), run.size)
                if anchor is not None:
                    self._heads.note(run, anchor)
                    with suppress(CorruptionError):  # the registry's own audit says so
                        self._registry.add(head.chain, head.origin, self._is_void)
        except AnchorRefusedError as error:
            run.emit(error.finding)
        except StoreError as error:
            run.leave_incomplete(f"what was verified could not be anchored: {error}")

    def _rotate(self, chain: str, standing: Standing) -> None:
        """Announce in the chain itself, in advance, that another key will sign from the next anchor on.

        Nothing is announced if something is wrong with the anchors, or while the chain is shorter than what they cover:
        then nothing will be anchored, and the event would only stand beside the damage.
        """
        newest, holds, anchoring = standing.newest, standing.holds, self._anchoring
        if newest is None or anchoring is None or standing.findings or standing.restore_findings:
            return
        # The key that sealed the newest anchor stands first among its keys.
        old, new = newest.keys[0], VerifierKey(newest.checkpoint.origin, anchoring.current_key)
        found = self._store.chain(chain) if old != new else None
        if found is not None and found.state.size >= (holds.checkpoint.size if holds else 0):
            payload = {"from": format_vkey(old), "to": format_vkey(new)}
            event_id = rotation_id(newest.seal.number + 1, new.public_key)
            self._registry.write(chain, event_id, "eventlog.key_rotated", payload)

    def _origins(self, chain: str) -> list[str]:
        """List the origins that the chain may have: its sequence document's, and the one in the settings."""
        try:
            found = self._store.chain(chain)
        except StoreError:
            found = None
        return list(dict.fromkeys([found.origin if found else self._origin, self._origin]))


def with_anchor(report: AuditReport, anchor: Anchor | None) -> AuditReport:
    """Add to a report how far the chain is anchored, and since when."""
    if anchor is None:
        return report
    return replace(report, anchored_size=anchor.checkpoint.size, anchored_at=anchor.seal.time)


def with_unanchored(report: AuditReport, size: int | None) -> AuditReport:
    """Add to a report how many of the chain's ``size`` events the newest anchor does not cover."""
    if size is None:
        return report
    return replace(report, unanchored_events=max(0, size - (report.anchored_size or 0)))
