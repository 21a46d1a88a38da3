"""The quick way through documents accepts exactly those in which the verifier finds nothing, also in segments."""

import struct
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from bson import DatetimeMS, Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats import hashing
from eventlog.formats.event import ChainState, make_entry
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored import codec
from eventlog.stored.layout import EventLayout
from eventlog.verify.fast_path import advance, verify_segment
from eventlog.verify.findings import Finding
from eventlog.verify.verifier import ChainVerifier, VerifierState
from tests.support.each import each
from tests.unit.test_verify import FIELDS, GENESIS, VALUES, encoded_chain, verify

STEP = 8
HONEST = [codec.encode(document) for document in encoded_chain(*[{"payload": {"n": n}} for n in range(4 * STEP + 3)])]


def quickly(documents: list[bytes]) -> tuple[list[Finding], VerifierState]:
    findings: list[Finding] = []
    verifier = ChainVerifier(VerifierState(0, [GENESIS]), findings.append)
    assert verifier.documents("main", iter(documents)) == len(documents)
    return findings, verifier.state


def in_segments(documents: dict[int, bytes], size: int) -> tuple[list[Finding], VerifierState, int]:
    """As an audit with workers does it: segments that fit are joined, the others verified in order."""
    findings: list[Finding] = []
    verifier = ChainVerifier(VerifierState(0, [GENESIS]), findings.append)
    joined = 0
    for start, stop in pairwise([*range(0, size, STEP), size]):
        rows = [documents[seq] for seq in range(start, stop) if seq in documents]
        segment = verify_segment("main", start, stop, iter(rows))
        if segment is not None and verifier.join(segment):
            joined += 1
        else:
            verifier.documents("main", iter(rows))
    return findings, verifier.state, joined


def same(documents: list[bytes]) -> None:
    assert quickly(documents) == verify(documents)


@each("size", [0, 1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 35])
def test_an_honest_chain_is_followed_to_its_end(size: int) -> None:
    state = ChainState(0, GENESIS)
    assert advance("main", state, iter(HONEST[:size])) is None
    found, expected = verify(HONEST[:size])
    assert (found, state.size, [state.hash], state.frontier) == ([], size, expected.links, expected.frontier)


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELDS, max_size=9))
def test_any_honest_content_is_followed(events: list[dict[str, Any]]) -> None:
    documents = [codec.encode(document) for document in encoded_chain(*events)]
    state = ChainState(0, GENESIS)
    assert advance("main", state, documents) is None
    assert state.size == len(events)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), seq=st.integers(0, 11))
def test_any_changed_byte_gives_the_same_findings(data: st.DataObject, seq: int) -> None:
    damaged = bytearray(HONEST[seq])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    same([*HONEST[:seq], bytes(damaged), *HONEST[seq + 1 : 12]])


@settings(max_examples=400, deadline=None)
@given(seq=st.integers(0, 11), name=st.sampled_from(sorted(codec.decode(HONEST[0]))), value=VALUES)
def test_any_other_value_gives_the_same_findings(seq: int, name: str, value: Any) -> None:
    changed = codec.encode(codec.decode(HONEST[seq]) | {name: value})
    same([*HONEST[:seq], changed, *HONEST[seq + 1 : 12]])


@settings(max_examples=200, deadline=None)
@given(data=st.data(), seq=st.integers(0, 11))
def test_bytes_cut_out_or_put_in_are_never_followed(data: st.DataObject, seq: int) -> None:
    raw = HONEST[seq]
    at = data.draw(st.integers(4, len(raw)))
    body = raw[4:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :]
    damaged = (len(body) + 4).to_bytes(4, "little") + body
    state = ChainState(0, GENESIS)
    odd = advance("main", state, [*HONEST[:seq], damaged])
    assert odd == (None if damaged == raw else damaged)
    assert state.size == seq + (damaged == raw)


@pytest.mark.parametrize("name", ["event_type", "source_id", "principal", "payload", "event_id"])
def test_a_string_whose_length_takes_the_place_of_its_end_is_refused(name: str) -> None:
    document = codec.decode(HONEST[3])
    if name == "event_id":
        document["_id"] = "main/"
    raw = codec.encode(document | {name: ""})
    element = b"\x02%b\0\x01\0\0\0\0" % name.encode()
    assert element in raw
    assert EventLayout("main").split(raw) is not None
    body = raw[4:].replace(element, element[:-5] + b"\0\0\0\0")
    damaged = (len(body) + 4).to_bytes(4, "little") + body
    with suppress(struct.error, ValueError):
        assert EventLayout("main").split(damaged) is None


@pytest.mark.parametrize("time", [-1, MAX_MILLIS + 1, -(2**63), 2**63 - 1])
def test_a_time_that_cannot_be_written_is_not_followed(time: int) -> None:
    changed = codec.encode(codec.decode(HONEST[5]) | {"timestamp": DatetimeMS(time)})
    assert advance("main", ChainState(0, GENESIS), [*HONEST[:5], changed]) == changed
    same([*HONEST[:5], changed, *HONEST[6:12]])


