"""Which witnesses a round asks: the newest anchor of each chain, its lines as they verify now, and who is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit.witness_knowledge import asked, is_due
from eventlog.formats.anchor import Anchor, verify_anchor
from eventlog.formats.cosignature import COSIGNATURE_ED25519, verify_cosignatures
from eventlog.formats.cosigned_note import with_lines
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signature, VerifierKey, parse_note
from eventlog.formats.policy import Policy, PolicyWitness
from eventlog.store.interface.cosignatures import CosignatureReads
from eventlog.stored.cosignatures import StoredCosignature
from eventlog.stored.witness_records import WitnessRecord
from eventlog.verify.findings import Finding


@dataclass(slots=True)
class WitnessedAnchor:
    """An anchor that is to be cosigned. ``own``: this log's keys under its origin line.

    ``lines``: its cosignatures, those of the policy's keys that verify; ``findings``: of those that don't.
    """

    chain: str
    anchor: Anchor
    own: tuple[VerifierKey, ...]
    lines: dict[VerifierKey, Signature] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    added: list[Signature] = field(default_factory=list)
    """Those that came in this round."""


@dataclass(frozen=True, slots=True, eq=False)
class WitnessTask:
    """A witness that is to be asked to cosign an anchor."""

    about: WitnessedAnchor
    witness: PolicyWitness
    record: WitnessRecord


class WitnessTasks:
    """Finds them. ``clock`` gives milliseconds."""

    def __init__(
        self, anchoring: Anchoring, cosignatures: CosignatureReads, *, fresh_millis: int, clock: Callable[[], int]
    ) -> None:
        self._anchoring = anchoring
        self._cosignatures = cosignatures
        self._fresh = fresh_millis
        self._clock = clock

    def of(
        self, chain: str, size: int | None, policy: Policy, records: Sequence[WitnessRecord]
    ) -> tuple[WitnessedAnchor | None, list[WitnessTask]]:
        """Return the newest anchor and the witnesses to ask for it; ``size``: how much is anchored, if that is known.

        None: nothing is to be done, or the anchor can't be trusted, which its audit says.

        Raises:
            StoreError: the database or a key can't be reached.
        """
        # A quiet chain costs nothing: all have cosigned just this size, and not long ago.
        now = self._clock()
        if all(record.size == size and not self._is_due(record, now, has_line=True) for record in records):
            return None, []
        about = self._about(chain, policy)
        if about is None:
            return None, []
        tasks = [
            WitnessTask(about, witness, record)
            for witness, record in zip(asked(policy), records, strict=True)
            if self._is_due(record, now, has_line=witness.key in about.lines)
        ]
        return about, tasks

    def _is_due(self, record: WitnessRecord, now: int, *, has_line: bool) -> bool:
        return is_due(record, now, has_line=has_line, fresh_millis=self._fresh)

    def _about(self, chain: str, policy: Policy) -> WitnessedAnchor | None:
        copy = self._anchoring.checkpoints.newest(chain)
        if copy is None:
            return None
        trusted = self._anchoring.history.public_keys
        try:
            anchor = verify_anchor(copy.note, trusted)
        except EvidenceError:
            return None
        about = WitnessedAnchor(chain, anchor, tuple(VerifierKey(anchor.checkpoint.origin, key) for key in trusted))
        for stored in self._cosignatures.of(chain, anchor.seal.number):
            _take(about, stored, policy)
        return about


def _take(about: WitnessedAnchor, stored: StoredCosignature, policy: Policy) -> None:
    """Take a stored line if it verifies over the anchor as it is now; nobody but the log has written it, or so it says.

    One that an Ed25519 key of the policy never made is a finding: it makes verifiers refuse the whole checkpoint. An
    ML-DSA line may only not be checkable on this machine.
    """
    line = stored.signature
    for key in (witness.key for witness in policy.witnesses):
        if (key.name, key.key_id) != (line.name, line.key_id):
            continue
        note = parse_note(with_lines(about.anchor.data, [stored.line]))
        try:
            if verify_cosignatures(note, [key]):
                about.lines[key] = line
        except EvidenceError as error:
            if key.kind == COSIGNATURE_ED25519:
                seq = about.anchor.checkpoint.size - 1
                detail = f"the stored cosignature of anchor {stored.number}: {error}"
                about.findings.append(Finding("unexpected", seq, None, None, detail))
