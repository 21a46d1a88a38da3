"""A small anchored log for the tamper drill, with what its honest functions, its operator and an attacker can do."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.packed import PackPosition
from eventlog.anchors.places import COSIGNATURES
from eventlog.anchors.signing import KeyFile
from eventlog.audit.auditor import Auditor
from eventlog.audit.exclusive import exclusive
from eventlog.audit.heads import LOOKED_AT
from eventlog.audit.notices import Silence
from eventlog.audit.report import AuditReport, Mode
from eventlog.audit.restore import Restorer
from eventlog.audit.strike_off import Registrar
from eventlog.audit.vouchers import DEFAULT_HOURS, Vouchers
from eventlog.audit.watch import Watcher
from eventlog.clock import now_millis
from eventlog.evidence.proofs import Evidence
from eventlog.formats.name_filter import ANY
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.leases import Leases
from eventlog.store.mongo.operations import RawCollection
from eventlog.store.mongo.store import open_log
from eventlog.store.mongo.tree import TreeReader
from eventlog.store.mongo.watch import MongoWatch
from eventlog.stored import codec
from eventlog.stored.bodies import APART_FROM
from eventlog.wiring.witnessing import AskedWitnesses
from eventlog.witnessing.policies import PolicySource
from local.drill.drafts import new_draft
from local.drill.governance import GOVERNANCE
from local.drill.monitor import LogMonitor
from local.drill.packing import anchors_in_packs, audit_at_once

Document = dict[str, Any]
ORIGIN = "example.com/drill"
CHAINS = ("main", "payments")
COLLECTIONS = ("events", "bodies", "sequences", "checkpoints", "cosignatures", "audits", "heads")
_LARGE = (5, 6)
"""Which of a round's events have large payloads: the second round's are at seq 17 and 18."""


@dataclass(frozen=True)
class Backup:
    """Everything in a log at one moment: raw documents by collection, and anchor files by path."""

    documents: dict[str, list[RawBSONDocument]]
    files: dict[str, bytes]


class DrillLog:
    """A log in its own database and anchor directory, with what is needed to use it and to attack it.

    ``monitor`` saw it while it was honest, ``earlier`` is an older backup of it, ``shown`` a checkpoint that only one
    client was shown. ``set_up``: whether the audits know that an operator has set the database up; ``looked_at``:
    how many idle chains each round audits in their turn; ``rehash_days`` and ``segment_events``: within how many days
    each event is re-hashed, and how long a segment is; ``watched``: what the watcher has told since the attack began.
    ``packed``: whether its anchors are in packs.
    """

    def __init__(
        self,
        client: MongoClient[Document],
        folder: Path,
        key: KeyFile,
        database: str = "",
        *,
        packed: bool = False,
    ) -> None:
        # A database name of its own lets a forger anchor elsewhere while it works on the same database (on_anchors).
        self.client = client
        self.folder = folder
        self.key = key
        self.database = database or folder.name
        self.admin: Database[Document] = client[self.database]
        self.store = open_log(client, self.database, ORIGIN)
        # An attacker has the database itself; dates beyond the year 9999 are numbers, as some attacks make them.
        held = self.admin.with_options(codec_options=codec.CODEC)
        self.events, self.sequences = held["events"], held["sequences"]
        self.checkpoints, self.audits = held["checkpoints"], held["audits"]
        self.anchors = DirectoryAnchors(folder)
        self.packed = packed
        self.monitor = LogMonitor(Evidence(MongoEvidenceReader(self.store)), key.public_key, ORIGIN)
        self.ahead = 0  # milliseconds by which the auditors' clocks are ahead, so that days go by
        self.earlier = Backup({}, {})
        self.shown = b""
        self.set_up = False
        self.looked_at = LOOKED_AT
        self.rehash_days = 0
        self.segment_events: int | None = None
        self.watched: list[AuditReport] = []
        self.policy: Path | None = None  # of the witness that is asked, if one is

    @property
    def auditor(self) -> Auditor:
        """A new auditor, as each process of the audit function has one."""
        return self._auditor(self._anchoring)

    def _auditor(self, anchoring: Anchoring) -> Auditor:
        clock = lambda: self.now() / 1000  # noqa: E731  seconds
        asked, audits = self._asked_witness, AuditStore(self.store)
        view = asked.view() if asked else None
        auditor = Auditor(
            self.store,
            audits,
            ORIGIN,
            clock,
            anchoring=anchoring,
            set_up=self.set_up,
            witnessed=view,
            governance=[GOVERNANCE.public_key],
            rehash_days=self.rehash_days,
            segment_events=self.segment_events,
        )
        auditor.heads.looked_at = self.looked_at
        return auditor

    @property
    def vouchers(self) -> Vouchers:
        """What signs what audits store for later, as the audit function does."""
        return Vouchers(self._anchoring, self.now, DEFAULT_HOURS * 3_600_000)

    def now(self) -> int:
        """Return the time by the auditors' clocks, in milliseconds since 1970."""
        return now_millis() + self.ahead

    def audit(self, mode: Mode) -> list[AuditReport]:
        """Audit all chains, as the schedule does: not while somebody else holds the lease.

        An incremental round begins with the changes of the database. Both end with the witness, if there is one.
        """
        with exclusive(Leases(self.store), f"schedule/{mode}") as alone:
            if alone and mode == "incremental":
                self.watch()
            if not alone:
                return []
            reports = self.auditor.audit_all(mode, 60)
            if (asked := self._asked_witness) is None:
                return reports
            kept = DirectoryAnchors(self.folder / COSIGNATURES)
            witnessing = asked.witnessing(
                standings=self.auditor.standings, notices=Silence(), kept=kept, wanted=ANY, fresh_seconds=0
            )
            return [*reports, *witnessing.round(reports).reports]

    def anchor_at_once(self) -> None:
        """Audit both chains at one time, so that one pack has the anchors of both."""
        anchoring = self._anchoring
        assert anchoring.packed is not None
        audit_at_once(self._auditor(anchoring), anchoring.packed, CHAINS)

    @property
    def _asked_witness(self) -> AskedWitnesses | None:
        if self.policy is None:
            return None
        policy = PolicySource(str(self.policy))
        return AskedWitnesses(log=self.store, anchoring=self._anchoring, origin=ORIGIN, policy=policy, clock=self.now)

    def watch(self) -> None:
        """Read what was done to the database, in a new process, and keep what the watcher tells."""
        name = f"{ORIGIN} {self.database}"
        watcher = Watcher(
            MongoWatch(self.store),
            AuditStore(self.store),
            name,
            anchoring=self._anchoring,
            standings=self.auditor.standings,
        )
        self.watched += watcher.drain(60).reports

    def append(self, chain: str, count: int, **fields: Any) -> None:
        """Append events as a client does, and settle them; of payments two have payloads that are stored apart."""
        payloads: list[Document] = [{"amount": number} for number in range(count)]
        for number in _LARGE if chain == "payments" and count > max(_LARGE) else ():
            payloads[number]["receipt"] = "x" * APART_FROM
        self.store.append(chain, [new_draft(chain, payload, **fields) for payload in payloads])
        self.store.settle(chain)

    def restore(self, chain: str, reason: str) -> None:
        """Declare a restore, as an operator does."""
        audits = AuditStore(self.store)
        Restorer(self.store, audits, self._anchoring, self.auditor).restore(chain, reason)

    def strike_off(self, chain: str, reason: str) -> None:
        """Declare that the registry's entry of a chain is void, as an operator does."""
        audits = AuditStore(self.store)
        Registrar(self.store, audits, self._anchoring, self.auditor).strike_off(chain, reason)

    def files(self, chain: str = "main") -> list[Path]:
        """Return the files of a chain's anchors, oldest first."""
        return sorted((self.folder / chain).glob("*.note"))

    def back_up(self) -> Backup:
        """Return a backup of the database and of the anchor directory."""
        documents = {name: list(self.raw(name).find()) for name in COLLECTIONS}
        files = {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}
        return Backup(documents, files)

    def put_back(self, backup: Backup, collections: Iterable[str] = COLLECTIONS, *, files: bool = False) -> None:
        """Restore collections from a backup, and the anchor directory too with ``files``."""
        for name in collections:
            collection = self.raw(name)
            collection.delete_many({})
            if backup.documents[name]:
                collection.insert_many(backup.documents[name])
        if files:
            self.remove_anchors()
            for path, data in backup.files.items():
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path).write_bytes(data)

    def raw(self, name: str) -> RawCollection:
        """Return a collection whose rows are the bytes that are stored; what is written is there for every reader."""
        return self.admin[name].with_options(codec_options=codec.RAW, write_concern=WriteConcern("majority"))

    def remove_anchors(self, chain: str = "*") -> None:
        """Empty the anchor directory, or a chain's."""
        for path in self.folder.glob(f"{chain}/**/*"):
            if path.is_file():
                path.unlink()

    def _pack_position(self) -> PackPosition:
        return self.auditor.heads.pack_position()

    @property
    def _anchoring(self) -> Anchoring:
        copies = CheckpointStore(self.store)
        return Anchoring(
            self.store,
            TreeReader(self.store),
            copies,
            anchors_in_packs(self.folder, copies, self._pack_position) if self.packed else self.anchors,
            signers=[self.key],
            public_keys=lambda: [self.key.public_key],
            idle_millis=3_600_000,
            clock=self.now,
        )
