"""The verifier without a database: no honest chain is accused, no changed field passes."""

import os
from collections.abc import Callable
from itertools import combinations
from typing import Any

import bson
import pytest
from bson import DatetimeMS, Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats import hashing, merkle
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import ChainState, Event, make_entry
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored import codec
from eventlog.verify.findings import Finding
from eventlog.verify.verifier import ChainVerifier, VerifierState
from tests.support.each import each
from tests.support.edits import EDITS, NOT_CANONICAL, Document, forged

GENESIS = hashing.genesis("example.com/log", "main")
LIMIT = 2**53 - 1
STRANGE = ["", "$ref", "$set", "a.b", ".", "nul\0nul", "😀", "\U00010000", "e\u0301", "é", "\u2028"]
KEYS = st.sampled_from(STRANGE) | st.text(max_size=5)
NUMBERS = st.sampled_from([-0.0, 1e21, 5e-324, LIMIT, -LIMIT, 1e16, 0.1]) | st.floats(
    allow_nan=False, allow_infinity=False
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.integers(-LIMIT, LIMIT) | st.sampled_from(STRANGE) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def nested(value: Any, levels: int) -> dict[str, Any]:
    """A value under so many levels, objects and arrays in turn, an object outermost."""
    for level in range(levels - 1):
        value = [value] if level % 2 else {"": value}
    return {"deep": value}


PAYLOADS = st.dictionaries(KEYS, JSON, max_size=4) | st.builds(nested, NUMBERS, st.just(32))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
FIELDS = st.fixed_dictionaries(
    {
        "payload": PAYLOADS,
        "event_type": TEXTS | st.just("$type"),
        "source_id": TEXTS | st.just("$_id"),
        "timestamp": st.integers(0, MAX_MILLIS),
        "salt": st.binary(min_size=16, max_size=16),
    }
)


def encoded_chain(*fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored documents of an honest chain."""
    entries = []
    for number, given_fields in enumerate(fields):
        values: dict[str, Any] = {"event_type": "t", "source_id": "s", "timestamp": 1, "salt": os.urandom(16)}
        values |= given_fields
        values["payload"] = canonicalize(values.get("payload", {})).decode()
        entries.append(make_entry(chain="main", event_id=f"e{number}", received_at=2, principal="p", **values))
    return [codec.decode(codec.encode_event(event)) for event in ChainState(0, GENESIS).extend(entries)]


def verify(documents: list[dict[str, Any]] | list[bytes]) -> tuple[list[Finding], VerifierState]:
    findings: list[Finding] = []
    verifier = ChainVerifier(VerifierState(0, [GENESIS]), findings.append)
    for document in documents:
        verifier.document(document if isinstance(document, bytes) else codec.encode(document))
    return findings, verifier.state


def kinds(documents: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.seq) for finding in verify(documents)[0]]


HONEST = encoded_chain(*[{"payload": {"n": number}} for number in range(12)])


@each("size", range(71))
def test_an_honest_chain_of_any_length_is_not_accused(size: int) -> None:
    documents = encoded_chain(*[{}] * size)
    findings, state = verify(documents)
    assert (findings, state.size, state.hole) == ([], size, False)
    frontier: list[bytes] = []
    for seq, document in enumerate(documents):
        merkle.append_leaf(frontier, seq, document["hash"])
    assert state.root == merkle.root(frontier)


@settings(max_examples=80, deadline=None)
@given(st.lists(FIELDS, max_size=9))
def test_an_honest_chain_of_any_content_is_not_accused(events: list[dict[str, Any]]) -> None:
    assert verify(encoded_chain(*events))[0] == []


@settings(max_examples=300, deadline=None)
@given(data=st.data(), seq=st.integers(0, 11))
def test_any_single_changed_byte_of_a_document_is_found(data: st.DataObject, seq: int) -> None:
    raws = [codec.encode(document) for document in HONEST]
    damaged = bytearray(raws[seq])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    raws[seq] = bytes(damaged)
    assert verify(raws)[0]


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 99).map(Int64) | st.floats()
    | st.binary(max_size=33) | st.binary(min_size=32, max_size=32) | st.text(max_size=4)
    | st.integers(-(2**62), 2**62).map(DatetimeMS) | st.lists(st.binary(min_size=32, max_size=32), max_size=2)
    | st.builds(bson.ObjectId) | st.just(bson.Regex("x")) | st.just({})
    | st.builds(bson.Binary, st.just(b"x"), st.just(5))
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(seq=st.integers(0, 11), name=st.sampled_from([*sorted(HONEST[0]), "extra"]), value=VALUES)
def test_any_other_value_of_any_field_is_found(seq: int, name: str, value: Any) -> None:
    changed = {**HONEST[seq], name: value}
    if codec.encode(changed) != codec.encode(HONEST[seq]):
        assert kinds([*HONEST[:seq], changed, *HONEST[seq + 1 :]])


@each("seq", [0, 1, 7, 11])
@each("name", sorted(HONEST[0]))
def test_a_field_removed_or_of_another_type_is_unexpected_there_only(name: str, seq: int) -> None:
    removed = {key: value for key, value in HONEST[seq].items() if key != name}
    retyped = HONEST[seq] | {name: bson.Regex("x")}
    for changed in (removed, retyped):
        where = seq if name != "seq" else None
        found = kinds([*HONEST[:seq], changed, *HONEST[seq + 1 :]])
        after = [("missing", seq)] if name == "seq" and seq < 11 else []
        assert found == [("unexpected", where), *after]


SAME_VALUE: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = [
    ("v as int64", lambda d: d | {"v": Int64(1)}),
    ("v as a double", lambda d: d | {"v": 1.0}),
    ("seq as int32", lambda d: d | {"seq": int(d["seq"])}),
    ("seq as a double", lambda d: d | {"seq": float(d["seq"])}),
    ("payload as code", lambda d: d | {"payload": bson.Code(d["payload"])}),
    ("salt with a subtype", lambda d: d | {"salt": bson.Binary(d["salt"], 128)}),
    ("old binary subtype", lambda d: d | {"hash": bson.Binary(d["hash"], 2)}),
    ("fields in another order", lambda d: dict(reversed(d.items()))),
    ("timestamp as a number", lambda d: d | {"timestamp": Int64(int(d["timestamp"]))}),
    ("another version", lambda d: d | {"v": 2}),
    ("a field more", lambda d: d | {"note": None}),
    ("nodes as a document", lambda d: d | {"nodes": {str(i): n for i, n in enumerate(d["nodes"])}}),
]


@pytest.mark.parametrize(("change"), [c[1] for c in SAME_VALUE], ids=[c[0] for c in SAME_VALUE])
@each("seq", [0, 7, 11])
def test_the_same_value_in_another_encoding_is_unexpected(
    change: Callable[[dict[str, Any]], dict[str, Any]], seq: int
) -> None:
    assert kinds([*HONEST[:seq], change(HONEST[seq]), *HONEST[seq + 1 :]]) == [("unexpected", seq)]


@pytest.mark.parametrize(("kind", "fields"), EDITS)
@each("seq", range(12))
def test_an_edited_field_gives_its_one_finding_at_that_event(kind: str, fields: Document, seq: int) -> None:
    assert kinds([*HONEST[:seq], HONEST[seq] | fields, *HONEST[seq + 1 :]]) == [(kind, seq)]


@pytest.mark.parametrize("payload", NOT_CANONICAL)
def test_a_payload_that_no_append_wrote_is_unexpected_though_its_hashes_were_made_anew(payload: str) -> None:
    assert ("unexpected", 11) in kinds([*HONEST[:11], forged(HONEST[11], payload=payload)])


@each("first, second", combinations(range(12), 2))
def test_two_events_that_change_places_are_found(first: int, second: int) -> None:
    """Each gets the other's seq, links and nodes."""
    names = ("seq", "prev_hash", "hash", "nodes")
    documents = list(HONEST)
    for place, moved in ((first, second), (second, first)):
        documents[place] = HONEST[moved] | {name: HONEST[place][name] for name in names}
    assert {seq for _, seq in kinds(documents)} >= {first, second}


@each("seq", range(11))
def test_a_deleted_event_is_missing(seq: int) -> None:
    assert kinds([*HONEST[:seq], *HONEST[seq + 1 :]]) == [("missing", seq)]


def test_a_doubled_field_is_unexpected() -> None:
    raw = codec.encode(HONEST[3])
    element = b"\x02principal\0" + (2).to_bytes(4, "little") + b"p\0"
    assert element in raw
    body = raw[4:].replace(element, element * 2)
    doubled = (len(body) + 4).to_bytes(4, "little") + body
    raws = [codec.encode(document) for document in HONEST]
    findings, _ = verify([*raws[:3], doubled, *raws[4:]])
    assert [(finding.kind, finding.seq) for finding in findings] == [("unexpected", 3)]


@each("seq", range(11))
def test_an_event_rewritten_with_all_its_own_hashes_is_found_at_the_next_link(seq: int) -> None:
    stored = codec.decode_event(codec.encode(HONEST[seq]))
    forged = rebuilt(stored, '{"n":"forged"}')
    assert forged["hash"] != HONEST[seq]["hash"]
    assert kinds([*HONEST[:seq], forged, *HONEST[seq + 1 :]]) == [("link_mismatch", seq + 1)]


def rebuilt(stored: Event, payload: str) -> dict[str, Any]:
    """The event with another payload and every one of its hashes recomputed, its nodes with honest left sides."""
    state = ChainState(0, GENESIS)
    for document in HONEST[: stored.seq]:
        state.append(document["content_hash"])
    entry = stored.entry
    fields = {name: getattr(entry, name) for name in ("chain", "event_id", "event_type", "source_id", "principal")}
    times: dict[str, Any] = {"timestamp": entry.timestamp, "received_at": entry.received_at}
    (event,) = state.extend([make_entry(**fields, **times, salt=entry.salt, payload=payload)])
    return codec.decode(codec.encode_event(event))


def test_a_stored_state_goes_on_as_if_never_interrupted() -> None:
    damaged = [*HONEST[:4], *HONEST[6:8], HONEST[8] | {"nodes": [b"x" * 32]}, *HONEST[9:]]
    whole, state = verify(damaged)
    for cut in range(len(damaged)):
        findings: list[Finding] = []
        first, kept = verify(damaged[:cut])
        resumed = ChainVerifier(kept, findings.append)
        for document in damaged[cut:]:
            resumed.document(codec.encode(document))
        assert (first + findings, resumed.state) == (whole, state)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(1, 10))
def test_after_one_missing_event_the_root_is_that_of_the_whole_chain(before: int, after: int) -> None:
    documents = encoded_chain(*[{}] * (before + 1 + after))
    _, honest = verify(documents)
    findings, state = verify(documents[:before] + documents[before + 1 :])
    assert [(finding.kind, finding.seq) for finding in findings] == [("missing", before)]
    assert state.root == honest.root


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_skipping_leaves_equals_appending_unknown_ones(before: int, gap: int) -> None:
    documents = encoded_chain(*[{}] * before)
    skipped, grown = verify(documents)[1], verify(documents)[1]
    skipped.skip(before + gap)
    for _ in range(gap):
        grown.grow(None)
    assert (skipped.size, skipped.frontier) == (grown.size, grown.frontier)


def test_a_gap_of_any_width_is_one_finding() -> None:
    found = kinds([*HONEST[:3], HONEST[3] | {"seq": Int64(2**62)}])
    assert found == [("missing", 3), ("hash_mismatch", 2**62), ("node_mismatch", 2**62)]
