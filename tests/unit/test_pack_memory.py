"""However many packs there are, what is remembered of them is what is newest of each chain."""

import tracemalloc
from collections.abc import Iterator
from typing import cast

import pytest

from eventlog.anchors.keys import claim_key, note_key
from eventlog.anchors.packs import Packs
from eventlog.anchors.store import AnchorStore
from eventlog.formats.pack import ObjectPlace, format_pack

CHAINS = [f"c{number}" for number in range(10)]
DEAD = 7
"""The chain of which an auditor has claimed the next anchor, and died, in the first round; it was never anchored."""


class ManyRounds:
    """Packs of so many rounds, of the claims of ten chains and of their anchors in turns; each is made to be read."""

    def __init__(self, rounds: int) -> None:
        self.packs = 2 * rounds

    def keys(self, _: str, after: str = "") -> Iterator[str]:
        return (f"{number:012}" for number in range(int(after or "0") + 1, self.packs + 1))

    def read(self, _: str, key: str) -> bytes | None:
        number = int(key)
        return format_pack(number, self.entries(number)) if number <= self.packs else None

    def entries(self, number: int) -> dict[ObjectPlace, bytes]:
        anchor, is_note = (number + 1) // 2, number % 2 == 0
        of = note_key(anchor) if is_note else claim_key(anchor, 1)
        return {(chain, of): b"x" * 200 for n, chain in enumerate(CHAINS) if n != DEAD or number == 1}


def begun(rounds: int) -> Packs:
    packs = Packs(cast(AnchorStore, ManyRounds(rounds)))
    packs.begin(0, ())
    assert packs.newest == 2 * rounds
    return packs


def peak(rounds: int, *, again: bool) -> int:
    """The most bytes that were held at once while all packs were read, by a process that had just begun or not."""
    packs = Packs(cast(AnchorStore, ManyRounds(rounds)))
    if again:  # it has seen the list, and then somebody removes that
        packs.begin(2 * rounds, ())
    tracemalloc.start()
    try:
        packs.begin(0, ())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("again", [False, True], ids=["at the start", "later"])
def test_ten_times_as_many_packs_need_no_more_memory(again: bool) -> None:
    peak(40, again=again)  # what is made once
    few, many = (peak(rounds, again=again) for rounds in (100, 1000))
    assert many < 1.3 * few


def test_of_each_chain_what_is_newest_is_known_and_what_was_never_finished() -> None:
    packs = begun(100)
    assert packs.chains() == CHAINS
    for chain in CHAINS[:DEAD]:
        assert packs.of(chain) == {note_key(100): 200, claim_key(100, 1): 199}
    assert packs.of(CHAINS[DEAD]) == {claim_key(1, 1): 1}


def test_of_so_many_as_come_in_a_few_rounds_all_is_known() -> None:
    packs = begun(30)
    assert len(packs.of(CHAINS[0])) == 60


def test_whoever_has_looked_before_something_was_forgotten_has_to_look_again() -> None:
    store = ManyRounds(10)
    packs = Packs(cast(AnchorStore, store))
    packs.begin(0, ())
    before = packs.generation
    store.packs = 60
    packs.refresh()
    assert packs.generation == before
    store.packs = 300
    packs.refresh()
    assert packs.generation > before
