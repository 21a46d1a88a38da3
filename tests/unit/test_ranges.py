"""Ranges move so that each shard has its part of a hashed collection, and nothing moves without need."""

from itertools import pairwise
from random import Random

import pytest

from admin.ranges import HIGH, LOW, HashRange, moves, short, without

SPACE = HIGH - LOW


def ranges(*parts: tuple[int, str]) -> list[HashRange]:
    """Ranges of so many per cent, each with its shard, from the lowest hash on."""
    found, low, done = [], LOW, 0
    for percent, shard in parts:
        done += percent
        high = LOW + SPACE * done // 100
        found.append(HashRange(low, high, shard))
        low = high
    assert done == 100
    return found


def after(before: list[HashRange], moved: list[HashRange]) -> dict[str, int]:
    """How much each shard has when all was moved; each move is of hashes that are there, once."""
    bounds = sorted({bound for each in (*before, *moved) for bound in (each.low, each.high)})
    found: dict[str, int] = {}
    for low, high in pairwise(bounds):
        (owner,) = [each.shard for each in before if each.low <= low < each.high] or [""]
        takers = [each.shard for each in moved if each.low <= low < each.high]
        assert len(takers) <= 1
        found[takers[0] if takers else owner] = found.get(takers[0] if takers else owner, 0) + high - low
    found.pop("", None)
    return found


@pytest.mark.parametrize(
    ("before", "shards", "expected"),
    [
        ([(100, "a")], "a", {"a": 100}),
        ([(100, "a")], "ab", {"a": 50, "b": 50}),
        ([(100, "a")], "abc", {"a": 34, "b": 33, "c": 33}),
        ([(50, "a"), (50, "b")], "abc", {"a": 34, "b": 33, "c": 33}),
        ([(20, "a"), (30, "b"), (30, "a"), (20, "b")], "ab", {"a": 50, "b": 50}),
        ([(70, "a"), (30, "b")], "ab", {"a": 70, "b": 30}),  # uneven, but no shard is idle
        ([(80, "a"), (20, "b")], "ab", {"a": 50, "b": 50}),
        ([(40, "a"), (60, "gone")], "ab", {"a": 20, "b": 20, "gone": 60}),  # MongoDB is emptying it
    ],
)
def test_a_shard_without_its_part_gets_one(
    before: list[tuple[int, str]], shards: str, expected: dict[str, int]
) -> None:
    given = ranges(*before)
    moved = moves(given, list(shards))
    assert {shard: round(part * 100 / SPACE) for shard, part in after(given, moved).items()} == pytest.approx(
        expected, abs=1
    )
    assert bool(moved) is bool(short(given, list(shards)))


def test_any_ranges_come_to_rest_with_a_part_on_every_shard() -> None:
    rng = Random(36)
    for _ in range(300):
        shards = [f"s{number}" for number in range(rng.randint(1, 6))]
        bounds = [LOW, *sorted(rng.sample(range(LOW + 1, LOW + 10_000), rng.randint(0, 8))), HIGH]
        given = [HashRange(low, high, rng.choice(shards)) for low, high in pairwise(bounds)]
        end = after(given, moves(given, shards))
        assert sum(end.values()) == SPACE
        assert min(end.get(shard, 0) for shard in shards) * len(shards) * 2 >= SPACE - 20


def test_what_zones_have_placed_is_no_part_of_it() -> None:
    given = ranges((50, "a"), (50, "b"))
    zone = (LOW + 10, LOW + 11)
    left = without(given, [zone])
    assert [(each.low, each.high, each.shard) for each in left] == [
        (LOW, LOW + 10, "a"),
        (LOW + 11, 0, "a"),
        (0, HIGH, "b"),
    ]
    assert without(given, [(LOW, HIGH)]) == []
    assert moves([], ["a", "b"]) == []
    assert short([], ["a"]) == {}
