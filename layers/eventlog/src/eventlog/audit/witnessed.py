"""What an audit of one chain says of witnesses: how far it is witnessed, and what they have shown that still holds.

So what a witness has shown is found by every audit, a full one too, until the chain extends it again or an operator
has declared a restore.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from eventlog.audit.run import OpenReport
from eventlog.audit.witness_evidence import WitnessEvidence
from eventlog.audit.witness_knowledge import of_policy, summary, witnessed_size
from eventlog.formats.checkpoint import Checkpoint
from eventlog.store.errors import StoreError
from eventlog.store.interface.cosignatures import WitnessRecords
from eventlog.witnessing.policies import PolicySource


class WitnessView:
    """Looks at what is known of witnesses; nobody is asked here. ``clock`` gives milliseconds."""

    def __init__(
        self, policy: PolicySource, records: WitnessRecords, evidence: WitnessEvidence, clock: Callable[[], int]
    ) -> None:
        self._policy = policy
        self._records = records
        self._evidence = evidence
        self._clock = clock

    def shown(self, chain: str) -> Iterator[tuple[str, Checkpoint]]:
        """Iterate over what witnesses have shown that binds this log, with the name of each.

        Raises:
            StoreError: what witnesses have shown is not known.
        """
        for record in self._records.of([chain]):
            if record.evidence is not None:
                found = self._evidence.binding(chain, record.evidence.encode())
                if found is not None:
                    yield record.witness, found

    def look(self, opened: OpenReport) -> None:
        """Add to a report what is known, and what the chain contradicts of it."""
        chain = opened.report.chain
        try:
            found = self._records.of([chain])
            for record in found:
                if record.evidence is None:
                    continue
                if finding := self._evidence.finding(chain, record.witness, record.evidence.encode()):
                    opened.emit(finding)
        except StoreError as error:
            opened.leave_incomplete(f"what witnesses have shown is not known: {error}")
            return
        try:
            policy = self._policy.current()
        except StoreError:  # the round that asks witnesses tells it; anchors wait for no policy
            return
        records = of_policy(policy, chain, found, self._clock())
        size = witnessed_size(policy, records)
        opened.report = replace(opened.report, witnessed_size=size, witnesses=tuple(map(summary, records)))
