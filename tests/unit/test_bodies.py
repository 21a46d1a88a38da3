"""Payloads that are stored apart, without a database: what is written, and that no change to one passes."""

from typing import Any

import pytest
from bson import DatetimeMS, Int64

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, Entry, Event, Keys, is_erased
from eventlog.stored import bodies, codec
from eventlog.stored.erased import erased_document, fields_to_empty
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage, decode_sequence, encode_sequence
from eventlog.verify.fast_path import advance
from eventlog.verify.findings import Finding
from eventlog.verify.seen import pairs
from eventlog.verify.sequence import check_sequence
from eventlog.verify.verifier import ChainVerifier, VerifierState
from tests.support.factories import draft

GENESIS = hashing.genesis("example.com/log", "main")
AT = 1_700_000_000_000
APART = (1, 2, 4)


def entry(number: int, least: int = 0) -> Entry:
    (found,) = bodies.put_apart([draft(f"e{number}", payload={"n": number, "ü": "x" * 30}).entry], least)
    return found


ENTRIES = [entry(number, least=1 if number in APART else 0) for number in range(6)]
EVENTS = list(ChainState(0, GENESIS).extend(ENTRIES))


def rows(*events: Event) -> list[bytes]:
    """Events as an audit reads them: the row of a payload that is stored apart follows its document."""
    apart = [bodies.encode_body(event.entry, AT) if event.entry.payload_bytes is not None else b"" for event in events]
    return [codec.encode_event(event) + row for event, row in zip(events, apart, strict=True)]


HONEST = rows(*EVENTS)


def found(documents: list[bytes]) -> list[tuple[str, int | None]]:
    findings: list[Finding] = []
    ChainVerifier(VerifierState(0, [GENESIS]), findings.append).documents("main", documents)
    return [(finding.kind, finding.seq) for finding in findings]


def changed(seq: int, **fields: Any) -> list[bytes]:
    """The chain with other fields in the row of one event's payload."""
    document, row = bodies.split(HONEST[seq])
    assert row is not None
    return [*HONEST[:seq], document + codec.encode(codec.decode(row) | fields), *HONEST[seq + 1 :]]


def test_the_hashes_are_the_same_wherever_the_payload_is_stored() -> None:
    inside = [entry._replace(payload_bytes=None) for entry in ENTRIES]
    assert [event.hash for event in ChainState(0, GENESIS).extend(inside)] == [event.hash for event in EVENTS]


def test_an_event_whose_payload_is_apart_has_its_size_in_the_place_of_it() -> None:
    document, row = bodies.split(HONEST[1])
    assert row is not None
    names = list(codec.decode(document))
    assert names == [name.replace("payload", "payload_bytes", name == "payload") for name in codec.decode(HONEST[0])]
    assert codec.decode(row) == {
        "_id": f"main/e1/{ENTRIES[1].payload_hash.hex()}",
        "at": DatetimeMS(AT),
        "payload": ENTRIES[1].payload,
    }
    assert bodies.is_waiting(codec.decode_event(document).entry)
    assert bodies.with_payload(codec.decode_event(document).entry, row) == ENTRIES[1]
    pending = codec.decode_entry(codec.decode(codec.encode_entry(ENTRIES[1])), "main")
    assert (pending.payload, pending.payload_bytes) == ("", len(ENTRIES[1].payload.encode()))


def test_an_honest_chain_with_payloads_apart_is_followed_by_the_fast_path_and_not_accused() -> None:
    assert advance("main", ChainState(0, GENESIS), HONEST) is None
    assert found(HONEST) == []
    findings: list[Finding] = []
    slow = ChainVerifier(VerifierState(0, [GENESIS]), findings.append)
    for document in HONEST:
        slow.document(document)
    assert findings == []


