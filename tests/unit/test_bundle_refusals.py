"""Evidence bundles in which anything at all was changed."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from eventlog.formats import bundle, hashing
from eventlog.formats.bundle import End, Gap, Header, SeqRange, TimeRange
from eventlog.formats.bundle_check import verify_bundle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState, Event, make_entry
from eventlog.formats.event_json import event_fields, format_event
from eventlog.formats.note import format_vkey
from tests.support.each import each
from tests.support.evidence import CHAIN, KEY, ORIGIN, START, bundle_lines, checkpoint_of, events, signed

EVENTS = list(events(13))
PINNED = [KEY.named()]
CHECKPOINT = checkpoint_of(EVENTS)
NOTE = signed(CHECKPOINT)
LINES = bundle_lines(EVENTS, range(4, 9), SeqRange(4, 9))
HEADER, FIRST_GAP, FOURTH, FIFTH, *_, LAST_GAP, END = LINES
TIMED = bundle_lines(EVENTS, [4, 5, 8], TimeRange(None, None))


def refused(lines: Sequence[bytes], why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        verify_bundle(lines, PINNED)


def swap(line: bytes, by: bytes) -> list[bytes]:
    """The bundle with another line in the place of one."""
    assert LINES.count(line) == 1
    return [by if each == line else each for each in LINES]


def shown(event: Event, **changes: Any) -> bytes:
    return bundle.event_line(orjson.dumps(event_fields(event) | changes))


def header(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "origin": ORIGIN,
        "chain": CHAIN,
        "checkpoint": NOTE,
        "keys": (format_vkey(KEY.named()),),
        "selection": SeqRange(4, 9),
    }
    return bundle.header_line(Header(**(fields | changes)))


def test_the_bundle_is_right_before_it_is_changed() -> None:
    assert verify_bundle(LINES, PINNED).parts[0].complete == (4, 9)
    assert swap(HEADER, header()) == LINES
    assert swap(FIFTH, shown(EVENTS[5])) == LINES


@each("number", range(len(LINES)))
def test_any_one_byte_changed_is_refused(number: int) -> None:
    line = LINES[number]
    for at in range(len(line)):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        refused([*LINES[:number], changed, *LINES[number + 1 :]], "^line [0-9]+: ")


@pytest.mark.parametrize("lines", [LINES, TIMED], ids=["by seq", "by time"])
def test_a_line_left_out_is_refused(lines: list[bytes]) -> None:
    for number in range(len(lines)):
        refused(lines[:number] + lines[number + 1 :], "^line [0-9]+: ")


@pytest.mark.parametrize("lines", [LINES, TIMED], ids=["by seq", "by time"])
def test_a_line_twice_is_refused(lines: list[bytes]) -> None:
    for number in range(len(lines)):
        refused(lines[:number] + lines[number : number + 1] + lines[number:], "^line [0-9]+: ")


def test_lines_in_another_order_are_refused() -> None:
    for first in range(len(LINES)):
        for second in range(first):
            lines = list(LINES)
            lines[first], lines[second] = lines[second], lines[first]
            refused(lines, "^line [0-9]+: ")


@each("length", range(len(LINES)))
def test_a_bundle_that_was_cut_off_is_refused(length: int) -> None:
    refused(LINES[:length], f"^line {length + 1}: the bundle is cut off")
    refused([*LINES, *LINES[:length]] if length else [], "the bundle is cut off")


OTHER_FIELDS: list[dict[str, Any]] = [
    {"event_id": "e-99"},
    {"chain": "other"},
    {"seq": 6},
    {"event_type": "order.void"},
    {"source_id": "shop/99"},
    {"timestamp": "2023-11-14T22:13:20.001Z"},
    {"received_at": "2023-11-14T22:13:20.001Z"},
    {"principal": "somebody"},
    {"payload": {}},
    {"salt": "ff" * 16},
    {"payload_hash": "ff" * 32},
    {"content_hash": "ff" * 32},
    {"prev_hash": "ff" * 32},
    {"hash": "ff" * 32},
]


def test_every_field_of_an_event_is_tried() -> None:
    assert [name for change in OTHER_FIELDS for name in change] == list(event_fields(EVENTS[5]))


@each("change", OTHER_FIELDS)
def test_any_field_of_an_event_changed_is_refused(change: dict[str, Any]) -> None:
    why = r"^line 4: (event 5: \w+ is not the hash|event 5 is not of the header's chain|event 6 stands where event 5)"
    refused(swap(FIFTH, shown(EVENTS[5], **change)), why)


REWRITES: list[dict[str, Any]] = [
    {"event_id": "e-99"},
    {"event_type": "order.void"},
    {"source_id": "shop/99"},
    {"timestamp": START},
    {"received_at": START},
    {"principal": "somebody"},
    {"payload": "{}"},
    {"salt": b"\xff" * 16},
]


def rewritten(seq: int, change: dict[str, Any]) -> list[Event]:
    """The chain with one event changed and every hash after it made anew."""
    state = ChainState(0, hashing.genesis(ORIGIN, CHAIN))
    found: list[Event] = []
    for event in EVENTS:
        fields = event.entry._asdict()
        del fields["payload_hash"], fields["content_hash"], fields["payload_bytes"]
        found += state.extend([make_entry(**fields | (change if event.seq == seq else {}))])
    return found


@pytest.mark.parametrize("change", REWRITES, ids=lambda change: next(iter(change)))
def test_an_event_changed_together_with_its_hashes_is_refused(change: dict[str, Any]) -> None:
    """By whom recomputes one event, or all after it, but can't sign another root."""
    forged = rewritten(5, change)
    refused(swap(FIFTH, bundle.event_line(format_event(forged[5]))), "line 5: event 6 is not linked")
    whole = bundle_lines(forged, range(4, 9), SeqRange(4, 9), NOTE)
    refused(whole, "line 9: the events and gaps do not lead to the checkpoint's root")


