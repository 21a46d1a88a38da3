"""What a round of audits costs in a log of very many chains, of which few have grown.

    python -m tools.benchmarks.many_chains [CHAINS GROWN] [packs]

With ``packs`` what grows is put into few objects, from each chain's next anchor on.
The chains are written straight into a database and a directory of anchors, as audits would have left them: to have them
audited one by one would take minutes. The last round is over a log in which one chain was removed, one renamed and one
rolled back. Processor time is that of this process and of mongod.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.keys import note_key
from eventlog.anchors.packed import PackedAnchors, PackPosition
from eventlog.anchors.places import PACKS
from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.anchors.walk import copy_of
from eventlog.audit.auditor import Auditor
from eventlog.clock import now_millis
from eventlog.formats import hashing, merkle
from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, origin_line
from eventlog.formats.event import ChainState, make_entry
from eventlog.formats.heads import ANCHORED, Commitment, HeadTree, commitment_payload
from eventlog.store.interface import Draft
from eventlog.store.mongo import indexes
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.store import MongoStore, open_log
from eventlog.store.mongo.tree import TreeReader
from eventlog.stored import codec
from eventlog.stored.anchor_copies import copy_fields
from eventlog.stored.heads import KnownHead, KnownHeads
from eventlog.stored.sequences import SequenceImage, encode_sequence
from local.mongod.embedded import EmbeddedMongo
from tools.benchmarks.measure import processor_seconds

ORIGIN = "example.com/log"
_DAY = 86_400_000
_DATABASE = "many"


class Seeded:
    """A log of ``count`` chains of two events each, all audited and anchored."""

    def __init__(self, client: MongoClient[dict[str, Any]], folder: Path, count: int, *, packing: bool) -> None:
        self._packing = packing
        self.store: MongoStore = open_log(client, _DATABASE, ORIGIN)
        self.held = client[_DATABASE].with_options(codec_options=codec.CODEC)
        self.folder = folder / "anchors"
        create_key_file(folder / "key")
        self.key = KeyFile(folder / "key")
        self.names = [f"tenant-{number:06}" for number in range(count)]
        self.auditor = self._auditor()
        indexes.ensure(self.held["events"], indexes.EVENTS)
        indexes.ensure(self.held["audits"], indexes.AUDITS)
        indexes.ensure(self.held["checkpoints"], indexes.CHECKPOINTS)
        self._commit({name: head for names in _parts(self.names, 1000) for name, head in self._chains(names)})

    def _chains(self, names: list[str]) -> Iterator[tuple[str, KnownHead]]:
        now = now_millis()
        events, sequences, copies = [], [], []
        for name in names:
            state = ChainState(0, hashing.genesis(ORIGIN, name))
            events += [codec.encode_event(event) for event in state.extend([_entry(name, n, now) for n in range(2)])]
            sequences.append(encode_sequence(SequenceImage(b"", name, ORIGIN, 2, state, [], 0)))
            head = Checkpoint(origin_line(ORIGIN, name), 2, merkle.root(state.frontier))
            anchor = verify_anchor(sign_anchor(head, Seal(1, now, NO_ANCHOR), [self.key]), [self.key.public_key])
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / note_key(1)).write_bytes(anchor.data)
            copies.append(copy_fields(copy_of(name, anchor)))
            yield name, KnownHead(1, anchor.digest, sha256(sequences[-1]).digest())
        for name, rows in (("events", events), ("sequences", sequences)):
            self.held[name].insert_many([RawBSONDocument(raw) for raw in rows])
        self.held["checkpoints"].insert_many(copies)

    def _commit(self, heads: dict[str, KnownHead]) -> None:
        registry = Registry(self.store, now_millis)
        for names in _parts(self.names, 500):
            drafts = [Draft(_entry(REGISTRY, 0, now_millis(), name), id_chosen=True) for name in names]
            self.store.append(REGISTRY, drafts)
        tree = HeadTree(KnownHeads(heads=heads).leaves())
        made = Commitment(time=now_millis(), count=len(heads), root=tree.root)
        key = sha256(self.key.public_key).digest()
        self.auditor.heads.list.save(KnownHeads(event_id=made.event_id, key=key, read_to=len(self.names), heads=heads))
        registry.write(REGISTRY, made.event_id, ANCHORED, commitment_payload(ORIGIN, made, self.key))

    def _auditor(self) -> Auditor:
        objects, copies = DirectoryAnchors(self.folder), CheckpointStore(self.store)
        packs = DirectoryAnchors(self.folder / PACKS)
        anchoring = Anchoring(
            self.store,
            TreeReader(self.store),
            copies,
            PackedAnchors(objects, packs, copies, self._position, packing=self._packing),
            signers=[self.key],
            public_keys=lambda: [self.key.public_key],
            idle_millis=_DAY,
        )
        return Auditor(self.store, AuditStore(self.store), ORIGIN, anchoring=anchoring)

    def _position(self) -> PackPosition:
        return self.auditor.heads.pack_position()

    def grow(self, count: int) -> None:
        """Append an event to each of the first chains."""
        for name in self.names[:count]:
            self.store.append(name, [Draft(_entry(name, 2, now_millis()))])

    def round(self) -> tuple[int, set[str]]:
        """Run a round, and return how many chains it audited and their verdicts."""
        reports = self.auditor.audit_all("incremental", 3600)
        return len(reports), {report.status for report in reports}

    def attack(self) -> None:
        """Remove one chain, rename another, and put a third, which has grown, back to what it was before."""
        back, removed, renamed = self.names[0], *self.names[-2:]
        last = {"chain": back, "seq": {"$gte": Int64(2)}}
        before = self.held["events"].find_one({"chain": back, "seq": 1}) or {}
        self.held["events"].delete_many(last)
        self.held["checkpoints"].delete_many({"chain": back, "size": {"$gte": Int64(3)}})
        settled = {"settled.size": Int64(2), "settled.hash": before["hash"], "size": Int64(2)}
        self.held["sequences"].update_one({"_id": back}, {"$set": settled})
        for name in ("events", "checkpoints", "audits"):
            self.held[name].delete_many({"chain": removed})
            self.held[name].update_many({"chain": renamed}, {"$set": {"chain": "other"}})
        self.held["sequences"].delete_one({"_id": removed})
        sequence = self.held["sequences"].find_one_and_delete({"_id": renamed}) or {}
        self.held["sequences"].insert_one(sequence | {"_id": "other"})

    def found(self) -> list[str]:
        """Run a round, and list what it found: chain, kind and place."""
        reports = self.auditor.audit_all("incremental", 3600)
        return sorted(
            f"{report.chain or 'database'} {finding.kind} {'' if finding.seq is None else finding.seq}".strip()
            for report in reports
            for finding in report.findings
        )


def _parts(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[at : at + size] for at in range(0, len(names), size))


def _entry(chain: str, number: int, now: int, event_id: str = "") -> Any:
    return make_entry(
        chain=chain,
        event_id=event_id or f"e{number}-{time.monotonic_ns()}",
        event_type="eventlog.chain_registered" if event_id else "t",
        source_id="s",
        timestamp=now,
        received_at=now,
        principal="p",
        payload="{}",
        salt=os.urandom(16),
    )


@contextmanager
def measured(what: str, client: MongoClient[dict[str, Any]], folder: Path) -> Iterator[None]:
    """Print the time, the processor's time, the commands and the new files of a piece of work."""
    pid = client.admin.command("serverStatus")["pid"]
    before = (time.monotonic(), time.process_time(), processor_seconds(int(pid)), _commands(client), _files(folder))
    yield
    after = (time.monotonic(), time.process_time(), processor_seconds(int(pid)), _commands(client), _files(folder))
    wall, ours, mongod, commands, files = (later - earlier for earlier, later in zip(before, after, strict=True))
    print(
        f"{what}: {wall:.1f} s; processor {ours:.1f} s here, {mongod:.1f} s mongod; "
        f"{commands:.0f} commands, {files:.0f} objects",
        flush=True,
    )


