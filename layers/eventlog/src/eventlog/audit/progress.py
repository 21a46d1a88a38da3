"""How far the log as a whole is settled, verified and anchored, for whoever watches it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from eventlog.audit.report import AuditReport
from eventlog.store.interface.audits import ChainHead


@dataclass(frozen=True, slots=True)
class Backlog:
    """The chains' sizes, how many of their events are not settled yet, and the age of the oldest of those."""

    sizes: dict[str, int]
    pending: int
    lag_millis: int


def backlog(heads: Iterable[ChainHead], now: int) -> Backlog:
    """Add up what stands in the sequence documents."""
    found = list(heads)
    received = [head.oldest for head in found if head.oldest is not None]
    lag = max(0, now - min(received)) if received else 0
    return Backlog({head.chain: head.size for head in found}, sum(head.pending for head in found), lag)


def anchored(reports: Iterable[AuditReport]) -> dict[str, int]:
    """Tell how many events of each chain are anchored, by the newest of its reports."""
    return {report.chain: report.anchored_size or 0 for report in reports}


def coverage(sizes: Mapping[str, int], reports: Iterable[AuditReport], idle: Collection[str] = ()) -> float:
    """Compute the percentage of all events that audits have verified and found intact; ``idle`` chains still are.

    A running audit counts with what it has verified so far, a chain with a finding with nothing. The anchored events of
    a chain that is gone still count among all events.
    """
    found = list(reports)
    there = dict(sizes)
    for chain, size in anchored(found).items():
        there[chain] = max(there.get(chain, 0), size)
    total = sum(there.values())
    verified = {chain: sizes[chain] for chain in idle if chain in sizes} | _verified(found)
    covered = sum(min(size, there[chain]) for chain, size in verified.items())
    return 100.0 * covered / total if total else 100.0


def _verified(reports: Iterable[AuditReport]) -> dict[str, int]:
    """Find the furthest size that any of a chain's reports reached without a finding."""
    reached: dict[str, int] = {}
    tampered = set()
    for report in reports:
        chain = report.chain
        if report.findings_total:
            tampered.add(chain)
        elif report.status == "intact":
            reached[chain] = max(reached.get(chain, 0), report.to_seq or 0)
        elif report.status == "running":
            reached[chain] = max(reached.get(chain, 0), report.from_seq + report.events_checked + report.earlier_events)
    return {chain: 0 if chain in tampered else size for chain, size in reached.items()}
