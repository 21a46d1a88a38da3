"""The registry's commitment to the heads of all chains: one Merkle root over the newest anchor of each.

    leaf    = JCS([chain, number, hex of SHA-256(anchor)])        sorted by chain, one a chain
    root    = the Merkle tree head over the leaves (RFC 9162, section 2.1)

It stands in the registry as an event ``eventlog.anchored`` with the id ``eventlog.anchored-<time, 15 digits>`` and the
payload ``{count, root, signature, time}``. What is signed:

    eventlog/heads/v1
    <the log's origin>
    time <milliseconds since 1970>
    count <how many chains>
    root <hex>

Specified in docs/formats/heads.md.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from eventlog.formats import merkle
from eventlog.formats.canonical import canonicalize
from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Entry
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.members import hex_bytes, members, parse_json, whole
from eventlog.formats.note import Signer, VerifierKey
from eventlog.formats.proof import cover, inclusion_ranges
from eventlog.formats.times import MAX_MILLIS

ANCHORED = "eventlog.anchored"
"""The type of the event."""
_MEMBERS = {"count", "root", "signature", "time"}
_TEXT = re.compile(rb"eventlog/heads/v1\n([^\n]+)\ntime ([0-9]+)\ncount ([0-9]+)\nroot ([0-9a-f]{64})\n")


class HeadLeaf(NamedTuple):
    """A chain's newest anchor: its number, and the SHA-256 of its bytes."""

    chain: str
    number: int
    anchor: bytes


def format_head(leaf: HeadLeaf) -> bytes:
    """Write a leaf; a list has one canonical form, so no two leaves are written alike."""
    return canonicalize([leaf.chain, leaf.number, leaf.anchor.hex()])


class HeadTree:
    """The tree over the heads of all chains."""

    def __init__(self, leaves: Iterable[HeadLeaf]) -> None:
        """Sort the leaves by chain.

        Raises:
            EvidenceError: two are of one chain.
        """
        self.leaves = sorted(leaves)
        self._chains = [leaf.chain for leaf in self.leaves]
        if len(set(self._chains)) != len(self._chains):
            raise EvidenceError("a chain has two heads")

    @cached_property
    def _hashes(self) -> list[bytes]:
        return [leaf_hash(format_head(leaf)) for leaf in self.leaves]

    @property
    def root(self) -> bytes:
        """The Merkle tree head over all leaves."""
        return self._head(0, len(self.leaves))

    def index(self, chain: str) -> int | None:
        """Find where a chain's leaf stands; None if it has none."""
        place = bisect_left(self._chains, chain)
        return place if place < len(self._chains) and self._chains[place] == chain else None

    def path(self, index: int) -> list[bytes]:
        """Return the inclusion proof of a leaf (RFC 9162, section 2.1.3.1)."""
        return [self._head(start, end) for start, end in inclusion_ranges(index, len(self.leaves))]

    def _head(self, start: int, end: int) -> bytes:
        # The head of a range is made of its perfect subtrees, which are those of the frontier of a tree of its own.
        frontier: list[bytes] = []
        for node in cover(start, end):
            part: list[bytes] = []
            for size, value in enumerate(self._hashes[node.index << node.level : node.last + 1]):
                merkle.append_leaf(part, size, value)
            frontier += part
        return merkle.root(frontier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What the registry commits to: the root over the heads of ``count`` chains at ``time`` (milliseconds)."""

    time: int
    count: int
    root: bytes

    @property
    def event_id(self) -> str:
        """The id of its event."""
        return f"{ANCHORED}-{self.time:015}"


def format_commitment(origin: str, commitment: Commitment) -> bytes:
    """Write what is signed of a commitment of the log with this origin."""
    lines = ("eventlog/heads/v1", origin, f"time {commitment.time}", f"count {commitment.count}")
    return "".join(f"{line}\n" for line in (*lines, f"root {commitment.root.hex()}")).encode()


def parse_commitment(data: bytes) -> tuple[str, Commitment]:
    """Read what is signed; only the form that ``format_commitment`` writes is accepted.

    Raises:
        EvidenceError: it is no commitment's.
    """
    found = _TEXT.fullmatch(data)
    if found is None:
        raise EvidenceError("not the text of a commitment")
    try:
        origin, time, count = (part.decode() for part in found.groups()[:3])
    except UnicodeDecodeError as error:
        raise EvidenceError("not the text of a commitment") from error
    root = bytes.fromhex(found[4].decode())
    parsed = Commitment(time=parse_decimal(time, "the time"), count=parse_decimal(count, "the count"), root=root)
    return origin, parsed


def commitment_payload(origin: str, commitment: Commitment, signer: Signer) -> dict[str, Any]:
    """Make the payload of its event, signed by a key of the log."""
    return {
        "count": commitment.count,
        "root": commitment.root.hex(),
        "signature": signer.sign(format_commitment(origin, commitment)).hex(),
        "time": commitment.time,
    }


def read_commitment(entry: Entry) -> tuple[Commitment, bytes]:
    """Read a commitment and its signature, which is not checked, from an event of the registry.

    Raises:
        EvidenceError: it is none, or not as ``commitment_payload`` writes it.
    """
    # The id has the time in it and ids are unique, so a payload that is copied into another event is refused here.
    payload = members(parse_json(entry.payload.encode()), "a commitment")
    if set(payload) != _MEMBERS or entry.event_type != ANCHORED:
        raise EvidenceError(f"the payload of {ANCHORED} has the members {', '.join(sorted(_MEMBERS))}")
    found = Commitment(time=whole(payload, "time"), count=whole(payload, "count"), root=hex_bytes(payload, "root"))
    if found.time > MAX_MILLIS or entry.event_id != found.event_id:
        raise EvidenceError("the commitment's event has another id than its time gives")
    return found, hex_bytes(payload, "signature", 64)


def verify_commitment(entry: Entry, origin: str, public_keys: Iterable[bytes]) -> Commitment:
    """Read a commitment that one of these Ed25519 keys has signed for this log.

    Raises:
        EvidenceError: it is malformed, or none of the keys signed it.
    """
    found, signature = read_commitment(entry)
    message = format_commitment(origin, found)
    for key in public_keys:
        try:
            VerifierKey(origin, key).verify(message, signature)
        except EvidenceError:
            continue
        return found
    raise EvidenceError("no key of the log has signed it")
