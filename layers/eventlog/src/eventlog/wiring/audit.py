"""What the chain_audit function works with; `make restore` and `make strike-off` use it too."""

from functools import cached_property
from typing import TYPE_CHECKING

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.packed import PackedAnchors
from eventlog.anchors.places import COSIGNATURES, PACKS, AnchorPlace, open_anchors
from eventlog.audit.auditor import Auditor
from eventlog.audit.declaring import Declaring
from eventlog.audit.metrics import AuditLog
from eventlog.audit.on_demand import OnDemand
from eventlog.audit.watch import Watcher
from eventlog.audit.workers import Workers
from eventlog.clock import now_millis
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.note import Signer, parse_vkey
from eventlog.settings import ConfigurationError, listed
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.leases import Leases
from eventlog.store.mongo.tree import TreeReader
from eventlog.store.mongo.watch import MongoWatch
from eventlog.wiring.connection import Connected, Wiring, per_connection

if TYPE_CHECKING:
    from eventlog.anchors.orders import OrderNotes
    from eventlog.audit.restore import Restorer
    from eventlog.audit.strike_off import Registrar
    from eventlog.audit.witness_round import Witnessing
    from eventlog.wiring.witnessing import AskedWitnesses


class AuditWiring(Wiring):
    """Audits chains, anchors what was found intact, and declares restores and strike-offs."""

    @per_connection
    def auditor(self, connected: Connected) -> Auditor:
        """Build what starts, runs and resumes audits."""
        settings = self.settings
        return Auditor(
            connected.log,
            AuditStore(connected.log),
            settings.origin,
            workers=Workers(connected.uri, settings.mongo_database),
            anchoring=self.anchoring,
            notices=AuditLog(),
            set_up=settings.database_set_up,
            full_audit_hours=settings.full_audit_hours,
            witnessed=self._asked_witnesses.view() if self._asked_witnesses else None,
            rehash_days=settings.rehash_days,
            governance=settings.governance_public_keys,
        )

    @per_connection
    def reports(self, connected: Connected) -> AuditStore:
        """Open the stored reports."""
        return AuditStore(connected.log)

    @cached_property
    def on_demand(self) -> OnDemand:
        """The audits that callers asked this process for."""
        return OnDemand(lambda: self.auditor)

    @per_connection
    def restorer(self, connected: Connected) -> "Restorer":
        """Build what declares restores.

        Raises:
            ConfigurationError: Nothing is anchored, so that nothing says what was there before.
        """
        from eventlog.audit.restore import Restorer  # noqa: PLC0415  0.3 ms, and no scheduled audit restores

        anchoring, audits = self._some_anchoring, AuditStore(connected.log)
        asked = self._asked_witnesses
        view = asked.view() if asked else None
        return Restorer(connected.log, audits, anchoring, self.auditor, orders=self._orders, witnessed=view)

    @per_connection
    def registrar(self, connected: Connected) -> "Registrar":
        """Build what declares entries of the registry void.

        Raises:
            ConfigurationError: Nothing is anchored, so that there is no registry.
        """
        from eventlog.audit.strike_off import Registrar  # noqa: PLC0415  as above

        return Registrar(connected.log, AuditStore(connected.log), self._some_anchoring, self.auditor)

    @property
    def _orders(self) -> "OrderNotes | None":
        """Where erasures and holds are kept beside the anchors; None if this log knows no governance key."""
        settings = self.settings
        if not settings.governance_keys or self.anchors is None:
            return None
        from eventlog.anchors.orders import GOVERNANCE, OrderNotes  # noqa: PLC0415  as above

        return OrderNotes(self.anchors.beside(GOVERNANCE), settings.origin, lambda: settings.governance_public_keys)

    @property
    def _some_anchoring(self) -> Anchoring:
        if self.anchoring is None:
            raise ConfigurationError("nothing is anchored: set EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS")
        return self.anchoring

    @per_connection
    def watcher(self, connected: Connected) -> Watcher:
        """Build what watches the database for changes that no function of the log makes."""
        settings = self.settings
        return Watcher(
            MongoWatch(connected.log),
            AuditStore(connected.log),
            f"{settings.origin} {settings.mongo_database}",
            anchoring=self.anchoring,
            notices=AuditLog(),
            standings=self.auditor.standings,
        )

    @per_connection
    def declaring(self, connected: Connected) -> Declaring:
        """Build what declares the search fields that are set."""
        log = connected.log
        return Declaring(log, self.settings.declared_fields, log.make_search_indexes, now_millis)

    @per_connection
    def _asked_witnesses(self, connected: Connected) -> "AskedWitnesses | None":
        """Put together what asks witnesses; None if there is no policy, or nothing is anchored."""
        settings, anchoring = self.settings, self.anchoring
        if not settings.witness_policy or anchoring is None:
            return None
        from eventlog.wiring.witnessing import AskedWitnesses  # noqa: PLC0415  30 ms, and many logs ask none
        from eventlog.witnessing.policies import PolicySource  # noqa: PLC0415  as above

        policy = PolicySource(settings.witness_policy)
        return AskedWitnesses(
            log=connected.log, anchoring=anchoring, origin=settings.origin, policy=policy, clock=now_millis
        )

    @per_connection
    def witnessing(self, _: Connected) -> "Witnessing | None":
        """Build what asks witnesses; None if nobody is asked."""
        settings, asked = self.settings, self._asked_witnesses
        if asked is None or self.anchors is None:
            return None
        return asked.witnessing(
            standings=self.auditor.standings,
            notices=AuditLog(),
            kept=self.anchors.beside(COSIGNATURES),
            wanted=NameFilter.of(listed(settings.witness_chains)),
            fresh_seconds=settings.witness_fresh_seconds,
        )

    @per_connection
    def leases(self, connected: Connected) -> Leases:
        """Open the leases, by which only one scheduled audit in a mode is at work at a time."""
        return Leases(connected.log)

    @per_connection
    def anchoring(self, connected: Connected) -> Anchoring | None:
        """Build what signs and anchors; None if nothing is anchored."""
        if self.anchors is None:
            return None
        settings, copies = self.settings, CheckpointStore(connected.log)
        return Anchoring(
            connected.log,
            TreeReader(connected.log),
            copies,
            PackedAnchors(
                self.anchors,
                self.anchors.beside(PACKS),
                copies,
                lambda: self.auditor.heads.pack_position(),  # noqa: PLW0108  the auditor is made of this
                packing=settings.anchor_packs,
            ),
            signers=self.signers,
            public_keys=lambda: self.trusted_keys,
            idle_millis=settings.anchor_idle_seconds * 1000,
        )

    @cached_property
    def anchors(self) -> AnchorPlace | None:
        """Where anchors are kept, and other things beside them; None if nothing is anchored."""
        settings = self.settings
        return open_anchors(settings.anchors, settings.anchor_retention_days) if settings.anchors else None

    @cached_property
    def signers(self) -> list[Signer]:
        """What signs checkpoints; the first one seals anchors."""
        from eventlog.anchors.signing import open_signer  # noqa: PLC0415  cryptography: 35 ms, and no start signs

        return [open_signer(spec) for spec in listed(self.settings.signing_keys)]

    @cached_property
    def trusted_keys(self) -> list[bytes]:
        """The public keys whose signatures count, 32 bytes each: of those that sign, then the retired ones."""
        retired = [parse_vkey(vkey).public_key for vkey in listed(self.settings.retired_keys)]
        return list(dict.fromkeys([*(signer.public_key for signer in self.signers), *retired]))
