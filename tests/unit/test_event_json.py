"""What a client makes of events and receipts: strict reading, hashes derived anew, contradictions named."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import check_event, event_fields, format_event, parse_event
from eventlog.formats.members import parse_json
from tests.support.each import each
from tests.support.evidence import events

EVENTS = [event._replace(nodes=()) for event in events(5)]
EVENT = EVENTS[2]
HASHES = ["payload_hash", "content_hash", "prev_hash", "hash"]
TIMES = ["timestamp", "received_at"]
TEXTS = ["event_id", "chain", "event_type", "source_id", "principal"]


def fields(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = parse_json(format_event(EVENT))
    return found | changes


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_comes_back_as_it_was_shown(event: Event) -> None:
    again = parse_event(parse_json(format_event(event)))
    assert again == event
    check_event(again)


def test_an_event_is_shown_to_clients_as_it_stands_in_a_bundle() -> None:
    assert format_event(EVENT) == orjson.dumps(event_fields(EVENT))


@pytest.mark.parametrize(
    "payload",
    [
        '{"n":10000000000000000}',
        '{"n":9007199254740992}',
        '{"n":-9007199254740992}',
        '{"n":100000000000000000000}',
        '{"n":1e+21}',
        '{"n":1.7976931348623157e+308}',
        '{"n":5e-324}',
        '{"n":0.000001}',
        '{"n":1e-7}',
        '{"n":[1,1.5,-1,0]}',
        '{"\\b":"\\u0000\\u001f\u007f\u2028😀"}',
        '{"a":{},"b":[],"c":null,"d":true,"é":false,"😀":"","\ufb33":1}',
    ],
)
def test_canonical_text_survives_a_client_that_parses_it(payload: str) -> None:
    assert canonicalize(parse_json(payload.encode())).decode() == payload
    event = next(events(1, payload=payload))
    check_event(parse_event(parse_json(format_event(event))))


@given(st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False), max_size=3))
def test_every_double_survives_a_client_that_parses_it(payload: dict[str, float]) -> None:
    written = canonicalize(payload)
    assert canonicalize(parse_json(written)) == written


@pytest.mark.parametrize("written", ["1E16", "10000000000000000.0", "1e+16", "10000000000000001"])
def test_another_form_of_a_number_is_the_same_double(written: str) -> None:
    assert canonicalize(parse_json(written.encode())) == b"10000000000000000"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'"\xff"', "not UTF-8"),
        (b'{"a":1,"a":1}', "duplicate key"),
        (b'{"x":{"a":1,"\\u0061":1}}', "duplicate key"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[1e400]", "too large for a double"),
        (b"[" + b"9" * 400 + b"]", "too large for a double"),
        (b'["\\ud800"]', "lone surrogate"),
        (b"[" * 65 + b"]" * 65, "nested deeper"),
        (b"[" * 100_000, "nested far too deep"),
        (b'{"a":' * 100_000, "nested far too deep"),
    ],
)
def test_what_is_not_strict_json_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        parse_json(text)


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_what_is_no_object_is_no_event(value: Any) -> None:
    with pytest.raises(EvidenceError, match="must be a JSON object"):
        parse_event(value)
    with pytest.raises(EvidenceError, match="payload must be a JSON object"):
        parse_event(fields(payload=value))


@each("name", sorted(fields()))
def test_an_event_without_one_of_its_members_is_refused(name: str) -> None:
    less = fields()
    del less[name]
    with pytest.raises(EvidenceError, match="all of them and no other"):
        parse_event(less)


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(EvidenceError, match="all of them and no other"):
        parse_event(fields(more=1))


@each("name", TEXTS)
@each("value", [None, 1, [], {}, True, "\ud800"])
def test_a_text_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(EvidenceError, match=f"{name} must be a string"):
        parse_event(fields(**{name: value}))


@each("value", [None, "1", 1.0, True, -1, 2**53, 1e16, [1]])
def test_a_seq_that_is_no_whole_number_in_range_is_refused(value: Any) -> None:
    with pytest.raises(EvidenceError, match="seq must be a whole number"):
        parse_event(fields(seq=value))


@each("name", HASHES)
@each("value", [None, 1, "", "00" * 31, "00" * 33, "AA" * 32, "0" * 63, " " * 64, "é" * 64, "0x" * 32])
def test_a_hash_in_another_form_is_refused(name: str, value: Any) -> None:
    with pytest.raises(EvidenceError, match=f"{name} must be 32 bytes in lower-case hex"):
        parse_event(fields(**{name: value}))


@pytest.mark.parametrize("value", ["", "00" * 15, "00" * 17, "AA" * 16])
def test_a_salt_in_another_form_is_refused(value: str) -> None:
    with pytest.raises(EvidenceError, match="salt must be 16 bytes"):
        parse_event(fields(salt=value))


@each("name", TIMES)
@each(
    "value",
    [
        "2024-11-23T12:34:56Z",
        "2024-11-23T12:34:56.7Z",
        "2024-11-23T12:34:56.7890Z",
        "2024-11-23T12:34:56.789",
        "2024-11-23T12:34:56.789+00:00",
        "2024-11-23t12:34:56.789z",
        "2024-13-23T12:34:56.789Z",
        "2024-11-23T12:34:60.789Z",
        "1969-12-31T23:59:59.999Z",
        "",
    ],
)
def test_a_time_in_another_form_is_refused(name: str, value: str) -> None:
    with pytest.raises(EvidenceError, match=name):
        parse_event(fields(**{name: value}))


def test_a_payload_without_canonical_form_is_refused() -> None:
    """None that parse_json lets through has none; a caller may parse otherwise."""
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    for payload in ({"n": float("nan")}, {"n": 2**60}, {"n": b""}, {1: 2}, {"n": "\ud800"}, deep):
        with pytest.raises(EvidenceError, match="no canonical form"):
            parse_event(fields(payload=payload))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"payload": {}}, "payload_hash"),
        ({"salt": "ff" * 16}, "payload_hash"),
        ({"payload_hash": "ff" * 32}, "payload_hash"),
        ({"event_id": "other"}, "content_hash"),
        ({"chain": "other"}, "content_hash"),
        ({"event_type": "other"}, "content_hash"),
        ({"source_id": "other"}, "content_hash"),
        ({"principal": "other"}, "content_hash"),
        ({"timestamp": "2024-11-23T12:34:56.789Z"}, "content_hash"),
        ({"received_at": "2024-11-23T12:34:56.789Z"}, "content_hash"),
        ({"content_hash": "ff" * 32}, "content_hash"),
        ({"seq": 3}, ": hash is not"),
        ({"prev_hash": "ff" * 32}, ": hash is not"),
        ({"hash": "ff" * 32}, ": hash is not"),
    ],
)
def test_a_changed_field_is_named_by_the_hash_that_no_longer_fits(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(EvidenceError, match=what):
        check_event(parse_event(fields(**changes)))
