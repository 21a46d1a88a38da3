"""What asks witnesses, put together: loaded only where a policy names some."""

from collections.abc import Callable
from dataclasses import dataclass

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.store import AnchorStore
from eventlog.audit.keeper import Keeper
from eventlog.audit.notices import Notices
from eventlog.audit.standings import StandingKeeper
from eventlog.audit.witness_evidence import WitnessEvidence
from eventlog.audit.witness_parts import WitnessParts
from eventlog.audit.witness_round import Witnessing
from eventlog.audit.witnessed import WitnessView
from eventlog.formats.name_filter import NameFilter
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.cosignatures import CosignatureRows, WitnessRows
from eventlog.store.mongo.store import MongoStore
from eventlog.witnessing.http_call import WitnessCall, call
from eventlog.witnessing.policies import PolicySource


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedWitnesses:
    """One log and the policy of its witnesses. ``clock`` gives milliseconds."""

    log: MongoStore
    anchoring: Anchoring
    origin: str
    policy: PolicySource
    clock: Callable[[], int]

    def view(self) -> WitnessView:
        """Build what audits say of witnesses."""
        return WitnessView(self.policy, WitnessRows(self.log), self._evidence, self.clock)

    def witnessing(
        self,
        *,
        standings: StandingKeeper,
        notices: Notices,
        kept: AnchorStore,
        wanted: NameFilter,
        fresh_seconds: int,
        caller: WitnessCall = call,
    ) -> Witnessing:
        """Build what asks them, as ``Witnessing`` describes; ``kept``: where lines are kept outside the database."""
        parts = WitnessParts(
            policy=self.policy,
            anchoring=self.anchoring,
            evidence=self._evidence,
            cosignatures=CosignatureRows(self.log),
            records=WitnessRows(self.log),
            kept=kept,
            keeper=Keeper(AuditStore(self.log), notices, standings),
            notices=notices,
        )
        fresh_millis = fresh_seconds * 1000
        return Witnessing(parts, wanted=wanted, fresh_millis=fresh_millis, clock=self.clock, caller=caller)

    @property
    def _evidence(self) -> WitnessEvidence:
        return WitnessEvidence(self.anchoring, self.origin)