def test_the_last_event_changed_together_with_its_hashes_is_refused() -> None:
    forged = rewritten(12, {"payload": "{}"})
    lines = bundle_lines(forged, [12], SeqRange(12, 13), NOTE)
    refused(lines, "do not lead to the checkpoint's root")


@pytest.mark.parametrize("line", [FIRST_GAP, LAST_GAP])
def test_any_bit_of_a_gap_hash_changed_is_refused(line: bytes) -> None:
    fields = orjson.loads(line)
    for number, value in enumerate(fields["hashes"]):
        for bit in range(256):
            hashes = [bytes.fromhex(each) for each in fields["hashes"]]
            hashes[number] = (int(value, 16) ^ 1 << bit).to_bytes(32, "big")
            changed = bundle.gap_line(Gap(fields["gap"][0], fields["gap"][1], tuple(hashes)))
            refused(swap(line, changed), r"do not lead to the checkpoint's root|not linked to what is before it")


H = bytes(32)
OTHER_GAPS = [
    (FIRST_GAP, [Gap(1, 4, (H, H))], "a gap from 1 on stands where event 0 belongs"),
    (FIRST_GAP, [Gap(0, 3, (H, H))], "event 4 stands where event 3 belongs"),
    (FIRST_GAP, [Gap(0, 5, (H, H))], "event 4 stands where event 5 belongs"),
    (FIRST_GAP, [Gap(0, 4, (H, H))], "from 0 to 4 takes 1 hashes"),
    (FIRST_GAP, [Gap(0, 4, ())], "from 0 to 4 takes 1 hashes"),
    (FIRST_GAP, [Gap(0, 2, (H,)), Gap(2, 4, (H,))], "a gap from 2 on stands where event 2 belongs"),
    (LAST_GAP, [Gap(9, 14, (H, H, H))], "beyond the 13 leaves of its checkpoint"),
    (LAST_GAP, [Gap(9, 12, (H, H))], "ends at 12 of 13 leaves"),
    (LAST_GAP, [Gap(9, 2**53 - 1, (H,) * 3)], "beyond the 13 leaves"),
]


@pytest.mark.parametrize(("line", "gaps", "why"), OTHER_GAPS)
def test_gaps_that_do_not_make_up_the_tree_are_refused(line: bytes, gaps: list[Gap], why: str) -> None:
    at = LINES.index(line)
    refused([*LINES[:at], *map(bundle.gap_line, gaps), *LINES[at + 1 :]], why)


def test_a_gap_at_the_genesis_does_not_hide_that_event_0_is_of_another_chain() -> None:
    state = ChainState(0, hashing.genesis("other.example", CHAIN))
    strange = list(events(3, state))
    lines = bundle_lines(strange, range(3), SeqRange(0, 3))
    refused(lines, "line 2: event 0 is not linked to what is before it")


def test_an_event_that_says_it_is_of_another_chain_is_refused_though_the_log_signed_it() -> None:
    strange = list(events(3, chain="other"))
    refused(bundle_lines(strange, [1], SeqRange(1, 2)), "event 1 is not of the header's chain and selection")


def test_an_event_is_linked_to_a_leaf_that_a_gap_shows_by_itself() -> None:
    """The log signed a chain whose link is broken at event 3, and the bundle shows leaf 2 as the gap's last hash."""
    state = ChainState(0, hashing.genesis(ORIGIN, CHAIN))
    found = list(events(3, state))
    state.hash = bytes(32)
    found += state.extend([EVENTS[3].entry])
    refused(bundle_lines(found, [3], SeqRange(3, 4)), "event 3 is not linked to what is before it")


