"""What the audit keeps of the heads of all chains, as one document.

    {_id: "newest", event_id, before, key, read_to, chains, numbers, anchors, sequences, others, voucher, vouched_at}

Where there are packs (``formats/pack.py``), ``packs`` and ``open_packs`` follow ``others``.

``chains`` are names, one a line, in order; ``numbers``, ``anchors`` and ``sequences`` have an item, or 32 bytes, for
each: the newest anchor's number, the SHA-256 of its bytes, and that of the sequence document which was found intact
under it (zeros: of none). ``event_id`` is the commitment that these leaves are for, ``before`` the one before it.

It is the one thing that an audit of ten thousand idle chains reads, so it is columns and not a list of documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bson import Int64

from eventlog.formats.hashing import HASH_SIZE
from eventlog.formats.heads import HeadLeaf
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import Fields, count

NEWEST = "newest"
"""The id of the document."""
UNKNOWN = bytes(HASH_SIZE)
"""In the place of a sequence document's hash: the chain must be audited."""


class KnownHead(NamedTuple):
    """What is known of a chain: its newest anchor, and the sequence document that was found intact under it."""

    number: int
    anchor: bytes
    sequence: bytes = UNKNOWN


@dataclass(slots=True, kw_only=True)
class KnownHeads:
    """What is known of all chains but the registry, which commits to them."""

    event_id: str = ""
    before: str = ""
    key: bytes = UNKNOWN
    """SHA-256 of the public key that sealed new anchors then."""

    read_to: int = 0
    """How many events the registry had when the names in it were read."""

    heads: dict[str, KnownHead] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """Names in the registry of which no anchor is known."""

    packs: int = 0
    """The number of the newest pack that was read when the list was made; 0: there are none."""

    open_packs: tuple[int, ...] = ()
    """Packs up to that one in which something is newer than the list."""

    def leaves(self) -> Iterator[HeadLeaf]:
        """Iterate over the leaves of the commitment."""
        return (HeadLeaf(chain, head.number, head.anchor) for chain, head in self.heads.items())


def encode_heads(known: KnownHeads, more: dict[str, Any]) -> bytes:
    """Write the document; ``more`` is its voucher."""
    names = sorted(known.heads)
    heads = [known.heads[name] for name in names]
    document: dict[str, Any] = {
        "_id": NEWEST,
        "event_id": known.event_id,
        "before": known.before,
        "key": known.key,
        "read_to": count(known.read_to),
        "chains": "\n".join(names),
        "numbers": [Int64(head.number) for head in heads],
        "anchors": b"".join(head.anchor for head in heads),
        "sequences": b"".join(head.sequence for head in heads),
        "others": sorted(known.others),
    }
    packs = {"packs": count(known.packs), "open_packs": [Int64(number) for number in known.open_packs]}
    return codec.encode(document | (packs if known.packs else {}) | more)


def read_heads(document: dict[str, Any]) -> KnownHeads:
    """Read the document, decoded; whether an audit has written it, its voucher says.

    Raises:
        NotOursError: it is not one that this version writes.
    """
    fields = Fields(document)
    text = fields.get("chains", str)
    names, numbers = text.split("\n") if text else [], fields.items("numbers", Int64)
    columns = [fields.get(name, bytes) for name in ("anchors", "sequences")]
    # Names have no newline, so that their number is right or the document was written by nobody.
    if len({len(names), len(numbers), *(len(column) / HASH_SIZE for column in columns)}) != 1:
        raise NotOursError("the columns are of different lengths")
    has_packs = "packs" in document
    anchors, sequences = ([column[at : at + 32] for at in range(0, len(column), 32)] for column in columns)
    return KnownHeads(
        event_id=fields.get("event_id", str),
        before=fields.get("before", str),
        key=fields.hash("key"),
        read_to=fields.count("read_to"),
        heads=dict(zip(names, map(KnownHead, map(int, numbers), anchors, sequences), strict=True)),
        others=set(fields.items("others", str)),
        packs=fields.count("packs") if has_packs else 0,
        open_packs=tuple(map(int, fields.items("open_packs", Int64))) if has_packs else (),
    )
