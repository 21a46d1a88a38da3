"""A chain's head, proven under the registry's commitment to the heads of all chains (``formats/head_proof.py``)."""

from hashlib import sha256

from eventlog.chain_names import OWN_PREFIX
from eventlog.errors import NotFoundError
from eventlog.evidence.checkpoints import check_root
from eventlog.evidence.proofs import Evidence
from eventlog.formats.errors import EvidenceError
from eventlog.formats.head_proof import HeadProof
from eventlog.formats.heads import HeadTree, read_commitment
from eventlog.formats.proof import verify_inclusion
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.interface.anchor_copies import AnchorCopies
from eventlog.store.interface.heads import HeadReads
from eventlog.stored import codec
from eventlog.stored.anchor_copies import AnchorCopy
from eventlog.stored.errors import NotOursError
from eventlog.stored.heads import KnownHeads, read_heads

_REGISTRY = f"{OWN_PREFIX}registry"


class HeadEvidence:
    """Reads the database only. The list of heads is read whole: some 100 bytes a chain."""

    def __init__(self, heads: HeadReads, copies: AnchorCopies, evidence: Evidence) -> None:
        self._heads = heads
        self._copies = copies
        self._evidence = evidence

    def proof(self, chain: str) -> HeadProof:
        """Prove the head that the newest commitment has of a chain; a later anchor is in the next one.

        Raises:
            NotFoundError: no commitment has the chain.
            StoreUnavailableError: the newest commitment is not anchored yet.
            CorruptionError: what is stored does not prove it.
        """
        known = self._known()
        tree = HeadTree(known.leaves())
        index = tree.index(chain)
        if index is None:
            with self._evidence.view(chain, None):  # one that does not exist is told as everywhere
                raise NotFoundError(f"The registry does not commit to a head of chain {chain} yet.")
        leaf = tree.leaves[index]
        copy = next(self._copies.scan(chain, leaf.number, leaf.number), None)
        if copy is None or sha256(copy.note).digest() != leaf.anchor:
            raise CorruptionError(f"anchor {leaf.number} of chain {chain} is not what was committed to; run an audit")
        return self._proven(known, tree, index, copy)

    def _proven(self, known: KnownHeads, tree: HeadTree, index: int, copy: AnchorCopy) -> HeadProof:
        with self._evidence.view(_REGISTRY, None) as (view, registry):
            event = view.event(known.event_id) if known.event_id else None
            # The list is stored before its event, and that before the registry's anchor: for a moment, each minute.
            if event is None or registry is None or event.seq >= registry.size:
                raise StoreUnavailableError("the newest commitment to the heads is not anchored yet")
            found = view.inclusion(event.seq, registry.size)
        # What is given must verify, as far as that can be said without a key.
        try:
            if read_commitment(event.entry)[0].root != tree.root:
                raise EvidenceError("the stored heads are not those that were committed to")
            verify_inclusion(event.hash, event.seq, registry.size, found.hashes, found.root)
        except EvidenceError as error:
            raise CorruptionError(f"the commitment to the heads is damaged: {error}; run an audit") from error
        check_root(registry, found.root)
        return HeadProof(
            chain=copy.chain,
            number=copy.number,
            anchor=copy.note,
            index=index,
            count=len(tree.leaves),
            hashes=tuple(tree.path(index)),
            event=event,
            registry_hashes=tuple(found.hashes),
            registry_size=registry.size,
            registry_checkpoint=self._evidence.witnessed(registry).note,
        )

    def _known(self) -> KnownHeads:
        raw = self._heads.get()
        try:
            return KnownHeads() if raw is None else read_heads(codec.decode(raw))
        except NotOursError as error:
            raise CorruptionError(f"what is stored of the heads is damaged: {error}; run an audit") from error
