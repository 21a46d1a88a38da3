"""Messages of accepted events: what is written is read back, and nothing else is."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.errors import TooLargeError
from eventlog.fields import MAX_PAYLOAD
from eventlog.formats.canonical import canonicalize
from eventlog.formats.times import MAX_MILLIS, format_time
from eventlog.ingest import cloudevents, native
from eventlog.ingest.queue_message import MAX_MESSAGE, MessageError, format_message, parse_message
from eventlog.ingest.submission import make_draft
from eventlog.store.interface import Draft
from tests.support.factories import draft

GOLDEN = (
    '{"v":1,"chain":"main","event_id":"a","event_type":"user.login","source_id":"app",'
    '"timestamp":"2023-11-14T22:13:20.000Z","received_at":"2023-11-14T22:13:20.001Z","principal":"J\\u00f6",'
    '"payload":"{\\"n\\":\\"\\ud83d\\ude00\\uffff\\\\u0000\\"}","salt":"01010101010101010101010101010101",'
    '"time_given":true}'
)
FIELDS: dict[str, Any] = json.loads(GOLDEN)
CE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": "2026-11-23T12:00:00Z", "data": {"a": 1e16}}

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=256)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars.filter(lambda value: value not in {float("inf"), float("-inf")}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(st.text(), values, max_size=3)
millis = st.integers(0, MAX_MILLIS)
events = st.fixed_dictionaries(
    {
        "event_type": names.filter(lambda name: not name.startswith("eventlog.")),
        "source_id": names,
        "timestamp": millis.map(format_time),
        "payload": payloads,
    }
)


def altered(**changes: Any) -> str:
    return json.dumps(FIELDS | changes, separators=(",", ":"))


def accepted(value: Any, received_at: int = 0, principal: str = "p") -> Draft:
    return make_draft(native.read(value, "main"), principal=principal, received_at=received_at)


def accepted_cloudevent(value: Any, received_at: int = 0) -> Draft:
    return make_draft(cloudevents.read(value, "c"), principal="p", received_at=received_at)


def test_a_message_is_written_as_version_1_says() -> None:
    fields: dict[str, Any] = {"payload": {"n": "😀\uffff\0"}, "principal": "Jö", "salt": b"\1" * 16}
    made = draft("a", received_at=1_700_000_000_001, **fields)
    assert format_message(made) == GOLDEN
    assert parse_message(GOLDEN) == made


@settings(deadline=None)
@given(events, millis)
def test_a_native_event_comes_back_as_it_was_accepted(value: Any, received_at: int) -> None:
    made = accepted(value, received_at)
    assert parse_message(format_message(made)) == made._replace(id_chosen=True)


@settings(deadline=None)
@given(payloads, names, st.none() | millis.map(format_time), millis)
def test_a_cloudevent_comes_back_as_it_was_accepted(data: Any, name: str, time: str | None, received_at: int) -> None:
    value = CE | {"data": data, "type": f"t{name}"[:256], "time": time}
    made = accepted_cloudevent(value, received_at)
    assert parse_message(format_message(made)) == made


def test_a_message_is_ascii_without_control_characters_whatever_the_payload() -> None:
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10FFFF, 17), 0xFFFE, 0xFFFF, 0x10FFFF]))
    made = [accepted({**EVENT, "payload": {"x": text[i : i + 40_000]}}) for i in range(0, len(text), 40_000)]
    assert all(set(format_message(item)) <= set(map(chr, range(0x20, 0x7F))) for item in made)
    assert [parse_message(format_message(item)).entry for item in made] == [item.entry for item in made]


EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s"}


@pytest.mark.parametrize("character", ["a", '"', "\\", "\0", "é", "€", "\uffff", "😀", "\u2028"])
def test_the_largest_payload_fits_into_a_message(character: str) -> None:
    size = len(canonicalize(character)) - 2
    value = EVENT | {"event_type": "😀" * 256, "source_id": "é" * 256, "payload": {"x": character * (262_136 // size)}}
    made = accepted(value, principal="😀" * 1000)
    assert len(made.entry.payload.encode()) > MAX_PAYLOAD - 16
    assert parse_message(format_message(made)).entry == made.entry


def test_what_escapes_make_larger_than_a_message_is_refused_and_says_what_to_do() -> None:
    made = accepted(EVENT | {"payload": {"x": "\x7f" * 200_000}})
    with pytest.raises(TooLargeError, match=f"of which the queue takes {MAX_MESSAGE}; send it with [?]async=false"):
        format_message(made)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("", "not JSON"),
        ("null", "must be a JSON object"),
        ("[" * 100_000, "not JSON"),
        (GOLDEN[:-1], "not JSON"),
        (GOLDEN.replace('"chain":"main"', '"chain":"main","chain":"main"'), "not JSON"),
        (GOLDEN.replace("J\\u00f6", "Jö"), "not ASCII"),
        (GOLDEN.replace("J\\u00f6", "\ud800"), "not ASCII"),
        (GOLDEN.replace("J\\u00f6", "\\ud800"), "not JSON"),
        (GOLDEN.replace("\\u00f6", "\\u00F6"), "not written as version 1"),
        (GOLDEN.replace('"v"', ' "v"'), "not written as version 1"),
        (json.dumps(dict(reversed(FIELDS.items())), separators=(",", ":")), "not written as version 1"),
        (altered(v=2), "not written as version 1"),
        (altered(v=True), "not written as version 1"),
        (altered(more=1), "the members that version 1 says"),
        (json.dumps({name: FIELDS[name] for name in FIELDS if name != "salt"}), "the members that version 1 says"),
        (altered(time_given=1), "the members that version 1 says"),
        (altered(time_given=False), "not written as version 1"),
        (altered(chain="eventlog.registry"), "may not start with 'eventlog.'"),
        (altered(chain="Main"), "/chain: String should match pattern"),
        (altered(chain=None), "chain must be a string"),
        (altered(event_id="eventlog.x"), "may not start with 'eventlog.'"),
        (altered(event_id=".."), "may not be"),
        (altered(event_id="a/b"), "/event_id: String should match pattern"),
        (altered(event_id=None), "event_id must be a string"),
        (altered(event_id="ce-" + "0" * 32), "/id: must be a string"),
        (altered(event_type=""), "/event_type: String should have at least 1"),
        (altered(event_type="eventlog.chain_restored"), "may not start with 'eventlog.'"),
        (altered(source_id="a\x00b"), "/source_id: String should match pattern"),
        (altered(source_id="a" * 257), "/source_id: String should have at most 256"),
        (altered(timestamp="2023-11-14T22:13:20Z"), "not written as version 1"),
        (altered(timestamp="1969-12-31T23:59:59.999Z"), "/timestamp: .*1970"),
        (altered(received_at="2023-11-14T22:13:20.001+00:00"), "received_at must be a time"),
        (altered(received_at=1), "received_at must be a string"),
        (altered(principal=1), "principal must be a string"),
        (altered(salt="01" * 15), "salt must be 16 bytes"),
        (altered(salt="0A" * 16), "salt must be 16 bytes"),
        (altered(payload={}), "not JSON"),
        (altered(payload=1), "payload must be a string"),
        (altered(payload="{"), "payload is not JSON"),
        (altered(payload='{"a":1,"a":1}'), "payload is not JSON"),
        (altered(payload='{"b":1, "a":1}'), "payload is not canonical"),
        (altered(payload='{"n":1e16}'), "payload is not canonical"),
        (altered(payload="[]"), "/payload: Input should be a valid dictionary"),
        (altered(payload='{"a":' * 33 + "1" + "}" * 33), "payload is not JSON"),
        (altered(payload='{"x":"' + "a" * MAX_PAYLOAD + '"}'), "at most 262144"),
        (altered(principal="p" * (1 << 20)), "of which the queue takes"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_another_message_is_refused(message: str, why: str) -> None:
    with pytest.raises(MessageError, match=why):
        parse_message(message)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"chain": "eventlog.registry"}, "chain is none that clients may append to"),
        ({"chain": "../x"}, "chain is none that clients may append to"),
        ({"event_id": "ce-" + "0" * 32}, "not written as version 1"),
        ({"event_type": "other"}, "not written as version 1"),
        ({"source_id": "other"}, "not written as version 1"),
        ({"timestamp": "2026-11-23T12:00:00.001Z"}, "not written as version 1"),
        ({"time_given": False}, "not written as version 1"),
        ({"payload": canonicalize(CE | {"type": "eventlog.x"}).decode()}, "/type: may not start with"),
        ({"payload": canonicalize(CE | {"id": "2"}).decode()}, "not written as version 1"),
        ({"payload": "[]"}, "must be a JSON object, a CloudEvent"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_cloudevent_that_is_not_what_its_payload_says_is_refused(changes: dict[str, str], why: str) -> None:
    made = accepted_cloudevent(CE)
    message = json.dumps(json.loads(format_message(made)) | changes, separators=(",", ":"))
    with pytest.raises(MessageError, match=why):
        parse_message(message)


@given(st.text() | st.builds(lambda at, text: GOLDEN[:at] + text + GOLDEN[at:], st.integers(0, len(GOLDEN)), st.text()))
def test_whatever_comes_is_taken_as_written_or_refused_with_the_one_error(message: str) -> None:
    try:
        parsed = parse_message(message)
    except MessageError:
        return
    assert format_message(parsed) == message
