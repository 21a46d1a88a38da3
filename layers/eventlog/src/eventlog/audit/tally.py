"""What a round of watching found, by chain, in bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eventlog.audit.report import MAX_FINDINGS, AuditReport, new_report
from eventlog.audit.watch_position import shown
from eventlog.store.interface.watch import Change
from eventlog.verify.findings import Finding

MOST_REPORTS = 20
"""Chains that get a report of their own in one round; what is found in others goes into the report on the database."""


@dataclass(slots=True)
class Tally:
    """What was found in a round, by chain: the first findings of each and their number, whatever the number is."""

    chains: dict[str, tuple[list[Finding], list[int]]] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)
    total: int = 0

    def add(self, changes: Sequence[Change]) -> None:
        """Add changes, in their order."""
        # Whoever made the changes chose their number and the names of their chains. So memory has bounds: of so many
        # chains so many findings, the others by number alone, and further chains under the empty name.
        self.total += len(changes)
        for change in changes:
            at = f"{change.what} at {shown(change.millis)}"
            if not change.wrong:
                self.unclear = [*self.unclear, at][:MAX_FINDINGS]
                continue
            chain = change.chain or ""
            if chain not in self.chains and len(self.chains) >= MOST_REPORTS:
                chain = ""
            kept, total = self.chains.setdefault(chain, ([], [0]))
            total[0] += 1
            if len(kept) < MAX_FINDINGS:
                kept.append(Finding("altered", change.seq, None, None, at))

    def reports(self, known: set[str], now: int) -> list[AuditReport]:
        """Make a report of each chain; what names a chain that is not ``known`` goes into the one on the database."""
        # A name that was made up must not be shown as a chain. Several such names become one report, with their numbers
        # added, so that no change is left out of the count.
        merged: dict[str, tuple[list[Finding], int]] = {}
        for name, (kept, (total,)) in self.chains.items():
            chain = name if name in known else ""
            before, count = merged.get(chain, ([], 0))
            merged[chain] = ([*before, *kept][:MAX_FINDINGS], count + total)
        return [
            replace(
                new_report(chain, "incremental", now),
                status="tampered",
                to_seq=None,
                findings=tuple(kept),
                findings_total=total,
                finished_at=now,
            )
            for chain, (kept, total) in merged.items()
        ]
