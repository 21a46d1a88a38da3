"""The newest events of a chain: bounded whatever comes, and what is here is contiguous."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.governance import ERASURE
from eventlog.streams.recent import Item, RecentEvents


def item(seq: int, size: int = 10) -> Item:
    return Item(seq, "t", "s", b"x" * size)


def test_it_stays_as_large_as_it_may_be_over_a_million_events() -> None:
    recent = RecentEvents(0, max_events=1000, max_bytes=50_000)
    for start in range(0, 1_000_000, 1000):
        recent.extend([item(seq, 100) for seq in range(start, start + 1000)])
        assert recent.bytes <= 50_000
        assert recent.end - recent.start == 500
    assert recent.end == 1_000_000


@given(start=st.integers(0, 50), sizes=st.lists(st.integers(1, 40), max_size=60), most=st.integers(1, 20))
def test_it_has_the_newest_in_order_and_says_what_it_has_no_more(start: int, sizes: list[int], most: int) -> None:
    recent = RecentEvents(start, max_events=most, max_bytes=200)
    for place, size in enumerate(sizes):
        recent.extend([item(start + place, size)])
        assert recent.end == start + place + 1
        assert recent.end - recent.start <= most
        assert recent.bytes <= 200
    for seq in range(start, recent.end + 3):
        found = recent.since(seq, 5)
        if seq < recent.start:
            assert found is None
        else:
            assert [one.seq for one in found or ()] == list(range(seq, recent.end))[:5]


def test_one_event_that_is_larger_than_all_may_be_is_gone_at_once() -> None:
    recent = RecentEvents(0, max_bytes=50)
    recent.extend([item(0, 60)])
    assert (recent.start, recent.end, recent.bytes, recent.since(0, 1), recent.since(1, 1)) == (1, 1, 0, None, [])


def test_what_came_before_an_order_to_erase_is_forgotten_and_read_from_the_database_by_who_needs_it() -> None:
    recent = RecentEvents(0)
    recent.extend([item(seq) for seq in range(5)])
    recent.extend([Item(5, ERASURE, "s", b"order"), item(6)])
    assert (recent.since(4, 9), [one.seq for one in recent.since(5, 9) or ()]) == (None, [5, 6])
    assert (recent.start, recent.end, recent.bytes) == (5, 7, 15)
