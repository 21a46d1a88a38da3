"""Receipts are checked: against what was sent, in themselves, with each other, and with those seen before."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from eventlog.formats.event import ChainState
from eventlog.formats.event_json import Receipt, parse_receipt
from eventlog_client import EventLog, RefusedError
from eventlog_client.appends import NewEvent, checked_batch, checked_receipt, document_of, json_text, receipt_fields
from eventlog_client.errors import LogMisbehavedError
from eventlog_client.memory import CHAINS, PER_CHAIN, SeenReceipts

TIME = "2026-11-23T12:34:56.789Z"


def sent(event_id: str = "e0") -> dict[str, Any]:
    return document_of(NewEvent("t", "s", {}, TIME, event_id), None)


def receipts(count: int, flavour: int = 0) -> list[dict[str, Any]]:
    """What an honest log answers to events e0, e1, ..."""
    head = ChainState(0, bytes(32))
    shown = []
    for number in range(count):
        content = bytes([number % 256, number // 256, flavour]) + bytes(29)
        seq, prev_hash, digest, _ = head.append(content)
        millis = 1_795_437_296_789
        shown.append(receipt_fields(Receipt(f"e{number}", "main", seq, millis, millis, content, prev_hash, digest)))
    return shown


def test_an_honest_receipt_is_accepted() -> None:
    (shown,) = receipts(1)
    assert checked_receipt(sent(), shown) == parse_receipt(shown)


@pytest.mark.parametrize("name", ["event_id", "chain", "seq", "timestamp", "content_hash", "prev_hash", "hash"])
def test_a_receipt_with_any_field_changed_is_refused_with_both_documents(name: str) -> None:
    (shown,) = receipts(1)
    changed = {"seq": 1, "timestamp": "2026-11-23T12:34:56.788Z"}.get(name, "1" * 64)
    with pytest.raises(LogMisbehavedError) as caught:
        checked_receipt(sent(), shown | {name: changed})
    assert caught.value.evidence == [sent(), shown | {name: changed}]


@pytest.mark.parametrize("shown", [None, [], {}, {"seq": 0}, "receipt"])
def test_what_is_no_receipt_is_refused(shown: Any) -> None:
    with pytest.raises(LogMisbehavedError):
        checked_receipt(sent(), shown)


def test_finer_digits_of_the_time_are_not_compared() -> None:
    event = sent() | {"timestamp": "2026-11-23T12:34:56.7899999Z"}
    assert checked_receipt(event, receipts(1)[0]).seq == 0


def test_a_batch_stands_side_by_side() -> None:
    batch = [sent(f"e{number}") for number in range(3)]
    assert [receipt.seq for receipt in checked_batch(batch, receipts(3), fresh=True)] == [0, 1, 2]


def test_a_batch_of_new_events_with_a_hole_is_refused() -> None:
    first, _, third = receipts(3)
    with pytest.raises(LogMisbehavedError, match="not side by side: seq 0 and 2"):
        checked_batch([sent("e0"), sent("e2")], [first, third], fresh=True)


def test_a_batch_with_replays_may_stand_apart() -> None:
    first, _, third = receipts(3)
    assert len(checked_batch([sent("e2"), sent("e0")], [third, first], fresh=False)) == 2


def test_a_batch_whose_receipts_are_not_linked_is_refused_even_with_replays() -> None:
    first, forged = receipts(1)[0], receipts(2, flavour=1)[1]
    with pytest.raises(LogMisbehavedError, match="seq 1 of chain main is not linked to seq 0"):
        checked_batch([sent("e1"), sent("e0")], [forged, first], fresh=False)


@pytest.mark.parametrize("shown", [None, [], receipts(2)])
def test_another_number_of_receipts_than_events_is_refused(shown: Any) -> None:
    with pytest.raises(LogMisbehavedError, match="1 events were sent"):
        checked_batch([sent()], shown, fresh=True)


def test_a_second_event_in_a_place_that_was_given_is_found() -> None:
    seen = SeenReceipts()
    honest, forged = (parse_receipt(receipts(1, flavour)[0] | {"event_id": f"f{flavour}"}) for flavour in (0, 1))
    assert seen.add(honest) is None
    assert seen.add(honest) is None
    found = seen.add(forged)
    assert found is not None
    assert found == ("seq 0 of chain main was given twice, each time with another hash", honest)


def test_a_receipt_that_does_not_follow_its_neighbour_is_found_from_either_side() -> None:
    honest, forged = parse_receipt(receipts(1)[0]), parse_receipt(receipts(2, flavour=1)[1])
    for first, second in ((honest, forged), (forged, honest)):
        seen = SeenReceipts()
        seen.add(first)
        assert seen.add(second) is not None


def test_an_event_that_moved_is_found() -> None:
    first, second = map(parse_receipt, (receipts(4)[0], receipts(4)[3] | {"event_id": "e0"}))
    seen = SeenReceipts()
    seen.add(first)
    assert seen.add(second) == ("event e0 stands in chain main at seq 0 and at seq 3", first)


def test_memory_is_bounded() -> None:
    seen = SeenReceipts()
    for shown in receipts(PER_CHAIN + 5):
        seen.add(parse_receipt(shown))
    for number in range(CHAINS + 5):
        seen.add(parse_receipt(receipts(1)[0] | {"chain": f"c{number}"}))
    assert len(seen._chains) == CHAINS
    assert max(len(chain.by_seq) for chain in seen._chains.values()) <= PER_CHAIN
    assert max(len(chain.by_id) for chain in seen._chains.values()) <= PER_CHAIN


def test_an_event_gets_an_id_of_its_own_and_a_time_in_utc() -> None:
    noon = datetime(2026, 11, 23, 13, 34, 56, 789_999, timezone(timedelta(hours=1)))
    one, other = (document_of(NewEvent("t", "s", {}, noon), None) for _ in range(2))
    assert one["timestamp"] == TIME
    assert one["event_id"] != other["event_id"]


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        document_of(NewEvent("t", "s", {}, datetime(2026, 11, 23, tzinfo=UTC).replace(tzinfo=None)), None)


@pytest.mark.parametrize(("given", "chain", "expected"), [({}, "a", "a"), ({"chain": "b"}, "a", "b"), ({}, None, None)])
def test_an_event_that_names_its_chain_goes_there(given: Mapping[str, Any], chain: str, expected: str | None) -> None:
    assert document_of(given, chain).get("chain") == expected


def test_numbers_are_sent_as_they_are_meant() -> None:
    assert json_text({"a": 1e16, "b": 1}) == b'{"a":1e+16,"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        json_text({"a": float("nan")})


def test_whose_event_may_not_be_read_is_told_what_the_time_may_have_to_do_with_it() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.method)
        refused = 409 if request.method == "POST" else 403
        return httpx2.Response(refused, json={"title": "Refused", "detail": "e0 exists with other content."})

    with EventLog("http://log", retries=0, transport=httpx2.MockTransport(answer)) as log:
        with pytest.raises(
            RefusedError, match=r"e0 exists with other content\. .* give the time that was sent first"
        ) as caught:
            log.append("t", "s", {}, event_id="e0")
        assert (caught.value.status, asked) == (409, ["POST", "GET"])
        for event_id, timestamp in (("e0", TIME), (None, None)):
            asked.clear()
            with pytest.raises(RefusedError, match=r"other content\.$"):
                log.append("t", "s", {}, event_id=event_id, timestamp=timestamp)
            assert asked == ["POST"]
