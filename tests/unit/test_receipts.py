"""Receipts: strict reading, the leaf hash derived anew, contradictions between what the log said named."""

import json
from typing import Any

import orjson
import pytest

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import check_receipt, contradiction, format_event, parse_receipt, receipt_of
from eventlog.formats.hashing import leaf, leaf_hash
from eventlog.formats.members import parse_json
from eventlog.http.receipt_schemas import receipt
from eventlog.store.interface import Placed
from tests.support.evidence import PAYLOAD, events

EVENTS = [event._replace(nodes=()) for event in events(5)]
EVENT = EVENTS[2]


def receipt_fields(event: Event = EVENT) -> dict[str, Any]:
    found: dict[str, Any] = receipt(Placed(event, replayed=False))
    return found


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_what_is_no_object_is_no_receipt(value: Any) -> None:
    with pytest.raises(EvidenceError, match="must be a JSON object"):
        parse_receipt(value)


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(EvidenceError, match="all of them and no other"):
        parse_receipt(receipt_fields() | {"more": 1})


def test_a_receipt_comes_back_as_it_was_given_and_an_event_is_read_as_one() -> None:
    given_receipt = parse_receipt(receipt_fields())
    assert given_receipt == receipt_of(EVENT) == parse_receipt(parse_json(format_event(EVENT)))
    check_receipt(given_receipt)


@pytest.mark.parametrize("name", sorted(receipt_fields()))
def test_a_receipt_without_one_of_its_members_is_refused(name: str) -> None:
    less = receipt_fields()
    del less[name]
    with pytest.raises(EvidenceError, match="all of them and no other"):
        parse_receipt(less)


@pytest.mark.parametrize(
    "change", [{"seq": 3}, {"prev_hash": "0" * 64}, {"content_hash": "0" * 64}, {"hash": "0" * 64}]
)
def test_a_changed_receipt_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError, match="hash is not the hash of seq"):
        check_receipt(parse_receipt(receipt_fields() | change))


def relinked(event: Event, seq: int, prev_hash: bytes) -> Event:
    """The event at another place, right in itself."""
    digest = leaf_hash(leaf(seq, prev_hash, event.entry.content_hash))
    return event._replace(seq=seq, prev_hash=prev_hash, hash=digest)


def test_events_of_one_chain_go_together_in_any_order_and_form() -> None:
    for first in EVENTS:
        for second in EVENTS:
            assert contradiction(first, second) is None
            assert contradiction(receipt_of(first), second) is None


OTHER_PAST = relinked(EVENTS[2], 2, b"\1" * 32)
CONTRADICTIONS = [
    (EVENTS[2], OTHER_PAST, "seq 2 of chain main was given twice, each time with another hash"),
    (EVENTS[2], relinked(EVENTS[1], 2, EVENTS[1].hash), "seq 2 of chain main was given twice"),
    (EVENTS[2], relinked(EVENTS[2], 4, EVENTS[3].hash), "event e-2 stands in chain main at seq 2 and at seq 4"),
    (EVENTS[3], OTHER_PAST, "seq 3 of chain main is not linked to seq 2"),
    (EVENTS[0], relinked(EVENTS[1], 1, bytes(32)), "seq 1 of chain main is not linked to seq 0"),
]


@pytest.mark.parametrize(("a", "b", "why"), CONTRADICTIONS)
def test_a_contradiction_is_named_whichever_comes_first(a: Event, b: Event, why: str) -> None:
    for first, second in ((a, b), (b, a), (receipt_of(a), b), (a, receipt_of(b))):
        assert why in str(contradiction(first, second))


def test_one_place_and_hash_with_another_event_is_a_contradiction() -> None:
    parsed = json.loads(orjson.dumps(receipt_fields()))
    other = parse_receipt(parsed | {"event_id": "other"})
    assert "another event, with the same hash" in str(contradiction(EVENT, other))


def test_different_chains_never_contradict_each_other() -> None:
    other = next(events(1, chain="other", payload=PAYLOAD))
    assert contradiction(EVENTS[0], other) is None
