"""A log in which erasures and holds are ordered and carried out, for tests."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.orders import GOVERNANCE, OrderNotes
from eventlog.anchors.store import AnchorStore
from eventlog.audit.report import AuditReport
from eventlog.audit.restore import Restorer
from eventlog.formats.event import Event, is_erased
from eventlog.formats.governance_note import KIND
from eventlog.formats.note import Signer, VerifierKey, format_vkey
from eventlog.governance.anchored import Anchored
from eventlog.governance.erasing import Erasing
from eventlog.governance.ordering import Asking, Ordered, Ordering
from eventlog.governance.requests import Wanted
from eventlog.governance.shown import Shown
from eventlog.settings import Settings
from eventlog.store.interface.erasures import ErasureStore
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.erasures import MongoErasures
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import operations_of
from eventlog.stored.bodies import APART_FROM
from tests.support.anchored import ORIGIN, AnchoredLog, new_key
from tests.support.auditors import Countdown, Dying
from tests.support.factories import draft

REQUEST = "01936f00-0000-7000-8000-000000000001"
SECRET = "Ada Lovelace, born 10 December 1815"


@dataclass
class Told:
    """``ErasureNotices`` that keeps what it is told."""

    refused: list[tuple[str, int]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def order_refused(self, chain: str, seq: int, why: str) -> None:
        assert why
        self.refused.append((chain, seq))

    def failed(self, chain: str, error: Exception) -> None:
        assert chain
        self.errors.append(error)


class DyingErasures(MongoErasures):
    """Each write to the database is a step of its own, and so is each method."""

    def __init__(self, log: Any, countdown: Countdown) -> None:
        super().__init__(log)
        self._countdown = countdown
        self._states = cast(Any, Dying(self._ops.erasures, countdown))

    def erase(self, events: Any) -> int:
        """Count its two writes, which are the collections' own."""
        whole = self._ops
        self._ops = cast(Any, _Steps(whole, self._countdown))
        try:
            return super().erase(events)
        finally:
            self._ops = whole


class _Steps:
    def __init__(self, operations: Any, countdown: Countdown) -> None:
        self._operations = operations
        self.events = Dying(operations.events, countdown)
        self.bodies = _Rows(operations.bodies, countdown)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)


class _Rows:
    def __init__(self, bodies: Any, countdown: Countdown) -> None:
        self.rows = Dying(bodies.rows, countdown)


def governed_settings(mongo_uri: str, database: str, folder: Path, **more: Any) -> Settings:
    """Settings of a log that can erase, whose keys and anchors are in a folder; the governance key is made."""
    key = new_key(folder / "governance.pem")
    return Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        EVENTLOG_ORIGIN=ORIGIN,
        EVENTLOG_ANCHORS=str(folder / "anchors"),
        EVENTLOG_SIGNING_KEYS=str(folder / "key"),
        EVENTLOG_GOVERNANCE_KEYS=format_vkey(VerifierKey(ORIGIN, key.public_key, KIND)),
        EVENTLOG_GOVERNANCE_SIGNING_KEY=str(folder / "governance.pem"),
        **more,
    )


@dataclass
class GovernedLog:
    """An anchored log, its governance key, and what orders and erases in it; each ask makes it anew, as a process."""

    log: AnchoredLog
    key: Signer
    approvals: int = 1

    @classmethod
    def make(cls, log: AnchoredLog, folder: Path) -> "GovernedLog":
        key = new_key(folder / "governance.pem")
        log.governance = [key.public_key]
        return cls(log, key)

    @property
    def public_keys(self) -> list[bytes]:
        return [self.key.public_key]

    def ordering(self, countdown: Countdown | None = None) -> Ordering:
        anchors: Any = DirectoryAnchors(self.log.folder / "anchors" / GOVERNANCE)
        store: Any = self.log.store
        erasures: ErasureStore = MongoErasures(self.log.store)
        signer: Any = self.key
        if countdown is not None:
            anchors, store, signer = (Dying(one, countdown) for one in (anchors, store, signer))
            erasures = DyingErasures(self.log.store, countdown)
        notes = OrderNotes(cast(AnchorStore, anchors), ORIGIN, lambda: self.public_keys)
        return Ordering(
            store,
            erasures,
            notes,
            signers=lambda: [signer],
            public_keys=lambda: self.public_keys,
            origin=ORIGIN,
            approvals=self.approvals,
            clock=self.log.now,
        )

    def anchored(self) -> Anchored:
        return Anchored(MongoEvidenceReader(self.log.store), lambda: [s.public_key for s in self.log.signers])

    def erasing(self, told: Told | None = None, countdown: Countdown | None = None) -> Erasing:
        return Erasing(self.ordering(countdown), self.anchored(), told or Told())

    def audited(self) -> tuple[str, int, int]:
        """What a full audit says: its verdict, how many events are erased, and how many are to be."""
        report = self.log.audit("full")
        assert report.findings == ()
        return report.status, report.erased, report.erasures_pending

    def restore(self) -> AuditReport:
        """What an operator does after a restore."""
        log, ordering = self.log, self.ordering()
        made = Restorer(
            log.store, AuditStore(log.store), log.anchoring(), log.auditor(), orders=ordering.notes, clock=log.now
        )
        return made.restore("main", "the disk broke")

    @property
    def shown(self) -> Shown:
        return Shown(self.ordering(), self.anchored())

    def append(self, *ids: str, payload: Any = None, chain: str = "main") -> None:
        """Append events with these ids that have the secret, those that end in ``-large`` apart."""
        for event_id in ids:
            more = {"more": "x" * APART_FROM} if event_id.endswith("-large") else {}
            self.log.store.append(chain, [draft(event_id, chain=chain, payload=payload or {"name": SECRET, **more})])

    def erase(
        self,
        *wanted: Wanted,
        request: str = "",
        chain: str = "main",
        by: str = "privacy",
        reason: str = "request 118",
        ordering: Ordering | None = None,
    ) -> Ordered:
        asking = Asking(chain, request or str(uuid4()), by, reason)
        return (ordering or self.ordering()).erase(asking, "gdpr-art-17", wanted)

    def asking(self, chain: str = "main", by: str = "legal", request: str = "") -> Asking:
        return Asking(chain, request or str(uuid4()), by, "proceedings")

    def events(self, chain: str = "main") -> list[Event]:
        """All settled events as they are stored, their payloads read from where they are."""
        self.log.store.settle(chain)
        operations = operations_of(self.log.store)
        found = MongoErasures(self.log.store).settled(chain, range(1000)).values()
        return operations.read_bodies(sorted(found, key=lambda event: event.seq), None)

    def erased(self, chain: str = "main") -> list[str]:
        """The ids of the events that are erased."""
        return [event.entry.event_id for event in self.events(chain) if is_erased(event.entry)]

    def bodies(self) -> list[str]:
        """The ids of payloads that are stored apart."""
        return sorted(str(row["_id"]) for row in operations_of(self.log.store).bodies.rows.find({}, {"_id": 1}))