def _commands(client: MongoClient[dict[str, Any]]) -> int:
    counters = client.admin.command("serverStatus")["opcounters"]
    return sum(counters[name] for name in ("insert", "query", "update", "getmore", "command"))


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def main() -> None:
    """Seed a log and run rounds over it."""
    packing = sys.argv[-1] == "packs"
    given = sys.argv[1 : len(sys.argv) - packing]
    count, grown = map(int, given) if given else (10_000, 2_000)
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongo(Path(name, "db")) as mongo,
        MongoClient[dict[str, Any]](mongo.uri) as client,
    ):
        with measured(f"write {count} chains", client, Path(name, "anchors")):
            log = Seeded(client, Path(name), count, packing=packing)
        for what in ("the first round (the registry is audited whole)", f"{count} idle", f"{count} idle again"):
            with measured(what, client, log.folder):
                found = log.round()
            print(f"  audited {found[0]}: {found[1]}", flush=True)
        for what in ("grown", "grown again"):
            log.grow(grown)
            with measured(f"{grown} of {count} {what}", client, log.folder):
                found = log.round()
            print(f"  audited {found[0]}: {found[1]}", flush=True)
        log.attack()
        with measured("one removed, one renamed, one rolled back", client, log.folder):
            for line in log.found():
                print(f"  {line}")


if __name__ == "__main__":
    main()