def test_any_other_byte_is_found_by_both_paths_but_in_the_time_of_the_row() -> None:
    document, _ = bodies.split(HONEST[1])
    after_at = HONEST[1].index(b"\x09at\0") + 4
    for place in range(len(HONEST[1])):
        if after_at <= place < after_at + 8:
            continue
        raw = bytearray(HONEST[1])
        raw[place] ^= 0x01
        damaged = [HONEST[0], bytes(raw), HONEST[2]]
        assert advance("main", ChainState(0, GENESIS), damaged) == damaged[1], place
        assert found(damaged), (place, place < len(document))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("payload_mismatch", {"payload": '{"n":2}'}),
        ("payload_mismatch", {"payload": "{}"}),
        ("payload_missing", {"payload": {"n": 1}}),
        ("payload_missing", {"payload": None}),
        ("payload_missing", {"payload": ""}),
        ("payload_missing", {"at": 5}),
        ("unexpected", {"more": 1}),
        ("unexpected", {"_id": "main/e1/other"}),
    ],
)
def test_an_edit_of_a_row_is_one_finding_at_its_event(kind: str, fields: dict[str, Any]) -> None:
    assert found(changed(1, **fields)) == [(kind, 1)]


def test_a_row_that_is_gone_or_another_s_or_no_bson_is_found_at_its_event() -> None:
    document, _ = bodies.split(HONEST[1])
    _, other = bodies.split(HONEST[2])
    assert other is not None
    for row, kind in [(b"", "payload_missing"), (other, "payload_mismatch"), (b"\x05\0\0", "payload_missing")]:
        assert found([HONEST[0], document + row, *HONEST[2:]]) == [(kind, 1)]


def test_a_size_that_is_not_the_payload_s_is_found() -> None:
    document, row = bodies.split(HONEST[1])
    assert row is not None
    other = codec.encode(codec.decode(document) | {"payload_bytes": Int64(3)})
    assert found([HONEST[0], other + row, *HONEST[2:]]) == [("unexpected", 1)]
    for size in (Int64(1), Int64(-5), 40, "40", None):
        refused = codec.encode(codec.decode(document) | {"payload_bytes": size})
        with pytest.raises(NotOursError):
            codec.decode_event(refused)
        assert found([HONEST[0], refused + row, *HONEST[2:]]) == [("unexpected", 1)]


def test_both_a_payload_and_a_size_are_one_field_too_many() -> None:
    both = codec.encode(codec.decode(HONEST[0]) | {"payload_bytes": Int64(40)})
    assert found([both, *HONEST[1:]]) == [("unexpected", 0)]


def test_an_event_changed_beside_a_payload_that_is_gone_is_found_too() -> None:
    document, _ = bodies.split(HONEST[1])
    other = codec.encode(codec.decode(document) | {"source_id": "forged"})
    assert found([HONEST[0], other, *HONEST[2:]]) == [("payload_missing", 1), ("content_mismatch", 1)]


@pytest.mark.parametrize(
    "row", [None, bodies.encode_body(ENTRIES[2], AT), b"\x05\0\0\0\0"], ids=["none", "other", "{}"]
)
def test_a_reader_never_takes_anything_else_for_the_payload(row: bytes | None) -> None:
    waiting = codec.decode_event(bodies.split(HONEST[1])[0]).entry
    with pytest.raises(NotOursError):
        bodies.with_payload(waiting, row)


def image(swept: int | None = None) -> bytes:
    pending = ENTRIES
    size = sum(len(codec.encode_entry(one)) for one in pending)
    return encode_sequence(
        SequenceImage(b"", "main", "example.com/log", 6, ChainState(0, GENESIS), pending, size, swept)
    )


def pending_findings(raw: bytes, stored: dict[str, bytes]) -> list[tuple[str, int | None]]:
    findings: list[Finding] = []
    check_sequence(raw, None, findings.append, lambda _: stored)
    return [(finding.kind, finding.seq) for finding in findings]


def test_payloads_of_pending_events_are_checked_as_well() -> None:
    stored = {bodies.body_id(ENTRIES[seq]): bodies.encode_body(ENTRIES[seq], AT) for seq in APART}
    assert pending_findings(image(), stored) == []
    assert pending_findings(image(), {}) == [("payload_missing", seq) for seq in APART]
    swapped = stored | {bodies.body_id(ENTRIES[1]): bodies.encode_body(ENTRIES[2], AT)}
    assert pending_findings(image(), swapped) == [("payload_mismatch", 1)]
    longer = codec.encode(codec.decode(stored[bodies.body_id(ENTRIES[1])]) | {"more": 1})
    assert pending_findings(image(), stored | {bodies.body_id(ENTRIES[1]): longer}) == [("unexpected", 1)]