def test_a_payload_that_is_no_text_is_not_followed_even_with_all_its_hashes() -> None:
    payload = hashing.payload_hash(b"s" * 16, b"\xff")
    entry = codec.decode_event(HONEST[0]).entry
    names = ("chain", "event_id", "event_type", "source_id", "timestamp", "received_at", "principal")
    content = hashing.content_hash(**{name: getattr(entry, name) for name in names}, payload_hash=payload)
    changed = entry._replace(payload="X", salt=b"s" * 16, payload_hash=payload, content_hash=content)
    (event,) = ChainState(0, GENESIS).extend([changed])
    raw = codec.encode_event(event)
    assert advance("main", ChainState(0, GENESIS), [raw]) == raw
    damaged = raw.replace(b"\x02payload\0\x02\0\0\0X", b"\x02payload\0\x02\0\0\0\xff")
    assert advance("main", ChainState(0, GENESIS), [damaged]) == damaged
    same([damaged, *HONEST[1:5]])


def test_a_document_of_another_chain_is_not_followed() -> None:
    assert advance("other", ChainState(0, GENESIS), HONEST[:1]) == HONEST[0]


@each("size", range(2, len(HONEST)))
def test_segments_join_to_the_same_state(size: int) -> None:
    findings, state, joined = in_segments(dict(enumerate(HONEST[:size])), size)
    assert (findings, state) == verify(HONEST[:size])
    assert joined == size // STEP + (size % STEP > 1)


def forged(seq: int) -> bytes:
    """The event with another principal and every one of its own hashes and nodes recomputed."""
    events = [codec.decode_event(raw) for raw in HONEST[: seq + 1]]
    state = ChainState(0, GENESIS)
    for event in events[:-1]:
        state.append(event.entry.content_hash)
    names = ("chain", "event_id", "event_type", "source_id", "timestamp", "received_at", "payload", "salt")
    fields: dict[str, Any] = {name: getattr(events[-1].entry, name) for name in names}
    (event,) = state.extend([make_entry(**fields, principal="forged")])
    return codec.encode_event(event)


PLACES = [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP - 2, 2 * STEP - 1, 2 * STEP, len(HONEST) - 1]
EDITS: list[dict[str, Any]] = [
    {"payload": "{}"}, {"principal": "forged"}, {"hash": b"\0" * 32}, {"prev_hash": b"\0" * 32},
    {"content_hash": b"\0" * 32}, {"nodes": [b"\0" * 32] * 2}, {"nodes": []}, {"v": 2}, {"note": 1}, {"seq": Int64(0)},
]  # fmt: skip


@each("seq", PLACES)
@each("fields", EDITS)
def test_an_edit_anywhere_in_a_segment_gives_the_same_findings(seq: int, fields: dict[str, Any]) -> None:
    documents = dict(enumerate(HONEST))
    documents[seq] = codec.encode(codec.decode(HONEST[seq]) | fields)
    findings, state, joined = in_segments(documents, len(HONEST))
    assert (findings, state) == verify(list(documents.values()))
    assert joined >= 2


@each("seq", PLACES)
def test_an_event_missing_anywhere_in_a_segment_gives_the_same_findings(seq: int) -> None:
    documents = dict(enumerate(HONEST))
    del documents[seq]
    findings, state, joined = in_segments(documents, len(HONEST))
    assert (findings, state) == verify(list(documents.values()))
    assert joined >= 2


@each("seq", [*range(STEP - 2, STEP + 2), 2 * STEP - 1])
def test_a_segment_perfect_in_itself_that_does_not_follow_is_not_joined(seq: int) -> None:
    documents = dict(enumerate(HONEST))
    documents[seq] = forged(seq)
    findings, state, _ = in_segments(documents, len(HONEST))
    assert (findings, state) == verify(list(documents.values()))
    assert ("link_mismatch", seq + 1) in [(finding.kind, finding.seq) for finding in findings]


def test_a_segment_of_another_place_or_after_a_hole_is_not_joined() -> None:
    segment = verify_segment("main", 8, 16, iter(HONEST[8:16]))
    assert segment is not None
    link = [segment.prev_hash]
    for state in (VerifierState(7, link), VerifierState(8, [b"x" * 32]), VerifierState(8, link, [], True)):
        findings: list[Finding] = []
        assert not ChainVerifier(state, findings.append).join(segment)


@pytest.mark.parametrize("rows", [HONEST[8:15], HONEST[8:17], HONEST[7:15], [], [b"", *HONEST[9:16]]])
def test_too_few_or_too_many_documents_are_no_segment(rows: list[bytes]) -> None:
    assert verify_segment("main", 8, 16, iter(rows)) is None
