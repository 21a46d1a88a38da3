"""Which ranges of a hashed collection must move so that each shard has its part. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

LOW, HIGH = -(1 << 63), 1 << 63
"""Where hashes, which are 64-bit integers, begin and end."""
_LEAST = 0.5
"""A shard that has less than so much of a fair share gets more; others are left alone, as each move stops pushes."""


@dataclass(frozen=True, slots=True)
class HashRange:
    """The hashes from ``low`` until before ``high``, with the shard that has them, or is to have them."""

    low: int
    high: int
    shard: str

    @property
    def width(self) -> int:
        """How many hashes it has."""
        return self.high - self.low


def without(ranges: Iterable[HashRange], placed: Iterable[tuple[int, int]]) -> list[HashRange]:
    """Leave out of the ranges what an operator has placed by zones."""
    left = list(ranges)
    for low, high in placed:
        left = [part for each in left for part in _cut(each, low, high)]
    return left


def short(ranges: Iterable[HashRange], shards: Sequence[str]) -> dict[str, float]:
    """Return the shards that have less than half of a fair share, and their part of all hashes."""
    shares = _shares(ranges, shards)
    total = sum(shares.values())
    return {shard: share / total for shard, share in shares.items() if share * len(shares) < _LEAST * total}


def moves(ranges: Iterable[HashRange], shards: Sequence[str]) -> list[HashRange]:
    """Return the ranges to move, each with the shard to move it to; none if every shard has enough.

    ``shards``: those that may have any; ranges on others are left where they are, as MongoDB itself is emptying those.
    """
    left = [each for each in ranges if each.shard in shards]
    shares = _shares(left, shards)
    fair = sum(shares.values()) // max(1, len(shares))
    found: list[HashRange] = []
    # Each shard that is short takes from those that have most, never more than what they have beyond a fair share: so
    # nothing moves twice, and nobody is short afterwards.
    for taker in short(left, shards):
        for giver in sorted(shares, key=lambda shard: -shares[shard]):
            for each in [each for each in left if each.shard == giver]:
                width = min(each.width, shares[giver] - fair, fair - shares[taker])
                if width <= 0:
                    break
                found.append(HashRange(each.high - width, each.high, taker))
                left.remove(each)
                left += [replace(each, high=each.high - width)] if width < each.width else []
                shares[giver] -= width
                shares[taker] += width
    return found


def _shares(ranges: Iterable[HashRange], shards: Sequence[str]) -> dict[str, int]:
    shares = dict.fromkeys(shards, 0)
    for each in ranges:
        if each.shard in shares:
            shares[each.shard] += each.width
    return shares


def _cut(each: HashRange, low: int, high: int) -> list[HashRange]:
    parts = [replace(each, high=min(each.high, low)), replace(each, low=max(each.low, high))]
    return [part for part in parts if part.width > 0]