def test_a_sequence_document_may_say_when_payloads_were_swept() -> None:
    stored = {bodies.body_id(ENTRIES[seq]): bodies.encode_body(ENTRIES[seq], AT) for seq in APART}
    assert decode_sequence(image(AT)).swept == AT
    assert pending_findings(image(AT), stored) == []
    with pytest.raises(NotOursError):
        decode_sequence(codec.encode(codec.decode(image(AT)) | {"swept": 5}))


@pytest.mark.parametrize(
    ("sizes", "apart"),
    [
        ([8191, 8192, 300_000], [False, True, True]),
        ([100] * 3, [False] * 3),
        ([8000] * 131, [False] * 131),
        ([8000] * 132 + [1023, 1024], [True] * 132 + [False, True]),
    ],
    ids=["by-size", "small", "a-mebibyte", "more"],
)
def test_which_payloads_are_stored_apart(sizes: list[int], apart: list[bool]) -> None:
    entries = [draft(payload={"": "x" * (size - 7)}).entry for size in sizes]
    assert [len(one.payload) for one in entries] == sizes
    assert [one.payload_bytes is not None for one in bodies.put_apart(entries, bodies.APART_FROM)] == apart
    assert bodies.put_apart(entries, 0) == entries


def test_portions_hold_about_as_many_bytes_as_one_query_reads() -> None:
    entries = [ENTRIES[1]._replace(payload="", payload_bytes=300_000)] * 50 + [ENTRIES[0]] * 1200
    portions = list(bodies.portions(entries))
    assert [one for portion in portions for one in portion] == entries
    assert [len(portion) for portion in portions] == [14, 14, 14, 500, 500, 208]


@pytest.mark.parametrize("seq", [0, 1])
def test_an_erased_event_is_read_back_as_it_is_stored_and_waits_for_no_payload(seq: int) -> None:
    keys = Keys(3, ("user:u-1",))
    event = EVENTS[seq]._replace(entry=EVENTS[seq].entry._replace(keys=keys))
    raw = codec.encode_event(event)
    left = erased_document(raw)
    found = codec.decode_event(left)
    assert codec.encode_event(found) == left
    assert is_erased(found.entry)
    assert not is_erased(event.entry)
    assert not bodies.is_waiting(found.entry)
    assert (found.entry.payload, found.entry.salt, found.entry.keys) == ("", b"", Keys(3, ()))
    assert found.entry.payload_bytes == event.entry.payload_bytes
    # All else is as it was: an update of these fields, in their place, makes the one of the other.
    assert codec.encode({**codec.decode(raw), **fields_to_empty(event)}) == left
    assert erased_document(left) == left


def test_an_event_is_not_half_erased() -> None:
    raw = codec.decode(codec.encode_event(EVENTS[0]))
    for change in ({"payload": ""}, {"salt": b""}, {"payload": "", "salt": bytes(15)}):
        with pytest.raises(NotOursError, match=r"salt has|no(t| the) .*JSON object"):
            codec.decode_event(codec.encode({**raw, **change}))
    pending = codec.decode(codec.encode_entry(ENTRIES[0]))
    with pytest.raises(NotOursError, match="a pending event is erased"):
        codec.decode_entry({**pending, "payload": "", "salt": b""}, "main")


def test_an_erased_event_is_handed_over_for_who_can_judge_it() -> None:
    for seq in (0, 1):
        left = [*HONEST[:seq], erased_document(bodies.split(HONEST[seq])[0]), *HONEST[seq + 1 :]]
        assert found(left) == []
        verifier = ChainVerifier(VerifierState(0, [GENESIS]), lambda _: None)
        verifier.documents("main", left)
        assert [place for place, _ in pairs(verifier.seen.erased)] == [seq]
        with_row = [*left[:seq], left[seq] + (bodies.split(HONEST[seq])[1] or b""), *left[seq + 1 :]]
        verifier = ChainVerifier(VerifierState(0, [GENESIS]), lambda _: None)
        verifier.documents("main", with_row)
        assert (found(with_row), verifier.seen.left) == ([], with_row != left), "its row is still there"