SELECTIONS = [
    (SeqRange(3, 9), "6 events of the selection belong here, there are 5"),
    (SeqRange(4, 10), "6 events of the selection belong here, there are 5"),
    (SeqRange(4, 99), "9 events of the selection belong here, there are 5"),
    (SeqRange(5, 9), "event 4 is not of the header's chain and selection"),
    (SeqRange(4, 8), "event 8 is not of the header's chain and selection"),
    (TimeRange(None, START + 8000), "event 8 is not of the header's chain and selection"),
    (TimeRange(START + 4001, None), "event 4 is not of the header's chain and selection"),
]


@pytest.mark.parametrize(("selection", "why"), SELECTIONS)
def test_another_selection_than_that_of_the_events_is_refused(selection: bundle.Selection, why: str) -> None:
    refused(swap(HEADER, header(selection=selection)), why)


def test_an_event_of_the_selection_hidden_in_a_gap_is_refused() -> None:
    refused(bundle_lines(EVENTS, [4, 5, 7, 8], SeqRange(4, 9)), "5 events of the selection belong here, there are 4")
    for hidden in (4, 8):
        rest = [seq for seq in range(4, 9) if seq != hidden]
        refused(bundle_lines(EVENTS, rest, SeqRange(4, 9)), "5 events of the selection belong here, there are 4")


def test_an_event_hidden_behind_one_that_did_not_fit_is_refused() -> None:
    """As many events as belong before next_seq, but not the right ones."""
    refused(bundle_lines(EVENTS, [4, 5, 8], SeqRange(4, 9), next_seq=7), "has events from its next_seq on")
    refused(bundle_lines(EVENTS, [4, 8], TimeRange(None, None), next_seq=7), "has events from its next_seq on")
    refused(
        bundle_lines(EVENTS, [4, 5], SeqRange(4, 9), next_seq=7), "3 events of the selection belong here, there are 2"
    )


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (End(4, None), "has 5 events, its end says 4"),
        (End(6, None), "has 5 events, its end says 6"),
        (End(5, 8), "has events from its next_seq on"),
        (End(5, 0), "has events from its next_seq on"),
    ],
)
def test_an_end_that_is_not_so_is_refused(end: End, why: str) -> None:
    refused(swap(END, bundle.end_line(end)), why)


def two_parts(later: list[Event]) -> list[bytes]:
    """Events 0..4, and the next ones as the chain is later; both checkpoints are signed."""
    first = bundle_lines(EVENTS[:8], range(5), SeqRange(0, 5))
    return [*first, *bundle_lines(later, range(5, 13), SeqRange(5, 13))]


def test_parts_that_contradict_each_other_are_refused_though_each_is_right() -> None:
    forged = rewritten(2, {"payload": "{}"})
    refused(two_parts(forged), "line 11: seq 5 of chain main is not linked to seq 4")
    fork = [*bundle_lines(EVENTS, [], SeqRange(0, 0)), *bundle_lines(forged, [], SeqRange(0, 0))]
    refused(fork, "another checkpoint of size 13: the log forked")
    assert len(verify_bundle(two_parts(EVENTS), PINNED).parts) == 2


def test_parts_of_different_logs_go_together_though_their_chains_have_one_name() -> None:
    other = list(events(3, ChainState(0, hashing.genesis("other.example", CHAIN))))
    line = f"other.example/{CHAIN}"
    lines = bundle_lines(other, [2], SeqRange(2, 3), signed(checkpoint_of(other, line)))
    again = [orjson.dumps(orjson.loads(lines[0]) | {"origin": "other.example"}) + b"\n", *lines[1:]]
    first = bundle_lines(EVENTS, [2], SeqRange(2, 3))
    assert len(verify_bundle([*first, *again, *first], [*PINNED, KEY.named(line)]).parts) == 3


def test_parts_of_different_chains_go_together() -> None:
    other = list(events(3, ChainState(0, hashing.genesis(ORIGIN, "other")), chain="other"))
    line = f"{ORIGIN}/other"
    note = signed(checkpoint_of(other, line))
    lines = bundle_lines(other, range(3), SeqRange(0, 3), note)
    fields = orjson.loads(lines[0]) | {"chain": "other"}
    again = [orjson.dumps(fields) + b"\n", *lines[1:]]
    assert len(verify_bundle([*LINES, *again, *LINES], [*PINNED, KEY.named(line)]).parts) == 3
