"""Evidence bundles: what an honest one shows, in flat memory, and how each line is written."""

import gc
import tracemalloc
from collections.abc import Iterator

import orjson
import pytest

from eventlog.formats import bundle, hashing
from eventlog.formats.bundle import End, Gap, Header, SeqRange, TimeRange
from eventlog.formats.bundle_check import verify_bundle
from eventlog.formats.checkpoint import Checkpoint, origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState
from eventlog.formats.event_json import format_event
from eventlog.formats.members import parse_json
from eventlog.formats.note import format_vkey
from tests.support.each import each
from tests.support.evidence import (
    CHAIN,
    KEY,
    LINE,
    ORIGIN,
    START,
    Key,
    anchored,
    bundle_lines,
    checkpoint_of,
    events,
    signed,
)

EVENTS = list(events(12))
PINNED = [KEY.named()]
ALL_TIME = TimeRange(None, None)


@each("size", range(1, 13))
def test_every_range_of_every_small_tree_is_shown_complete(size: int) -> None:
    for start in range(size + 1):
        for end in range(start, size + 1):
            lines = bundle_lines(EVENTS[:size], range(start, end), SeqRange(start, end))
            (part,) = verify_bundle(lines, PINNED).parts
            assert (part.complete, part.events, part.checkpoint.size) == ((start, end), end - start, size)


@each("shown", range(2**7))
def test_any_choice_of_events_stands_under_the_checkpoint(shown: int) -> None:
    seqs = [seq for seq in range(7) if shown >> seq & 1]
    (part,) = verify_bundle(bundle_lines(EVENTS[:7], seqs, ALL_TIME), PINNED).parts
    assert (part.events, part.complete) == (len(seqs), None)


def test_the_report_says_what_was_selected_and_what_it_rests_on() -> None:
    note = anchored(checkpoint_of(EVENTS))
    report = verify_bundle(bundle_lines(EVENTS, range(3, 7), SeqRange(3, 9), note, next_seq=7), PINNED)
    (part,) = report.parts
    assert (part.origin, part.chain, part.note) == (ORIGIN, CHAIN, note)
    assert part.checkpoint == checkpoint_of(EVENTS)
    assert part.selection == SeqRange(3, 9)
    assert (part.complete, part.next_seq, report.events) == ((3, 7), 7, 4)


@pytest.mark.parametrize(("to_seq", "next_seq"), [(99, None), (99, 12), (12, 12)])
def test_nothing_is_said_of_what_the_checkpoint_does_not_cover(to_seq: int, next_seq: int | None) -> None:
    lines = bundle_lines(EVENTS, range(2, 12), SeqRange(2, to_seq), next_seq=next_seq)
    assert verify_bundle(lines, PINNED).parts[0].complete == (2, 12)


def test_a_selection_beyond_the_checkpoint_is_an_empty_range() -> None:
    assert verify_bundle(bundle_lines(EVENTS, [], SeqRange(40, 50)), PINNED).parts[0].complete == (40, 40)


def test_an_empty_chain_has_a_bundle() -> None:
    (part,) = verify_bundle(bundle_lines([], [], SeqRange(0, 0)), PINNED).parts
    assert (part.complete, part.checkpoint.size) == ((0, 0), 0)


def test_a_selection_by_time_includes_its_start_and_not_its_end() -> None:
    selection = TimeRange(START + 2000, START + 4000)
    assert verify_bundle(bundle_lines(EVENTS, [2, 3], selection), PINNED).parts[0].selection == selection
    for wrong in (1, 4):
        with pytest.raises(EvidenceError, match="not of the header's chain and selection"):
            verify_bundle(bundle_lines(EVENTS, [wrong], selection), PINNED)


def test_parts_of_one_file_are_verified_one_by_one() -> None:
    first = bundle_lines(EVENTS[:8], range(5), SeqRange(0, 12), next_seq=5)
    second = bundle_lines(EVENTS, range(5, 12), SeqRange(5, 12))
    report = verify_bundle([*first, *second], PINNED)
    assert [part.complete for part in report.parts] == [(0, 5), (5, 12)]
    assert report.events == 12


