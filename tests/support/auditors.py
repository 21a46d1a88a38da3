"""Auditors that die at a chosen step, claims made up, and a record of everything that was ever signed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, cast

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.keys import note_key
from eventlog.anchors.packs import FOLDER
from eventlog.anchors.store import AnchorStore
from eventlog.anchors.walk import copy_of
from eventlog.audit.auditor import Auditor
from eventlog.formats.anchor import Anchor, Seal, parse_claim, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line, parse_checkpoint
from eventlog.formats.note import Signer
from eventlog.formats.pack import format_pack
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.store import MongoStore
from eventlog.store.mongo.tree import TreeReader
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog

NO_CHECKPOINT = (
    b"eventlog/audit",
    b"eventlog/heads/",
    b"eventlog/restore/",
    b"eventlog/round/",
    b"eventlog/strike-off/",
)
"""How what is signed of other things than checkpoints and anchors begins."""


class DiedError(Exception):
    """The process is gone."""


@dataclass
class Countdown:
    """Counts the steps of a process, which dies at the last one: before it is applied, or right after."""

    left: int
    after: bool = False
    error: Exception = field(default_factory=DiedError)
    lock: Any = field(default_factory=Lock)

    def take(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            self.left -= 1
            last = self.left == 0
        if last and not self.after:
            raise self.error
        result = step(*args, **kwargs)
        if isinstance(result, Iterator):
            result = iter(list(result))
        if last:
            raise self.error
        return result


class Dying:
    """Whatever is called of the object inside is a step."""

    def __init__(self, inside: Any, countdown: Countdown) -> None:
        self._inside = inside
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inside, name)
        if not callable(found) or name in {"session", "view"}:
            return found
        if name == "together":
            return self._together
        return lambda *args, **kwargs: self._countdown.take(found, *args, **kwargs)

    @contextmanager
    def _together(self, chain: str) -> Iterator["Dying"]:
        """A session, whose reads are steps too."""
        with self._inside.together(chain) as reads:
            yield Dying(reads, self._countdown)


def dying_auditor(log: AnchoredLog, countdown: Countdown) -> Auditor:
    """An auditor whose every step at the anchors, the copies, the keys, the events and the reports counts."""
    store = cast(MongoStore, Dying(log.store, countdown))
    anchoring = Anchoring(
        store,
        TreeReader(log.store),
        cast(CheckpointStore, Dying(CheckpointStore(log.store), countdown)),
        log.kept(*(cast(AnchorStore, Dying(place, countdown)) for place in (log.objects, log.packs))),
        signers=[cast(Signer, Dying(signer, countdown)) for signer in log.signers],
        public_keys=lambda: [signer.public_key for signer in log.signers],
        idle_millis=HOUR,
        clock=log.now,
    )
    audits = cast(AuditStore, Dying(AuditStore(log.store), countdown))
    return Auditor(store, audits, ORIGIN, lambda: log.now() / 1000, anchoring=anchoring)


@dataclass
class Recorder:
    """``Signer`` that keeps what it signs."""

    signer: Signer
    messages: list[bytes] = field(default_factory=list)

    @property
    def anchoring(self) -> list[bytes]:
        """What it has signed, but for what stands of a chain: each full audit signs that, whatever it says."""
        return [message for message in self.messages if not message.startswith(b"eventlog/standing/")]

    @property
    def public_key(self) -> bytes:
        return self.signer.public_key

    def sign(self, message: bytes) -> bytes:
        self.messages.append(message)
        return self.signer.sign(message)

    def check(self) -> None:
        """Never two roots for one size, nor two texts for one place, nor a size below that of an earlier place."""
        heads: set[Checkpoint] = set()
        places: dict[tuple[str, int], set[bytes]] = {}
        sizes: dict[str, dict[int, int]] = {}
        for message in self.anchoring:
            if message.startswith(NO_CHECKPOINT):
                continue
            if not message.startswith(b"eventlog/anchor/"):
                heads.add(parse_checkpoint(message.decode()))
                continue
            head, seal = parse_claim(message)
            places.setdefault((head.origin, seal.number), set()).add(message)
            sizes.setdefault(head.origin, {})[seal.number] = head.size
        assert len({(head.origin, head.size) for head in heads}) == len(heads)
        assert all(len(texts) == 1 for texts in places.values())
        for found in sizes.values():
            assert [found[number] for number in sorted(found)] == sorted(found.values())


def check_anchors(log: AnchoredLog, chain: str = "main") -> list[int]:
    """Numbered without a gap, linked, one root for one size, dated in order, the copies complete; their sizes."""
    names = log.files(chain)
    assert names == [note_key(number) for number in range(1, len(names) + 1)]
    keys = [*(signer.public_key for signer in log.signers), *log.retired]
    anchors = [verify_anchor(log.anchors.read(chain, name) or b"", keys) for name in names]
    previous, time, size = bytes(32), 0, 0
    for anchor in anchors:
        assert anchor.seal.previous == previous
        assert anchor.seal.time >= time
        assert anchor.checkpoint.size >= size
        previous, time, size = anchor.digest, anchor.seal.time, anchor.checkpoint.size
    assert len({anchor.checkpoint.size for anchor in anchors}) == len({anchor.checkpoint for anchor in anchors})
    copies = list(CheckpointStore(log.store).scan(chain))
    packs = [log.anchors.pack_of(chain, name) for name in names]
    assert copies == [copy_of(chain, anchor, pack) for anchor, pack in zip(anchors, packs, strict=True)]
    return [anchor.checkpoint.size for anchor in anchors]


def anchors(log: AnchoredLog, chain: str = "main") -> list[Anchor]:
    keys = [log.signers[0].public_key]
    return [verify_anchor(log.anchors.read(chain, name) or b"", keys) for name in log.files(chain)]


def put(log: AnchoredLog, key: str, data: bytes, chain: str = "main") -> None:
    """Put something into the place of an anchor or a claim: there, or into the next pack."""
    if log.packing:
        number = len(list(log.packs.keys(FOLDER))) + 1
        log.packs.create(FOLDER, f"{number:012}", format_pack(number, {(chain, key): data}))
        return
    path = log.folder / "anchors" / chain / key
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def claim(log: AnchoredLog, **changed: object) -> bytes:
    """The next anchor's claim, as an auditor would write it who sees the chain as it is; parts of it may be others."""
    found, (last,) = log.store.chain("main"), anchors(log)
    assert found is not None
    parts = {
        "origin": origin_line(ORIGIN, "main"),
        "size": found.state.size,
        "root": found.state.root,
        "number": 2,
        "time": last.seal.time + 1,
        "previous": last.digest,
    } | changed
    head = Checkpoint(*(parts[name] for name in ("origin", "size", "root")))  # type: ignore[arg-type]
    seal = Seal(*(parts[name] for name in ("number", "time", "previous")))  # type: ignore[arg-type]
    return seal.message(format_checkpoint(head))


def signed(log: AnchoredLog) -> list[bytes]:
    (recorder,) = log.signers
    assert isinstance(recorder, Recorder)
    return recorder.anchoring
