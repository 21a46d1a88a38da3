"""What a round of witnesses works with, and what it brings about."""

from dataclasses import dataclass, field

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.store import AnchorStore
from eventlog.audit.keeper import Keeper
from eventlog.audit.notices import Notices
from eventlog.audit.report import AuditReport
from eventlog.audit.witness_evidence import WitnessEvidence
from eventlog.store.interface.cosignatures import CosignatureStore, WitnessRecords
from eventlog.stored.witness_records import WitnessRecord
from eventlog.witnessing.policies import PolicySource


@dataclass(slots=True)
class WitnessRound:
    """What a round has brought about: reports with findings, and what is known of each witness for each chain."""

    reports: list[AuditReport] = field(default_factory=list)
    records: list[WitnessRecord] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """How many events of each chain a quorum has witnessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessParts:
    """What a round works with. ``kept``: where the lines of each anchor are kept once more, outside the database."""

    policy: PolicySource
    anchoring: Anchoring
    evidence: WitnessEvidence
    cosignatures: CosignatureStore
    records: WitnessRecords
    kept: AnchorStore
    keeper: Keeper
    notices: Notices
