"""Anchors for tests: signed by a key that is made here, put where the audit function would put them."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor
from eventlog.formats.checkpoint import Checkpoint, origin_line
from eventlog.formats.heads import ANCHORED, Commitment, HeadTree, commitment_payload
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.heads import HeadRows
from eventlog.store.mongo.store import MongoStore
from eventlog.store.mongo.tree import TreeReader
from eventlog.stored.anchor_copies import AnchorCopy
from eventlog.stored.heads import KnownHead, KnownHeads, encode_heads

TIME = 1_700_000_000_000


@dataclass(frozen=True)
class Key:
    """An Ed25519 key from a seed of one byte."""

    seed: int = 1

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def public_key(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def verifier(self, origin: str, chain: str = "main") -> VerifierKey:
        """What a verifier pins."""
        return VerifierKey(origin_line(origin, chain), self.public_key)


KEY = Key()


def put_anchor(
    store: MongoStore,
    size: int | None = None,
    chain: str = "main",
    root: bytes | None = None,
    number: int | None = None,
) -> AnchorCopy:
    """Sign the chain's tree at a size, by default the whole, and store the anchor as the next one."""
    checkpoints = CheckpointStore(store)
    checkpoints.ensure_indexes()
    found = store.chain(chain)
    assert found is not None
    size = found.state.size if size is None else size
    root = TreeReader(store).root(chain, size) if root is None else root
    newest = checkpoints.newest(chain)
    number = number or (newest.number + 1 if newest else 1)
    checkpoint = Checkpoint(origin_line(found.origin, chain), size, root)
    note = sign_anchor(checkpoint, Seal(number, TIME + number, NO_ANCHOR), [KEY])
    copy = AnchorCopy(chain, number, size, TIME + number, note, (format_vkey(KEY.verifier(found.origin, chain)),))
    checkpoints.add(copy)
    return copy


def put_heads(store: MongoStore, *copies: AnchorCopy) -> KnownHeads:
    """Commit to these anchors in the registry, and anchor that, as a round of audits does."""
    heads = {copy.chain: KnownHead(copy.number, sha256(copy.note).digest()) for copy in copies}
    known, chain = KnownHeads(heads=heads), store.chain(copies[0].chain)
    assert chain is not None
    made = Commitment(time=TIME, count=len(heads), root=HeadTree(known.leaves()).root)
    known.event_id = made.event_id
    HeadRows(store).save(encode_heads(known, {}))
    payload = commitment_payload(chain.origin, made, KEY)
    Registry(store, lambda: TIME).write(REGISTRY, made.event_id, ANCHORED, payload)
    put_anchor(store, chain=REGISTRY)
    return known
