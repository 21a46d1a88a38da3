"""Events written from their stored bytes are, byte for byte, what decoding and writing them one by one gives."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.event import Event, Keys
from eventlog.formats.event_json import format_event
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored import codec
from eventlog.stored.bodies import put_apart
from eventlog.stored.erased import erased_document
from eventlog.stored.texts import Written, event_texts
from tests.support.evidence import CHAIN, events

names = st.text(min_size=1, max_size=20)
KEYS = Keys(3, ("ip:10.0.0.1", "user:ü\x12keys_version\0"))


def one_by_one(raw: bytes) -> Written | None:
    """What the slower way makes of a document; None if it is damaged."""
    try:
        event = codec.decode_event(raw)
        return event.entry.timestamp, event.seq, format_event(event)
    except ValueError:
        return None


def with_keys(event: Event, keys: Keys | None) -> Event:
    return event._replace(entry=event.entry._replace(keys=keys))


@given(
    named=st.fixed_dictionaries({"event_type": names, "source_id": names, "principal": names}),
    timestamp=st.integers(0, MAX_MILLIS),
    keys=st.none() | st.just(KEYS),
    payload=st.sampled_from(["{}", '{"a":"é\\u0000\\"😀"}', '{"n":[1.5,{}]}']),
)
def test_whatever_is_in_it_an_event_is_written_as_by_itself(
    named: dict[str, Any], timestamp: int, keys: Keys | None, payload: str
) -> None:
    found = [with_keys(event, keys) for event in events(9, timestamp=timestamp, payload=payload, **named)]
    raw = [codec.encode_event(event) for event in found]
    assert event_texts(CHAIN, raw) == [(timestamp, event.seq, format_event(event)) for event in found]


def test_no_byte_of_a_document_can_change_without_its_text_being_that_of_the_changed_document() -> None:
    whole = codec.encode_event(with_keys(list(events(8))[7], KEYS))
    (text,) = event_texts(CHAIN, [whole])
    assert text == one_by_one(whole)
    written = 0
    for place in range(len(whole)):
        for bit in (1, 2, 0x20, 0x80):
            changed = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
            (text,) = event_texts(CHAIN, [changed])
            if text is not None:
                written += 1
                assert text == one_by_one(changed), (place, bit)
    assert written > len(whole)  # most of it is texts and hashes, which may be others


def test_what_does_not_stand_whole_in_its_document_is_left_to_who_looks_at_events() -> None:
    plain, large, gone = events(3)
    (apart,) = put_apart([large.entry], 1)
    documents = [codec.encode_event(plain), codec.encode_event(large._replace(entry=apart))]
    documents.append(erased_document(codec.encode_event(gone)))
    assert event_texts(CHAIN, documents) == [one_by_one(documents[0]), None, None]


def test_one_damaged_payload_leaves_all_to_who_says_which_it_is() -> None:
    intact, forged = (codec.encode_event(event) for event in events(2))
    forged = forged.replace(b'"big":', b'"big",')
    assert event_texts(CHAIN, [intact, forged]) == [None, None]
    assert one_by_one(forged) is None


def test_documents_of_another_chain_or_none_at_all_are_not_written() -> None:
    raw = codec.encode_event(next(events(1)))
    assert event_texts("other", [raw, b"", raw[:40], b"\0" * 700]) == [None, None, None, None]
