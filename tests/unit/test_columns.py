"""Many events at once are gone over exactly as one after the other: the same are right, and give the same state."""

from itertools import product, repeat
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats import hashing, merkle
from eventlog.formats.canonical import are_canonical_objects, canonicalize, is_canonical_object
from eventlog.formats.event import ChainState, make_entry
from eventlog.formats.governance import ERASURE
from eventlog.formats.search_keys import no_rules
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored import codec
from eventlog.verify import columns
from eventlog.verify.fast_path import ClockSkew, advance, advance_many
from eventlog.verify.seen import Seen
from tests.support.each import each
from tests.unit.test_verify import FIELDS, GENESIS, PAYLOADS, encoded_chain

HOUR = 3_600_000
HONEST = [
    codec.encode(document)
    for document in encoded_chain(
        *(
            {"payload": {"n": number}, "event_type": ERASURE if number == 5 else "t" * number}
            for number in range(1, 13)
        ),
        *({"timestamp": late} for late in (HOUR + 2, HOUR + 3, 3 * HOUR, 2 * HOUR)),
    )
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
Followed = tuple[int, ChainState, ClockSkew, bytearray, Seen]


def one_by_one(documents: list[bytes]) -> Followed:
    state, skew, leaves, seen = ChainState(0, GENESIS), ClockSkew(), bytearray(), Seen()
    advance("main", state, documents, skew, leaves, seen=seen)
    return state.size, state, skew, leaves, seen


def many(documents: list[bytes]) -> Followed:
    state, skew, leaves, seen = ChainState(0, GENESIS), ClockSkew(), bytearray(), Seen()
    followed = advance_many("main", state, documents, skew, leaves, seen=seen)
    return followed, state, skew, leaves, seen


def in_columns(documents: list[bytes], chain: str = "main") -> bool:
    """Whether these are gone over at once, from first to last."""
    rows = [columns.layout_of(chain).read(raw) for raw in documents]
    plain = [row for row in rows if row]
    state = ChainState(0, GENESIS)
    return len(plain) == len(documents) and columns.follow(chain, state, documents, plain, no_rules) is not None


def test_an_honest_chain_is_gone_over_in_columns_with_all_there_is_to_know_of_it() -> None:
    assert in_columns(HONEST)
    assert many(HONEST) == one_by_one(HONEST)
    assert many(HONEST)[2] == ClockSkew(3, 14, 2 - 3 * HOUR)
    assert len(many(HONEST)[4].erasures) == 40


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=9))
def test_any_honest_content_is_gone_over_in_columns(events: list[dict[str, Any]]) -> None:
    documents = [codec.encode(document) for document in encoded_chain(*events)]
    assert in_columns(documents)
    assert many(documents) == one_by_one(documents)


@each("name", ["", "t", '"', "\\", "\x00", "é", "%b", "%" * 37, "x" * 253, "x" * 254, "x" * 255, "x" * 256, "é" * 256])
def test_names_of_any_length_and_characters_are_followed(name: str) -> None:
    """Those of 255 bytes and more, one by one: there the first byte of the length does not say it."""
    documents = [
        codec.encode(document) for document in encoded_chain(*repeat({"event_type": name, "source_id": name}, 3))
    ]
    assert many(documents) == one_by_one(documents)
    assert many(documents)[0] == 3
    assert in_columns(documents) == (len(name.encode()) < 255)


@each("seq", [0, 3, 7, 12])
def test_each_bit_that_is_changed_is_found_at_its_event(seq: int) -> None:
    for place in range(len(HONEST[seq])):
        for bit in range(8):
            damaged = bytearray(HONEST[seq])
            damaged[place] ^= 1 << bit
            documents = [*HONEST[:seq], bytes(damaged), *HONEST[seq + 1 : seq + 2]]
            assert not in_columns(documents), (place, bit)
            assert many(documents)[0] == seq, (place, bit)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), seq=st.integers(0, len(HONEST) - 1))
def test_bytes_cut_out_or_put_in_are_found_at_their_event(data: st.DataObject, seq: int) -> None:
    raw = HONEST[seq]
    at = data.draw(st.integers(4, len(raw)))
    body = raw[4:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :]
    documents = [*HONEST[:seq], (len(body) + 4).to_bytes(4, "little") + body, *HONEST[seq + 1 :]]
    assert many(documents) == one_by_one(documents)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=400), min_size=1, max_size=3), st.integers(0, 3))
