"""Bundles with erased events: verified by our code and by a script that has nothing of it; each forgery refused."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eventlog.formats import bundle, hashing
from eventlog.formats.bundle import SeqRange
from eventlog.formats.bundle_check import BundleReport, verify_bundle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Erased, Event
from eventlog.formats.event_json import check_event, format_event, parse_event
from eventlog.formats.governance_note import KIND
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.proof import cover
from eventlog.stored.erased import erased as emptied
from eventlog_client.cli import main
from tests.support import bundle_v2
from tests.support.erased import GOVERNANCE, TIME, GrowingChain, erasure
from tests.support.evidence import CHAIN, KEY, ORIGIN, checkpoint_of, nodes_of, signed
from tests.support.processes import run_here
from tests.support.small_log import VKEY, small_log

PINNED = [KEY.named()]
GOVERNED = [VerifierKey(ORIGIN, GOVERNANCE.public_key, KIND)]
STRANGER = [VerifierKey(ORIGIN, KEY.public_key, KIND)]
SIZE, BY = 12, 9


def logged() -> list[Event]:
    """Events of which 2 and 4 are erased by 9; 10 orders to erase 7, which was not done yet."""
    chain = GrowingChain(hashing.genesis(ORIGIN, CHAIN))
    for number in range(SIZE):
        if number == BY:
            chain.order(erasure(*((seq, chain.events[seq].hash) for seq in (2, 4)), origin=ORIGIN))
        elif number == BY + 1:
            chain.order(erasure((7, chain.events[7].hash), number=2, origin=ORIGIN))
        else:
            chain.add(n=number)
    return [
        emptied(event)._replace(erased=Erased(BY, TIME)) if event.seq in {2, 4} else event for event in chain.events
    ]


EVENTS = logged()


def lines_of(
    shown: Sequence[int], orders: Sequence[int], selection: bundle.Selection, next_seq: int | None = None, **more: Any
) -> list[bytes]:
    """A bundle of these events with these orders beside them; ``events``: others than those above."""
    events: list[Event] = more.get("events", EVENTS)
    nodes, at = nodes_of(events), 0
    note = signed(checkpoint_of(events))
    keys = (format_vkey(PINNED[0]),)
    lines = [bundle.header_line(bundle.Header(ORIGIN, CHAIN, note, keys, selection, more.get("version", 2)))]
    for seq in [*sorted([*shown, *orders]), len(events)]:
        if at < seq:
            gap = bundle.Gap(at, seq, tuple(nodes[node] for node in cover(at, seq)))
            lines.append(bundle.gap_line(gap))
        if seq < len(events):
            text, erased = format_event(events[seq]), events[seq].erased
            if seq in orders:
                lines.append(bundle.erasure_line(text))
            else:
                lines.append(bundle.event_line(text) if erased is None else bundle.erased_line(text, erased.seq))
        at = seq + 1
    return [*lines, bundle.end_line(bundle.End(len(shown), next_seq))]


def verified(lines: list[bytes], governance: Sequence[VerifierKey] | None = GOVERNED) -> BundleReport:
    return verify_bundle(lines, PINNED, governance=governance)


HONEST = lines_of(range(1, 6), [BY], SeqRange(1, 6))


def test_every_range_verifies_with_the_orders_that_it_needs_and_the_script_says_the_same() -> None:
    vkeys = format_vkey(PINNED[0]), format_vkey(GOVERNED[0])
    for start in range(SIZE):
        for end in range(start + 1, SIZE + 1):
            erased = sum(start <= seq < end for seq in (2, 4))
            orders = [BY] if erased and not start <= BY < end else []
            lines = lines_of(range(start, end), orders, SeqRange(start, end))
            report = verified(lines)
            assert (report.events, report.erased, report.authority) == (end - start, erased, True)
            assert report.parts[0].complete == (start, end)
            assert bundle_v2.main(b"".join(lines).decode(), *vkeys) == (end - start, erased)


def test_the_script_is_short_and_has_nothing_of_ours() -> None:
    source = Path(bundle_v2.__file__).read_text()
    assert not re.search(r"^ *(from|import) (eventlog|tests)", source, re.MULTILINE)
    assert len([line for line in source.splitlines() if line.strip()]) <= 60
    for line in (2, 5, 6, len(HONEST) - 3):
        damaged = [*HONEST]
        damaged[line] = re.sub(rb'"hash":"..', b'"hash":"00', damaged[line], count=1)
        with pytest.raises(AssertionError):
            bundle_v2.main(b"".join(damaged).decode(), format_vkey(PINNED[0]), format_vkey(GOVERNED[0]))


def test_without_a_governance_key_authority_is_not_checked_and_all_else_is() -> None:
    report = verified(HONEST, None)
    assert (report.erased, report.authority) == (2, False)
    with pytest.raises(EvidenceError, match="not signed by a governance key"):
        verified(HONEST, STRANGER)


def test_a_part_that_ends_early_brings_the_order_from_behind_its_end() -> None:
    part = verified(lines_of(range(1, 6), [BY], SeqRange(1, SIZE), next_seq=6)).parts[0]
    assert (part.complete, part.erased, part.next_seq) == ((1, 6), 2, 6)


WRONG: dict[str, tuple[list[bytes], str]] = {
    "in version 1": (lines_of(range(1, 6), [], SeqRange(1, 6), version=1), "is an event, a gap or the end"),
    "without the order": (lines_of(range(1, 6), [], SeqRange(1, 6)), "does not order that"),
    "by another order": (
        lines_of(
            range(1, 6),
            [BY + 1],
            SeqRange(1, 6),
            events=[e._replace(erased=Erased(BY + 1, TIME)) if e.erased else e for e in EVENTS],
        ),
        "event 2 is not erased by the event at seq 10: it does not order that",
    ),
    "as an event like any other": (
        [line.replace(b'{"erased":{', b'{"event":{').replace(b',"by":9}', b"}") for line in HONEST],
        "not written as a bundle's line",
    ),
    "by another event than it says itself": (
        [line.replace(b',"by":9}', b',"by":10}') for line in HONEST],
        "not written as a bundle's line",
    ),
    "with an event beside it that is no order": (
        lines_of(range(1, 6), [8, BY], SeqRange(1, 6)),
        "is no order to erase",
    ),
    "with an event of the selection that is there as an order alone": (
        lines_of([*range(1, 9), 10, 11], [BY], SeqRange(1, SIZE)),
        "is of the selection, and not among its events",
    ),
}


def test_each_erasure_that_the_bundle_does_not_show_is_refused() -> None:
    for lines, why in WRONG.values():
        with pytest.raises(EvidenceError, match=why):
            verified(lines)


def test_an_erased_event_in_another_form_is_refused() -> None:
    shown = parse_json(format_event(EVENTS[2]))
    check_event(parse_event(shown))
    changes: list[dict[str, Any]] = [
        {"payload": {}},
        {"salt": "00" * 16},
        {"erased": None},
        {"erased": {"seq": 2, "time": shown["erased"]["time"]}},
        {"erased": {"seq": BY}},
        {"erased": {**shown["erased"], "by": "me"}},
        {"more": 1},
    ]
    for change in changes:
        with pytest.raises(EvidenceError):
            parse_event(shown | change)
    plain = parse_json(format_event(EVENTS[3]))
    for name in ("payload", "salt"):
        with pytest.raises(EvidenceError):
            parse_event(plain | {name: None})


def test_the_command_tells_what_is_erased_and_whether_it_knows_who_may_order_that(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(b"".join(HONEST))
    with small_log() as log:
        log.events = EVENTS
        for command in (("verify-bundle", "bundle"), ("verify-log", log.url, "--events")):
            keys = ("--key", VKEY)
            said = run_here(tmp_path, main, *command, *keys)
            assert (said.returncode, said.stderr) == (0, "")
            assert "Erased: 2 of them" in said.stdout
            assert "authority not checked" in said.stdout
            said = run_here(tmp_path, main, "--json", *command, *keys, "--governance-key", format_vkey(GOVERNED[0]))
            shown = json.loads(said.stdout)
            assert (shown["erased"], shown["authority_checked"]) == (2, True)
            said = run_here(tmp_path, main, *command, *keys, "--governance-key", format_vkey(STRANGER[0]))
            assert (said.returncode, "not signed by a governance key" in said.stderr) == (3, True)
            said = run_here(tmp_path, main, *command, *keys, "--governance-key", VKEY)
            assert (said.returncode, "not a governance key" in said.stderr) == (2, True)
        log.events = [event._replace(erased=Erased(BY + 1, TIME)) if event.erased else event for event in EVENTS]
        said = run_here(tmp_path, main, "verify-log", log.url, "--events", "--key", VKEY)
        assert (said.returncode, "event 2 is not erased by the event at seq 10" in said.stderr) == (3, True)
