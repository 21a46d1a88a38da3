"""Packs are read in one form alone, and what is put together by several threads is there once, whole or not at all."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventlog.anchors.gathering import AT_ONCE, MOST, Gathering, Offer, Taken
from eventlog.formats.errors import EvidenceError
from eventlog.formats.pack import MAX_NUMBER, MAX_PACK, ObjectPlace, format_pack, parse_pack
from eventlog.store.errors import AnchorsUnavailableError

ENTRIES: dict[ObjectPlace, bytes] = {
    ("b", "000000000001.note"): "text\n\n— signature\n".encode(),
    ("a", "000000000002.note"): b"",
    ("a", "000000000002-3.claim"): b"eventlog/pack/v1\nnumber 1\n",
}
WRITTEN = (
    "eventlog/pack/v1\nnumber 12\nentries 3\n\n"
    "a 000000000002-3.claim 26\neventlog/pack/v1\nnumber 1\n"
    "a 000000000002.note 0\n"
    "b 000000000001.note 20\ntext\n\n— signature\n"
).encode()


def test_a_pack_is_written_in_one_form_and_read_again() -> None:
    assert format_pack(12, ENTRIES) == WRITTEN
    found = parse_pack(WRITTEN)
    assert (found.number, found.entries) == (12, ENTRIES)


LONG = format_pack(12, {("a", "000000000001.note"): b"x" * 999_999})
OTHERS = {
    "no entries": b"eventlog/pack/v1\nnumber 12\nentries 0\n\n",
    "number 0": WRITTEN.replace(b"number 12", b"number 0"),
    "a digit too many": WRITTEN.replace(b"number 12", b"number 012"),
    "a number too large": WRITTEN.replace(b"number 12", b"number %d" % (MAX_NUMBER + 1)),
    "another version": WRITTEN.replace(b"pack/v1\nnumber 12", b"pack/v2\nnumber 12"),
    "another count": WRITTEN.replace(b"entries 3", b"entries 2"),
    "no blank line": WRITTEN.replace(b"entries 3\n\n", b"entries 3\n"),
    "carriage returns": WRITTEN.replace(b"\n", b"\r\n"),
    "something before": b"\n" + WRITTEN,
    "something behind": WRITTEN + b"\n",
    "another entry behind": WRITTEN + b"c 000000000001.note 1\n\n",
    "a shorter length": WRITTEN.replace(b"note 20", b"note 19"),
    "a longer length": WRITTEN.replace(b"note 20", b"note 21"),
    "a length with a zero": WRITTEN.replace(b"note 20", b"note 020"),
    "entries in another order": WRITTEN.replace(b"a 000000000002.note", b"c 000000000002.note"),
    "an entry twice": WRITTEN.replace(b"b 000000000001.note", b"a 000000000002.note"),
    "a chain in upper case": WRITTEN.replace(b"b 0000", b"B 0000"),
    "a path": WRITTEN.replace(b"b 0000", b"../b 0000"),
    "another key": WRITTEN.replace(b"b 000000000001.note", b"b restore-0002.note"),
    "a key with fewer digits": WRITTEN.replace(b"b 000000000001.note", b"b 1.note"),
    "a key with no epoch": WRITTEN.replace(b"000000000002-3.claim", b"000000000002-.claim"),
    "epoch 0": WRITTEN.replace(b"000000000002-3.claim", b"000000000002-0.claim"),
    "too long": format_pack(12, {("a", "000000000001.note"): b"x" * 999_999}).replace(b"999999\n", b"1048576\n")
    + b"x" * 48_577,
}


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_form_is_refused(name: str) -> None:
    assert OTHERS[name] != WRITTEN
    with pytest.raises(EvidenceError):
        parse_pack(OTHERS[name])


def test_no_byte_of_a_pack_can_be_left_out_or_doubled_unseen() -> None:
    for at in range(len(WRITTEN)):
        for other in (WRITTEN[:at] + WRITTEN[at + 1 :], WRITTEN[: at + 1] + WRITTEN[at:]):
            try:
                found = parse_pack(other)
            except EvidenceError:
                continue
            assert format_pack(found.number, found.entries) == other, at


@pytest.mark.parametrize(
    "entries",
    [{}, {("A", "000000000001.note"): b""}, {("a", "000000000001.note"): b"x" * MAX_PACK}],
    ids=["none", "name", "long"],
)
def test_what_would_not_be_read_again_is_not_written(entries: dict[ObjectPlace, bytes]) -> None:
    with pytest.raises(ValueError, match="pack 1 can't be written"):
        format_pack(1, entries)


class Kept:
    """Where entries are put, as packs; what each put had."""

    def __init__(self) -> None:
        self.puts: list[dict[ObjectPlace, bytes]] = []
        self.error: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()

    def put(self, offers: Mapping[ObjectPlace, Offer]) -> Taken:
        assert self.go_on.wait(60)
        if self.error:
            raise self.error
        there = {place for put in self.puts for place in put}
        stale = {place for place, offer in offers.items() if offer.seen < 0}
        self.puts.append({place: o.data for place, o in offers.items() if place not in there | stale})
        return Taken(set(self.puts[-1]), stale)


OFFER = Offer(b"\n")


def chain(number: int) -> ObjectPlace:
    return f"c{number}", "000000000001.note"


def create_all(gathering: Gathering, count: int, *, expected: int | None = None) -> list[bool]:
    """Each by a thread of its own, of which few are at work at once."""
    at_work, most = list[int](), [0]
    with ThreadPoolExecutor(count) as threads, gathering.expecting(expected or count) as is_over:

        def create(number: int) -> bool:
            try:
                with gathering.working():
                    at_work.append(number)
                    most.append(len(at_work))
                    at_work.remove(number)
                    return gathering.create(chain(number), OFFER)
            finally:
                is_over()

        created = list(threads.map(create, range(count)))
    assert max(most) <= AT_ONCE
    return created


@pytest.mark.parametrize("count", [1, 2, 40, MOST])
def test_all_that_are_expected_are_put_at_once(count: int) -> None:
    kept = Kept()
    assert create_all(Gathering(kept.put, 60), count) == [True] * count
    assert [len(put) for put in kept.puts] == [count]


def test_of_more_than_fit_none_is_lost() -> None:
    kept = Kept()
    assert create_all(Gathering(kept.put, 60), MOST + 30) == [True] * (MOST + 30)
    assert max(len(put) for put in kept.puts) <= MOST
    assert sum(len(put) for put in kept.puts) == MOST + 30


def test_those_that_are_done_without_an_entry_are_not_waited_for() -> None:
    kept = Kept()
    gathering = Gathering(kept.put, 600)
    with ThreadPoolExecutor(2) as threads, gathering.expecting(3) as is_over:
        creating = [threads.submit(gathering.create, chain(number), OFFER) for number in range(2)]
        is_over()
        assert [each.result(60) for each in creating] == [True, True]
    assert [len(put) for put in kept.puts] == [2]


def test_one_that_never_comes_is_waited_for_no_longer_than_that() -> None:
    kept = Kept()
    assert create_all(Gathering(kept.put, 0.05), 2, expected=3) == [True, True]
    assert sum(len(put) for put in kept.puts) == 2


def test_without_anybody_expected_it_is_put_at_once() -> None:
    kept = Kept()
    gathering = Gathering(kept.put, 600)
    assert gathering.create(chain(1), OFFER)
    assert not gathering.create(chain(1), Offer(b"other\n"))
    assert kept.puts == [{chain(1): b"\n"}, {}]


def test_what_comes_while_something_is_put_is_put_after_it() -> None:
    kept = Kept()
    kept.go_on.clear()
    gathering = Gathering(kept.put, 600)
    with ThreadPoolExecutor(9) as threads:
        creating = [threads.submit(gathering.create, chain(number), OFFER) for number in range(9)]
        kept.go_on.set()
        assert [each.result(60) for each in creating] == [True] * 9
    assert sum(len(put) for put in kept.puts) == 9


def test_of_two_threads_that_want_one_place_one_gets_it() -> None:
    kept = Kept()
    gathering = Gathering(kept.put, 60)
    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(lambda _: gathering.create(chain(1), OFFER), range(8))) == [False] * 7 + [True]
    assert gathering.create(chain(2), OFFER)


def test_an_error_reaches_all_whose_entries_were_put_and_no_others() -> None:
    kept = Kept()
    gathering, failed = Gathering(kept.put, 60), 0
    kept.error = AnchorsUnavailableError("gone")
    with ThreadPoolExecutor(5) as threads, gathering.expecting(5):
        for creating in [threads.submit(gathering.create, chain(number), OFFER) for number in range(5)]:
            with pytest.raises(AnchorsUnavailableError, match="gone"):
                creating.result(60)
            failed += 1
    kept.error = None
    assert (failed, gathering.create(chain(1), OFFER)) == (5, True)


def test_a_long_entry_is_put_alone() -> None:
    kept = Kept()
    gathering = Gathering(kept.put, 60)
    with gathering.expecting(2):
        assert gathering.create(chain(1), Offer(b"x" * 30_000))
    assert [len(put) for put in kept.puts] == [1]
    assert format_pack(1, {chain(number): b"x" * 16_000 + b"\n" for number in range(MOST)})


def test_what_was_seen_too_long_ago_is_refused_and_the_others_are_put() -> None:
    kept = Kept()
    gathering = Gathering(kept.put, 60)
    with ThreadPoolExecutor(2) as threads, gathering.expecting(2):
        stale = threads.submit(gathering.create, chain(1), Offer(b"", -1))
        assert threads.submit(gathering.create, chain(2), OFFER).result(60)
        with pytest.raises(AnchorsUnavailableError, match="too long ago"):
            stale.result(60)
    assert kept.puts == [{chain(2): b"\n"}]


def test_threads_that_are_done_after_the_round_was_left_are_not_counted_twice() -> None:
    kept = Kept()
    gathering = Gathering(kept.put, 600)
    with gathering.expecting(5) as is_over:
        is_over()
    for _ in range(4):
        is_over()
    assert create_all(gathering, 3) == [True] * 3
    assert [len(put) for put in kept.puts] == [3]


def test_an_interrupted_leader_leaves_nobody_waiting() -> None:
    def interrupt(_: Mapping[ObjectPlace, Offer]) -> Taken:
        raise KeyboardInterrupt

    gathering = Gathering(interrupt, 60)
    with ThreadPoolExecutor(3) as threads, gathering.expecting(3):
        creating = [threads.submit(gathering.create, chain(number), OFFER) for number in range(3)]
        errors = [type(each.exception(60)) for each in creating]
    assert sorted(error.__name__ for error in errors) == ["AnchorsUnavailableError"] * 2 + ["KeyboardInterrupt"]
