"""What somebody does to a log who may write everywhere, and what audits have to find of it, may find, and must not."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from eventlog.anchors.packs import FOLDER
from eventlog.anchors.places import PACKS
from eventlog.anchors.rounds import ROUNDS
from eventlog.anchors.standings import STANDINGS
from eventlog.chain_names import REGISTRY
from eventlog.formats.errors import EvidenceError
from eventlog.formats.pack import ObjectPlace, format_pack, parse_pack
from tests.model.audited_log import Rows, WalkedLog

_ANCHOR = re.compile(r"[0-9]{12}\.note")
_OWN = {ROUNDS, STANDINGS}


@dataclass
class Expected:
    """``guilty``: chains of which a full audit must find something, with the reason; ``excused``: of which it may.

    ``forged``: chains whose anchors somebody has altered, so that what is signed may contradict what was.
    """

    guilty: dict[str, str] = field(default_factory=dict)
    excused: dict[str, str] = field(default_factory=dict)
    forged: set[str] = field(default_factory=set)
    has_gap: bool = False
    """A pack was damaged: behind a gap nothing counts until it is filled, so that any chain may have lost something."""

    def copy(self) -> "Expected":
        return Expected(dict(self.guilty), dict(self.excused), set(self.forged), self.has_gap)

    def is_honest(self, chain: str) -> bool:
        return not self.has_gap and chain not in self.guilty and chain not in self.excused


@dataclass
class Tamperer:
    """``kept``: what is kept among the anchors, as it is now; ``earlier``: backups that were taken."""

    log: WalkedLog
    rng: Random
    expected: Expected
    kept: dict[ObjectPlace, bytes]
    earlier: list[Rows]

    def notes(self) -> list[ObjectPlace]:
        return sorted((chain, key) for chain, key in self.kept if _ANCHOR.fullmatch(key) and chain not in _OWN)

    def copies(self, chain: str) -> list[int]:
        return sorted(self.log.rows["checkpoints"].distinct("number", {"chain": chain}))

    def accuse(self, chain: str, why: str, *, surely: bool) -> None:
        (self.expected.guilty if surely else self.expected.excused)[chain] = why

    def chain(self) -> str:
        return self.rng.choice(self.log.chains() or ["a"])

    def pick(self) -> tuple[str, int]:
        """An event, as chain and seq."""
        chain = self.chain()
        seqs = sorted(self.log.rows["events"].distinct("seq", {"chain": chain}))
        return chain, self.rng.choice(seqs) if seqs else -1


Kind = Callable[[Tamperer], str | None]
"""Does something and says what; None: there is nothing to do it to."""


def edit_event(by: Tamperer) -> str | None:
    chain, seq = by.pick()
    changed = by.log.rows["events"].update_one({"chain": chain, "seq": seq}, {"$set": {"payload": '{"n":2}'}})
    if changed.matched_count:
        by.accuse(chain, "edited", surely=True)
    return f"event {seq} of {chain} edited" if changed.matched_count else None


def remove_event(by: Tamperer) -> str | None:
    chain, seq = by.pick()
    if not by.log.rows["events"].delete_one({"chain": chain, "seq": seq}).deleted_count:
        return None
    by.accuse(chain, "an event removed", surely=True)
    return f"event {seq} of {chain} removed"


def remove_chain(by: Tamperer) -> str | None:
    return _remove_chain(by, by.chain(), wholly=False)


def remove_chain_and_objects(by: Tamperer) -> str | None:
    """With its anchors, as far as they are objects of its own."""
    return _remove_chain(by, by.chain(), wholly=True)


def remove_anchor(by: Tamperer) -> str | None:
    if not (notes := by.notes()):
        return None
    chain, key = by.rng.choice(notes)
    _put(by, (chain, key), None)
    last = max(held for held in notes if held[0] == chain)[1]
    by.accuse(chain, "an anchor removed", surely=int(key[:12]) in by.copies(chain) or key < last)
    return f"{key} of {chain} removed"


def change_anchor(by: Tamperer) -> str | None:
    if not (notes := by.notes()):
        return None
    place = by.rng.choice(notes)
    _put(by, place, b"x" + by.kept[place])
    by.accuse(place[0], "an anchor changed", surely=True)
    return f"{place[1]} of {place[0]} changed"


def remove_pack(by: Tamperer) -> str | None:
    return _damage_pack(by, None)


def spoil_pack(by: Tamperer) -> str | None:
    return _damage_pack(by, b"x")


def remove_older_copy(by: Tamperer) -> str | None:
    chain = by.chain()
    numbers = by.copies(chain)[:-1]
    if not numbers:
        return None
    number = by.rng.choice(numbers)
    by.log.rows["checkpoints"].delete_one({"chain": chain, "number": number})
    by.accuse(chain, "a copy removed", surely=True)
    return f"copy {number} of {chain} removed"


def remove_newest_copy(by: Tamperer) -> str | None:
    """An auditor that died before it made its copy leaves the same: the next one makes it."""
    chain = by.chain()
    if not (numbers := by.copies(chain)):
        return None
    by.log.rows["checkpoints"].delete_one({"chain": chain, "number": numbers[-1]})
    return f"newest copy {numbers[-1]} of {chain} removed"


def remove_list(by: Tamperer) -> str | None:
    """More has to be read, and all chains audited; nothing was lost."""
    return "the list of heads removed" if by.log.rows["heads"].delete_many({}).deleted_count else None


def put_list_back(by: Tamperer) -> str | None:
    if not by.earlier or not (rows := by.rng.choice(by.earlier)["heads"]):
        return None
    by.log.put_back({"heads": rows})
    return "an earlier list of heads put back"


def remove_reports(by: Tamperer) -> str | None:
    """And with them what stands, and how far rounds are."""
    return "all reports removed" if by.log.rows["audits"].delete_many({}).deleted_count else None


EVENTS: tuple[Kind, ...] = (edit_event, remove_event, remove_chain)
ANCHORS: tuple[Kind, ...] = (
    remove_chain_and_objects,
    remove_anchor,
    change_anchor,
    remove_pack,
    spoil_pack,
    remove_older_copy,
)
"""What is another thing with packs than without, or hides what was in them."""
HARMLESS: tuple[Kind, ...] = (remove_newest_copy, remove_list, put_list_back, remove_reports)


def _remove_chain(by: Tamperer, chain: str, *, wholly: bool) -> str:
    registered = by.log.rows["events"].count_documents({"chain": REGISTRY, "event_id": chain}) > 0
    for name in ("events", "sequences", "checkpoints"):
        by.log.rows[name].delete_many({"_id" if name == "sequences" else "chain": chain})
    folder, anchored = by.log.folder / "anchors" / chain, any(held == chain for held, _ in by.notes())
    if wholly:
        for path in folder.iterdir() if folder.exists() else ():
            path.unlink()
        by.expected.forged.add(chain)
    # Of what was anchored something is left, or the registry names it.
    by.accuse(chain, "removed", surely=(anchored and not wholly) or (registered and chain != REGISTRY))
    return f"{chain} removed{', with its objects' if wholly else ''}"


def _put(by: Tamperer, place: ObjectPlace, data: bytes | None) -> None:
    """Replace or remove what is kept in a place, wherever it is."""
    by.expected.forged.add(place[0])
    path = by.log.folder / "anchors" / place[0] / place[1]
    if path.exists():
        _write(path, data)
    for key in by.log.packs.keys(FOLDER):
        entries = _entries(by, key)
        if place in entries:
            rest = {held: found for held, found in entries.items() if held != place}
            rest |= {} if data is None else {place: data}
            _write(_pack(by, key), format_pack(int(key), rest) if rest else None)
            if not rest:
                by.expected.has_gap = True


def _damage_pack(by: Tamperer, before: bytes | None) -> str | None:
    keys = list(by.log.packs.keys(FOLDER))
    if not keys:
        return None
    key = by.rng.choice(keys)
    data, entries = by.log.packs.read(FOLDER, key) or b"", _entries(by, key)
    _write(_pack(by, key), None if before is None else before + data)
    by.expected.has_gap = True
    for chain, name in entries:
        if name.endswith(".note") and int(name[:12]) in by.copies(chain):
            by.accuse(chain, "a pack was damaged", surely=True)
    return f"pack {key} {'removed' if before is None else 'spoilt'}"


def _entries(by: Tamperer, key: str) -> dict[ObjectPlace, bytes]:
    try:
        return dict(parse_pack(by.log.packs.read(FOLDER, key) or b"").entries)
    except EvidenceError:  # it was spoilt before
        return {}


def _pack(by: Tamperer, key: str) -> Path:
    return by.log.folder / "anchors" / PACKS / FOLDER / key


def _write(path: Path, data: bytes | None) -> None:
    path.unlink()
    if data is not None:
        path.write_bytes(data)
