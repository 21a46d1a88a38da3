"""Whether what is erased in a chain was erased by order: of the chain's own events, signed with a governance key.

The verifier takes the payload hash of an erased event as it is stored, and says which events are erased
(``verify/seen.py``). They count if a later event of the chain orders it. Such events are found by their type, once the
audit comes across the first that is erased or orders an erasure: of a chain without any, nothing more is read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from eventlog.audit.run import AuditRun
from eventlog.formats import proof
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.governance import ERASURE, HOLD, RELEASE
from eventlog.formats.orders import Orders
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.audits import AuditReads
from eventlog.verify.documents import understand
from eventlog.verify.findings import Finding
from eventlog.verify.seen import Seen, count, pairs

CLOCKS_DIFFER = 600_000
"""A hold that ran out so lately may have done so for whoever erased, too."""
_AT_ONCE = 200


class Erasures:
    """What one running audit knows of its chain's erasures. ``keys``: the governance keys, 32 bytes each."""

    def __init__(self, audits: AuditReads, run: AuditRun, keys: Sequence[bytes]) -> None:
        self._audits, self._run, self._keys = audits, run, keys
        self._orders: Orders | None = None
        self._found: set[int] = set()

    def judge(self, seen: Seen) -> None:
        """Report what was erased without an order, and orders that are none; count the rest."""
        run = self._run
        if not seen.erased and not seen.erasures:
            return
        for finding in self._wrong(seen):
            run.emit(finding)
        run.ordered += count(seen.erasures)
        unordered = sum(self._by(seq, leaf) is None for seq, leaf in pairs(seen.erased))
        self.count(count(seen.erased) - unordered, seen.left)

    def accepts(self, seen: Seen) -> bool:
        """Whether there is nothing to report; nothing is counted."""
        return not self._wrong(seen)

    def count(self, erased: int, left: int = 0) -> None:
        """Count erased events, and those among them whose payload, stored apart, is still there."""
        report = self._run.report
        pending = report.erasures_pending + left
        self._run.report = replace(report, erased=report.erased + erased, erasures_pending=pending)

    def finish(self) -> None:
        """Count the events that are still to be erased, and prove the orders that this process has not come across.

        An order counts from when it is anchored, and is then carried out within minutes. An audit that is resumed, or
        rests on results of earlier ones, has read the orders by their type alone.
        """
        run = self._run
        report, state = run.report, run.state
        if not run.ordered and not report.erased:
            return
        orders = self._orders or self._read()
        expected = orders.count(report.from_seq, state.size, min(report.anchored_size or 0, state.size))
        self._run.report = replace(report, erasures_pending=report.erasures_pending + max(0, expected - report.erased))
        if state.root is not None and not state.hole:
            inside = sorted(seq for seq in orders.leaves if report.from_seq <= seq < state.size)
            unproven = [seq for seq in inside if seq not in self._found]
            for at in range(0, len(unproven), _AT_ONCE):
                self._prove(orders, unproven[at : at + _AT_ONCE], state.root)

    def _wrong(self, seen: Seen) -> list[Finding]:
        """List what is wrong; once more with the orders as they are now, if there is anything.

        What was ordered, anchored and erased since they were read is none of it.
        """
        if not seen.erased and not seen.erasures:
            return []
        fresh = self._orders is None
        orders = self._orders or self._read()
        if (wrong := self._compare(orders, seen)) and not fresh:
            wrong = self._compare(self._read(), seen)
        return wrong

    def _compare(self, orders: Orders, seen: Seen) -> list[Finding]:
        now, findings = self._run.report.started_at + CLOCKS_DIFFER, []
        for seq, leaf in pairs(seen.erasures):
            if why := orders.refusal(seq, leaf):
                findings.append(Finding("erasure_invalid", seq, None, None, why))
            elif seq in orders.leaves:
                self._found.add(seq)
        for seq, leaf in pairs(seen.erased):
            by = orders.erased_by(seq, leaf)
            if by is None:
                detail = "the payload is gone, and no event of the chain orders that it be erased"
                findings.append(Finding("payload_missing", seq, None, None, detail))
            elif hold := orders.held(seq, by, now):
                detail = f"it was erased by the order at seq {by} though {hold} holds it"
                findings.append(Finding("erasure_invalid", seq, None, None, detail))
        return findings

    def _by(self, seq: int, leaf: bytes) -> int | None:
        return None if self._orders is None else self._orders.erased_by(seq, leaf)

    def _read(self) -> Orders:
        run, chain = self._run, self._run.report.chain
        # An erasure stands behind what it erases, so those before the audit's start are of no use to it.
        places = (([ERASURE], run.report.from_seq), ([HOLD, RELEASE], 0))
        rows = (row for types, start in places for row in self._audits.of_types(chain, types, start, run.read_at))
        self._orders = Orders(run.origin, chain, self._keys, self._understood(rows))
        return self._orders

    @staticmethod
    def _understood(rows: Iterable[bytes]) -> Iterator[Event]:
        """Leave out what is no event, of which the scan tells."""
        return (event for event, _, _ in map(understand, rows) if event is not None)

    def _prove(self, orders: Orders, seqs: list[int], root: bytes) -> None:
        """Check that orders stand in the tree that was verified, by the nodes that are stored."""
        run, size = self._run, self._run.state.size
        ranges = {seq: proof.inclusion_ranges(seq, size) for seq in seqs}
        try:
            with self._audits.tree.view(run.report.chain) as view:
                needed = proof.needed([each for one in ranges.values() for each in one])
                nodes = {} if view is None else view.nodes(needed)
            for seq, path in ranges.items():
                try:
                    proof.verify_inclusion(orders.leaves[seq], seq, size, proof.heads(path, nodes), root)
                except EvidenceError:
                    detail = "the event that is found by its type is not the one that stands here"
                    run.emit(Finding("erasure_invalid", seq, None, None, detail))
        except (CorruptionError, KeyError) as error:
            run.leave_incomplete(f"orders to erase could not be proven: {error}")