def test_a_later_epoch_speaks_for_the_chain_if_its_key_is_pinned() -> None:
    line = origin_line(ORIGIN, CHAIN, 3)
    lines = bundle_lines(EVENTS, [0], SeqRange(0, 1), signed(checkpoint_of(EVENTS, line)))
    assert verify_bundle(lines, [KEY.named(), KEY.named(line)]).parts[0].checkpoint.origin == line
    with pytest.raises(EvidenceError, match="line 1: the note is not signed by a key that is known here"):
        verify_bundle(lines, PINNED)


def test_the_keys_in_the_header_are_not_trusted() -> None:
    forger = Key("forger")
    note = signed(checkpoint_of(EVENTS), forger)
    lines = bundle_lines(EVENTS, range(12), SeqRange(0, 12), note)
    header = Header(ORIGIN, CHAIN, note, (format_vkey(forger.named()),), SeqRange(0, 12))
    with pytest.raises(EvidenceError, match="line 1: the note is not signed by a key that is known here"):
        verify_bundle([bundle.header_line(header), *lines[1:]], PINNED)


def test_progress_counts_the_events_of_all_parts() -> None:
    seen: list[int] = []
    verify_bundle(bundle_lines(EVENTS, range(3), SeqRange(0, 3)) * 2, PINNED, seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_lines_are_written_compact_with_their_members_in_order() -> None:
    header = Header("o", "c", "né\n".encode(), ("k",), SeqRange(1, 2))
    assert bundle.header_line(header).decode() == (
        '{"format":"eventlog-bundle/v1","origin":"o","chain":"c","checkpoint":"né\\n","keys":["k"],'
        '"selection":{"from_seq":1,"to_seq":2}}\n'
    )
    assert bundle.gap_line(Gap(4, 6, (b"\xab" * 32,))).decode() == '{"gap":[4,6],"hashes":["' + "ab" * 32 + '"]}\n'
    assert bundle.event_line(b'{"x":1}') == b'{"event":{"x":1}}\n'
    assert bundle.end_line(End(3, None)) == b'{"end":{"events":3,"next_seq":null}}\n'


@pytest.mark.parametrize(
    ("selection", "shown"),
    [
        (SeqRange(0, 2**53 - 1), {"from_seq": 0, "to_seq": 2**53 - 1}),
        (TimeRange(None, None), {"start_time": None, "end_time": None}),
        (TimeRange(0, 1), {"start_time": "1970-01-01T00:00:00.000Z", "end_time": "1970-01-01T00:00:00.001Z"}),
    ],
)
def test_a_header_comes_back_as_it_was_written(selection: bundle.Selection, shown: dict[str, object]) -> None:
    header = Header(ORIGIN, CHAIN, signed(Checkpoint(LINE, 0, bytes(32))), (format_vkey(KEY.named()),), selection)
    line = bundle.header_line(header)
    assert bundle.parse_header(parse_json(line)) == header
    assert orjson.loads(line)["selection"] == shown


def long_bundle(count: int, note: bytes) -> Iterator[bytes]:
    """Made as it is read: nothing of it is kept."""
    yield bundle.header_line(Header(ORIGIN, CHAIN, note, (), SeqRange(0, count)))
    for event in events(count, payload="{}"):
        yield bundle.event_line(format_event(event))
    yield bundle.end_line(End(count, None))


def peak_of(count: int) -> int:
    """How many bytes it takes to verify a bundle of so many events."""
    state = ChainState(0, hashing.genesis(ORIGIN, CHAIN))
    for _ in events(count, state, payload="{}"):
        pass
    note = signed(Checkpoint(LINE, count, state.root))
    gc.collect()
    tracemalloc.start()
    try:
        report = verify_bundle(long_bundle(count, note), PINNED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.events == count
    return peak


def test_memory_stays_flat_over_many_events() -> None:
    verify_bundle(bundle_lines(EVENTS, [0], SeqRange(0, 1)), PINNED)  # what is made once is made before
    assert peak_of(3_000) < peak_of(1_000) + 96 * 1024  # a hundred bytes for each more would be 195 KiB
