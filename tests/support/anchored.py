"""A log that is anchored in a directory, for tests."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.packed import PackedAnchors
from eventlog.anchors.places import PACKS
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.anchors.store import AnchorStore
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.audit.restore import Restorer
from eventlog.audit.strike_off import Registrar
from eventlog.audit.witnessed import WitnessView
from eventlog.audit.workers import Workers
from eventlog.formats.note import Signer
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.store import MongoStore
from eventlog.store.mongo.tree import TreeReader
from tests.support.factories import draft

ORIGIN = "example.com/log"
HOUR = 3_600_000


def new_key(path: Path) -> KeyFile:
    """A signing key in a file."""
    create_key_file(path)
    return KeyFile(path)


@dataclass
class AnchoredLog:
    """A store, its anchors, a key, and a clock that tests move. ``auditor`` makes one as another process would."""

    store: MongoStore
    folder: Path
    signers: list[Signer] = field(default_factory=list)
    retired: list[bytes] = field(default_factory=list)
    ahead: int = 0
    workers: Workers | None = None
    rehash_days: int = 0
    segment_events: int | None = None
    governance: list[bytes] = field(default_factory=list)
    packing: bool = False
    objects: AnchorStore = field(init=False)
    packs: AnchorStore = field(init=False)

    def __post_init__(self) -> None:
        self.objects = DirectoryAnchors(self.folder / "anchors")
        self.packs = DirectoryAnchors(self.folder / "anchors" / PACKS)
        self.signers = self.signers or [new_key(self.folder / "key")]

    def now(self) -> int:
        return int(time.time() * 1000) + self.ahead

    @property
    def anchors(self) -> AnchorStore:
        """The anchors as a process sees them that has just begun."""
        return self.kept()

    def kept(self, objects: AnchorStore | None = None, packs: AnchorStore | None = None) -> AnchorStore:
        """The anchors, in packs or not, as they are in these places."""
        place = objects or self.objects
        if not self.packing and not any(self.packs.chains()):
            return place
        return PackedAnchors(
            place,
            packs or self.packs,
            CheckpointStore(self.store),
            lambda: self.auditor().heads.pack_position(),  # noqa: PLW0108  the auditor is made of this
            packing=self.packing,
            wait_seconds=60,
        )

    def anchoring(self, anchors: AnchorStore | None = None) -> Anchoring:
        return Anchoring(
            self.store,
            TreeReader(self.store),
            CheckpointStore(self.store),
            anchors or self.kept(),
            signers=self.signers,
            public_keys=lambda: [*(signer.public_key for signer in self.signers), *self.retired],
            idle_millis=HOUR,
            clock=self.now,
        )

    def auditor(self, anchors: AnchorStore | None = None) -> Auditor:
        anchoring, audits = self.anchoring(anchors), AuditStore(self.store)
        return Auditor(
            self.store,
            audits,
            ORIGIN,
            lambda: self.now() / 1000,
            workers=self.workers,
            anchoring=anchoring,
            rehash_days=self.rehash_days,
            segment_events=self.segment_events,
            governance=self.governance,
        )

    def restore(
        self, reason: str = "the disk broke", chain: str = "main", witnessed: WitnessView | None = None
    ) -> AuditReport:
        """What an operator does after a restore."""
        auditor, audits = self.auditor(), AuditStore(self.store)
        restorer = Restorer(self.store, audits, self.anchoring(), auditor, witnessed=witnessed, clock=self.now)
        return restorer.restore(chain, reason)

    def strike_off(self, chain: str = "ghost", reason: str = "never a chain") -> AuditReport:
        """What an operator does about a name that was put into the registry."""
        audits = AuditStore(self.store)
        registrar = Registrar(self.store, audits, self.anchoring(), self.auditor(), clock=self.now)
        return registrar.strike_off(chain, reason)

    def append(self, count: int, chain: str = "main") -> None:
        self.store.append(chain, [draft(chain=chain, received_at=self.now()) for _ in range(count)])
        self.store.settle(chain)

    def audit(self, mode: str = "incremental", chain: str = "main") -> AuditReport:
        auditor = self.auditor()
        return auditor.run(auditor.start(chain, "full" if mode == "full" else "incremental"), 60)

    def audit_all(self, mode: str = "incremental") -> dict[str, AuditReport]:
        reports = self.auditor().audit_all("full" if mode == "full" else "incremental", 60)
        return {report.chain: report for report in reports}

    def found(self, mode: str = "full", chain: str = "main") -> list[tuple[str, int | None]]:
        """What an audit finds, as kinds and seqs."""
        return kinds(self.audit(mode, chain))

    def files(self, chain: str = "main") -> list[str]:
        return [key for key in self.anchors.keys(chain) if key.endswith(".note")]


def kinds(report: AuditReport) -> list[tuple[str, int | None]]:
    """A report's findings as kinds and seqs."""
    return [(finding.kind, finding.seq) for finding in report.findings]
