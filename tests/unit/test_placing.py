"""A pending entry's bytes become the very document that its event is encoded as."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.event import Entry, Event, Keys
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored import codec
from eventlog.stored.placing import place

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
HASH = st.binary(min_size=32, max_size=32)
MILLIS = st.integers(-MAX_MILLIS, MAX_MILLIS)
KEYS = st.builds(Keys, st.integers(1, 2**40), st.lists(TEXT, max_size=4).map(tuple))
ENTRIES = st.builds(
    Entry,
    *(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True), st.from_regex(r"[A-Za-z0-9._~:-]{1,128}")),
    *(TEXT, TEXT, MILLIS, MILLIS, TEXT, TEXT, st.binary(min_size=16, max_size=16), HASH, HASH),
    payload_bytes=st.none() | st.integers(2, 2**40),
    keys=st.none() | KEYS,
)
EVENTS = st.builds(Event, ENTRIES, st.integers(0, 2**53), HASH, HASH, st.lists(HASH, max_size=53).map(tuple))


@given(EVENTS)
def test_a_placed_entry_is_its_event_byte_for_byte(event: Event) -> None:
    assert place(event, codec.encode_entry(event.entry)) == codec.encode_event(event)