def test_what_is_no_event_at_all_is_followed_by_nobody(strange: list[bytes], seq: int) -> None:
    documents = [*HONEST[:seq], *strange, *HONEST[seq:]]
    assert many(documents) == one_by_one(documents)


@each("order", [(1, 0, 2), (0, 0, 1), (0, 2, 3), (1, 2, 3)])
def test_events_out_of_their_order_are_not_followed(order: tuple[int, ...]) -> None:
    documents = [HONEST[place] for place in order]
    assert many(documents) == one_by_one(documents)
    assert many(documents)[0] < 3


def test_a_document_of_another_chain_is_not_followed() -> None:
    assert not in_columns(HONEST, "mains")
    assert not in_columns(HONEST, "mai")


@each("payload", ['{"a": 1}', '{"b":1,"a":2}', '{"a":1e3}', '{"a":9007199254740993}', "[1]", '{"a":1},{"b":2}', "{"])
def test_a_payload_that_no_append_stores_is_not_followed_whatever_its_hashes(payload: str) -> None:
    fields = {"event_type": "t", "source_id": "s", "timestamp": 1, "received_at": 2, "principal": "p"}
    entry = make_entry(chain="main", event_id="e", payload=payload, salt=bytes(16), **fields)  # type: ignore[arg-type]
    documents = [codec.encode_event(event) for event in ChainState(0, GENESIS).extend([entry])]
    assert not in_columns(documents)
    assert many(documents)[0] == 0


def test_documents_are_gone_over_in_portions_of_bounded_number_and_size() -> None:
    large = bytes(3 << 18)
    assert [len(each) for each in columns.portions([b"x"] * 130)] == [64, 64, 2]
    assert [len(each) for each in columns.portions([large, large, large, b"x"])] == [2, 2]
    assert list(columns.portions([])) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, MAX_MILLIS), st.integers(0, 3)), max_size=5),
    TEXTS,
)
def test_content_hashes_are_those_of_each(rows: list[tuple[str, str, str, str, int, int]], chain: str) -> None:
    names = ("event_id", "event_type", "source_id", "principal", "timestamp", "received_at")
    expected = [
        hashing.content_hash(chain=chain, payload_hash=bytes(32), **dict(zip(names, row, strict=True)))  # type: ignore[arg-type]
        for row in rows
    ]
    texts = [[str(row[place]).encode() for row in rows] for place in range(4)]
    times = [[int(row[place]) for row in rows] for place in (4, 5)]
    assert hashing.content_hashes(chain, texts, [bytes(32)] * len(rows), times) == expected


@each("size", range(70))
def test_leaves_that_are_appended_together_complete_the_same_nodes(size: int) -> None:
    contents = [bytes([number]) * 32 for number in range(9)]
    state = ChainState(0, GENESIS)
    state.fold(contents[:1] * size)
    leaves = hashing.leaf_hashes(state.size, state.hash, contents)
    frontier = state.frontier.copy()
    nodes = merkle.append_leaves(frontier, state.size, leaves)
    expected = [state.append(content) for content in contents]
    assert [(leaf, tuple(completed)) for leaf, completed in zip(leaves, nodes, strict=True)] == [
        (leaf, completed) for _, _, leaf, completed in expected
    ]
    assert frontier == state.frontier


ODD = [
    *(b"{}", b"", b"[]", b"1", b"{},{}", b'{"a":[{}', b"{}]}", b'{"a":{}', b'"b":{}}', b'{"a":1 }', b'{"a":2.0}'),
    *(
        b'{"a":9007199254740991}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":1e21}',
        b'{"a":0.00001}',
    ),
    *(b'{"a":0.5}', b'{"a":[0.5,{"b":2}]}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":"\xff"}', '{"é":1}'.encode()),
    *('{"\U00010000":1,"\uffff":2}'.encode(), '{"\uffff":1,"\U00010000":2}'.encode(), b'{"a":{"b":{"c":null}}}'),
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(ODD) | PAYLOADS.map(canonicalize), max_size=4))
def test_texts_are_canonical_objects_together_if_each_is_one(texts: list[bytes]) -> None:
    assert are_canonical_objects(texts) == all(map(is_canonical_object, texts))


def test_no_two_texts_pass_for_others_together() -> None:
    for texts in product(ODD, ODD, (b"{}", b"{},{}", b"{},{},{}")):
        assert are_canonical_objects(texts) == all(map(is_canonical_object, texts)), texts
