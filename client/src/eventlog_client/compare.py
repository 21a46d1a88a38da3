"""Compares pieces of evidence with each other, which shows what no piece can show alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from eventlog.formats.event_json import contradiction
from eventlog_client.answers import Consistency
from eventlog_client.documents import CheckpointClaim, Claim, LeafClaim
from eventlog_client.errors import RefusedError
from eventlog_client.keys import chain_of

ConsistencyProof = Callable[[str, int, int], Consistency]
"""Asks the log itself, for a chain and two sizes."""

_SIGNED = "Both are signed with the log's key: this is proof of misconduct by itself, whoever shows it."
_UNSIGNED = "Their signatures were not checked (give --key): signed, it would be proof of misconduct by itself."
_RECEIPTS = "Receipts are not signed: this shows misconduct to those who know that the files come from the log."


@dataclass(slots=True)
class Comparison:
    """The result: contradictions found, and questions that are still open."""

    contradictions: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


def compare(claims: Iterable[Claim], prove: ConsistencyProof | None) -> Comparison:
    """Compare claims with each other; with ``prove``, also checkpoints of different sizes."""
    # Checkpoints of one origin and size are compared as they come; the first one of each is kept. What is left is one
    # checkpoint for each size, which only the log itself can connect.
    found = Comparison()
    places: list[LeafClaim] = []
    heads: dict[str, dict[int, CheckpointClaim]] = {}
    for claim in claims:
        if isinstance(claim, LeafClaim):
            places.append(claim)
            continue
        known = heads.setdefault(claim.checkpoint.origin, {}).setdefault(claim.checkpoint.size, claim)
        if known.checkpoint.root != claim.checkpoint.root:
            size = claim.checkpoint.size
            what = f"{claim.checkpoint.origin} shows two roots for size {size}: {known.where} and {claim.where}."
            found.contradictions.append(f"{what} {_SIGNED if known.signed and claim.signed else _UNSIGNED}")
    _compare_places(places, found)
    for origin, sizes in heads.items():
        _compare_sizes(origin, [sizes[size] for size in sorted(sizes)], prove, found)
    return found


def _compare_places(places: list[LeafClaim], found: Comparison) -> None:
    # In order of seq, a leaf can clash with three known ones only: at its own seq, just before it, or with its event
    # id.
    by_seq: dict[tuple[str, int], LeafClaim] = {}
    by_id: dict[tuple[str, str], LeafClaim] = {}
    for place in sorted(places, key=lambda place: place.seq):
        known = [by_seq.get((place.chain, place.seq)), by_seq.get((place.chain, place.seq - 1))]
        if place.receipt is not None:
            known.append(by_id.setdefault((place.chain, place.receipt.event_id), place))
        for other in dict.fromkeys(known):
            if other is not None and other is not place and (why := _clash(other, place)) is not None:
                found.contradictions.append(f"{other.where} and {place.where}: {why}. {_RECEIPTS}")
        by_seq.setdefault((place.chain, place.seq), place)


def _clash(a: LeafClaim, b: LeafClaim) -> str | None:
    """Return why both can't be true, or None; ``a`` stands at the same seq as ``b`` or before it."""
    if a.seq == b.seq and a.hash != b.hash:
        return f"seq {a.seq} of chain {a.chain} was given twice, each time with another hash"
    if a.seq + 1 == b.seq and a.hash != b.prev_hash:
        return f"seq {b.seq} of chain {a.chain} is not linked to seq {a.seq}"
    return contradiction(a.receipt, b.receipt) if a.receipt and b.receipt else None


def _compare_sizes(
    origin: str, heads: list[CheckpointClaim], prove: ConsistencyProof | None, found: Comparison
) -> None:
    # Neighbours by size are enough: if each tree extends the one before it, each extends all before it. Without the
    # log, or without its answer, the question stays open, which is not a contradiction.
    for one, other in pairwise(heads):
        first, second = one.checkpoint, other.checkpoint
        sizes = f"{origin}, sizes {first.size} ({one.where}) and {second.size} ({other.where})"
        if prove is None:
            found.open.append(f"{sizes}: only the log can show that one extends the other (give --url).")
            continue
        try:
            proof = prove(chain_of(origin), first.size, second.size)
        except RefusedError as error:
            found.open.append(f"{sizes}: the log gave no proof that one extends the other: {error}.")
            continue
        if (proof.first_root, proof.second_root) != (first.root, second.root):
            found.contradictions.append(f"{sizes}: the log's own tree has other roots: one does not extend the other.")
