"""Evidence for tests: keys, a chain of events in memory with its tree, signed checkpoints, bundles."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.formats import bundle, hashing, merkle
from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line
from eventlog.formats.event import ChainState, Event, make_entry
from eventlog.formats.event_json import format_event
from eventlog.formats.note import VerifierKey, format_note, format_vkey, sign_note
from eventlog.formats.proof import Node, cover

ORIGIN, CHAIN = "log.example/events", "main"
LINE = origin_line(ORIGIN, CHAIN)
PAYLOAD = '{"big":10000000000000000,"many":[1.5,-0.1,1e+21,{}],"text":"é\\n"}'
START = 1_700_000_000_000


class Key:
    """An Ed25519 key from a seed: a ``note.Signer``."""

    def __init__(self, seed: str = "log") -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()).digest())

    @property
    def public_key(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def named(self, name: str = LINE) -> VerifierKey:
        """What a verifier pins."""
        return VerifierKey(name, self.public_key)


KEY = Key()


def events(count: int, state: ChainState | None = None, **fields: Any) -> Iterator[Event]:
    """The first events of the chain: each has an id, a source and a salt of its own and comes a second later."""
    state = state or ChainState(0, hashing.genesis(ORIGIN, CHAIN))
    for number in range(count):
        values: dict[str, Any] = {
            "chain": CHAIN,
            "event_id": f"e-{number}",
            "event_type": "order.paid",
            "source_id": f"shop/{number}",
            "timestamp": START + 1000 * number,
            "received_at": START + 1000 * number + 5,
            "principal": "anonymous",
            "payload": PAYLOAD,
            "salt": number.to_bytes(16, "big"),
        } | fields
        yield from state.extend([make_entry(**values)])


def nodes_of(found: Sequence[Event]) -> dict[Node, bytes]:
    """All nodes of the tree over these events."""
    nodes = {Node(0, event.seq): event.hash for event in found}
    for event in found:
        nodes |= {Node(level, event.seq >> level): node for level, node in enumerate(event.nodes, 1)}
    return nodes


def checkpoint_of(found: Sequence[Event], line: str = LINE) -> Checkpoint:
    frontier: list[bytes] = []
    for event in found:
        merkle.append_leaf(frontier, event.seq, event.hash)
    return Checkpoint(line, len(found), merkle.root(frontier))


def signed(checkpoint: Checkpoint, *keys: Key) -> bytes:
    """A checkpoint as a note, nothing more."""
    return format_note(sign_note(format_checkpoint(checkpoint), checkpoint.origin, keys or [KEY]))


def anchored(checkpoint: Checkpoint, *keys: Key, seal: Seal | None = None) -> bytes:
    """A checkpoint as an anchor."""
    return sign_anchor(checkpoint, seal or Seal(1, START, NO_ANCHOR), keys or [KEY])


def bundle_lines(
    found: Sequence[Event],
    shown: Sequence[int],
    selection: bundle.Selection,
    note: bytes | None = None,
    next_seq: int | None = None,
) -> list[bytes]:
    """A bundle over these events, of which the ``shown`` (seqs in order) are in it and the rest is gaps."""
    note = note or signed(checkpoint_of(found))
    nodes = nodes_of(found)
    header = bundle.Header(ORIGIN, CHAIN, note, (format_vkey(KEY.named()),), selection)
    lines, at = [bundle.header_line(header)], 0
    for seq in [*shown, len(found)]:
        if at < seq:
            gap = bundle.Gap(at, seq, tuple(nodes[node] for node in cover(at, seq)))
            lines.append(bundle.gap_line(gap))
        if seq < len(found):
            lines.append(bundle.event_line(format_event(found[seq])))
        at = seq + 1
    return [*lines, bundle.end_line(bundle.End(len(shown), next_seq))]
