"""The log that is walked: its database with backups, what is kept among its anchors, a clock that the walk moves."""

import time
from dataclasses import dataclass, field
from typing import Any

from bson import DatetimeMS
from bson.raw_bson import RawBSONDocument

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.keys import claim_key, note_key
from eventlog.anchors.packed import FROM_HERE, PackedAnchors
from eventlog.anchors.packs import FOLDER
from eventlog.audit.auditor import Auditor
from eventlog.audit.notices import Notices
from eventlog.chain_names import REGISTRY
from eventlog.formats.anchor import Anchor, parse_claim, verify_anchor
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.pack import ObjectPlace, parse_pack
from eventlog.formats.restore import Restore, verify_restore
from eventlog.store.errors import StoreError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.store import operations_of
from eventlog.store.mongo.tree import TreeReader
from eventlog.stored import codec
from tests.model.audit_processes import Process
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog
from tests.support.factories import draft

Rows = dict[str, list[RawBSONDocument]]


@dataclass
class WalkedLog(AnchoredLog):
    """Its clock goes on by a millisecond each time that somebody looks at it, so that a run can be played again.

    It begins at the full hour: audits go by the database's clock, too, which is not to be far behind.
    """

    millis: int = field(default_factory=lambda: int(time.time()) * 1000 // HOUR * HOUR)

    def now(self) -> int:
        self.millis += 1
        return self.millis

    def add(self, count: int, chain: str) -> None:
        """Append without settling."""
        self.store.append(chain, [draft(chain=chain, received_at=self.now()) for _ in range(count)])

    def open(self, process: Process, notices: Notices, *, packing: bool) -> Auditor:
        """What the wiring of a process makes, with the process between it and all that is outside."""
        door = process.outside
        copies = door(CheckpointStore(self.store), "copies")
        opened: list[Auditor] = []
        packed = PackedAnchors(
            door(self.objects, "objects"),
            door(self.packs, "packs"),
            copies,
            lambda: opened[0].heads.pack_position(),  # noqa: PLW0108  it is opened below
            packing=packing,
            wait_seconds=60,
        )
        log, audits = door(self.store, "log"), door(AuditStore(self.store), "audits")
        anchoring = Anchoring(
            log,
            TreeReader(self.store),
            copies,
            packed,
            signers=[door(signer, "key") for signer in self.signers],
            public_keys=lambda: self.keys,
            idle_millis=HOUR,
            clock=self.now,
        )
        opened.append(Auditor(log, audits, ORIGIN, lambda: self.now() / 1000, anchoring=anchoring, notices=notices))
        return opened[0]

    @property
    def keys(self) -> list[bytes]:
        return [signer.public_key for signer in self.signers]

    @property
    def rows(self) -> Any:
        """The database."""
        return operations_of(self.store).events.database

    def back_up(self) -> Rows:
        return {each.name: list(self.rows[each.name].with_options(codec.RAW).find()) for each in COLLECTIONS}

    def put_back(self, kept: Rows) -> None:
        for name, documents in kept.items():
            self.rows[name].delete_many({})
            if documents:
                self.rows[name].with_options(codec.RAW).insert_many(documents)

    def let_go(self, *, lapsed: bool) -> None:
        """No process works on audits that are running any more, or it has said so just now that one does."""
        lease = DatetimeMS(0) if lapsed else "$$NOW"
        self.rows["audits"].update_many({"status": "running"}, [{"$set": {"lease": lease}}])

    def chains(self) -> list[str]:
        """Those of which anything is stored, the registry last."""
        found = set(self.rows["sequences"].distinct("_id")) | set(self.rows["events"].distinct("chain"))
        return [*sorted(found - {REGISTRY}), *found & {REGISTRY}]

    def size(self, chain: str) -> int:
        found = self.store.chain(chain)
        return found.state.size if found else 0

    def kept_objects(self) -> dict[ObjectPlace, bytes]:
        """All that counts among the anchors: of objects and packs the first, read without the product's store."""
        found: dict[ObjectPlace, bytes] = {}
        for key in self.packs.keys(FOLDER):
            try:
                entries = parse_pack(self.packs.read(FOLDER, key) or b"").entries
            except EvidenceError:
                continue
            for place, data in entries.items():
                found.setdefault(place, data)
        for chain in self.objects.chains():
            for key in self.objects.keys(chain):
                data = self.objects.read(chain, key) or b""
                if data != FROM_HERE and (key.endswith(".claim") or (chain, key) not in found):
                    found[chain, key] = data
        return found

    def anchors_of(self, chain: str, kept: dict[ObjectPlace, bytes]) -> list[Anchor]:
        """Up to the first that is missing or is none."""
        found: list[Anchor] = []
        while (data := kept.get((chain, note_key(len(found) + 1)))) is not None:
            try:
                found.append(verify_anchor(data, self.keys))
            except EvidenceError:
                break
        return found

    def restores_of(self, chain: str, kept: dict[ObjectPlace, bytes]) -> list[Restore]:
        names = sorted(key for held, key in kept if held == chain and key.startswith("restore-"))
        return [verify_restore(kept[chain, name], self.keys) for name in names]

    def contradicted(self, chain: str, kept: dict[ObjectPlace, bytes]) -> bool:
        """Whether the database's chain does not extend the newest anchor that it must extend."""
        anchors, restores = self.anchors_of(chain, kept), self.restores_of(chain, kept)
        heads = [anchor for anchor in anchors if not _superseded(anchor, restores)]
        return bool(heads) and not self._extends(chain, heads[-1].checkpoint)

    def claimed(self, chain: str, kept: dict[ObjectPlace, bytes]) -> bool:
        """Whether an auditor has left a claim of the next anchor that the chain does not extend."""
        epoch = len(self.restores_of(chain, kept)) + 1
        number = len(self.anchors_of(chain, kept)) + 1
        data = kept.get((chain, claim_key(number, epoch)))
        return data is not None and not self._extends(chain, parse_claim(data)[0])

    def _extends(self, chain: str, head: Checkpoint) -> bool:
        try:
            return self.size(chain) >= head.size and TreeReader(self.store).root(chain, head.size) == head.root
        except StoreError:
            return False


def _superseded(anchor: Anchor, restores: list[Restore]) -> bool:
    return any(each.supersedes(anchor.seal.number, anchor.checkpoint.size) for each in restores)
