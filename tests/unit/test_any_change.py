"""Any single change to any stored field of any event is found; whatever was sent comes back and is intact.

The pure verifier reads what an audit would: the rows of the chain, in the order of their seqs. A few rounds of the same
with a database are in tests/integration/test_any_change.py.
"""

from typing import Any

import bson
from bson import DatetimeMS, Decimal128, Int64, MaxKey, MinKey
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats.event import ChainState
from eventlog.stored import codec
from eventlog.verify.findings import Finding
from eventlog.verify.verifier import ChainVerifier, VerifierState
from tests.support.edits import Document
from tests.unit.test_verify import FIELDS, GENESIS, encoded_chain, verify

SIZE = 20
HONEST = encoded_chain(*[{"payload": {"n": number}} for number in range(SIZE)])
VALUES = (
    st.none() | st.booleans() | st.integers(-5, 30).map(Int64) | st.integers(-5, 30) | st.floats() | st.text(max_size=4)
    | st.binary(max_size=40) | st.binary(min_size=32, max_size=32) | st.integers(-(2**62), 2**62).map(DatetimeMS)
    | st.lists(st.binary(min_size=32, max_size=32), max_size=3) | st.lists(st.integers(0, 30).map(Int64), max_size=2)
    | st.sampled_from([{}, MinKey(), MaxKey(), Decimal128("3"), bson.Regex("e"), bson.Code("x")])
)  # fmt: skip
NAMES = [
    "v",
    "chain",
    "event_id",
    "seq",
    "event_type",
    "source_id",
    "timestamp",
    "received_at",
    "principal",
    "payload",
    "salt",
]
NAMES += ["payload_hash", "content_hash", "prev_hash", "hash", "nodes", "nodes.0", "extra"]
CHANGES: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.sampled_from(NAMES), VALUES),
    st.tuples(st.just("_id"), st.just("main/e7") | VALUES),
    st.tuples(st.sampled_from(["unset"]), st.sampled_from(NAMES)),
    st.tuples(st.just("swap"), st.integers(0, SIZE - 1)),
    st.just(("delete", None)),
)


def changed(rows: list[Document], seq: int, what: str, value: Any) -> list[Document]:
    """The rows after the change, as MongoDB would make it."""
    row, rest = rows[seq], [*rows[:seq], *rows[seq + 1 :]]
    if what == "delete":
        return rest
    if what == "unset":
        return [*rest, without(row, value)]
    if what == "swap":
        names = ("seq", "prev_hash", "hash", "nodes")
        other = rows[value]
        pair = {seq: row | {name: other[name] for name in names}, value: other | {name: row[name] for name in names}}
        return [pair.get(place, found) for place, found in enumerate(rows)]
    if what == "nodes.0":
        return [*rest, row | {"nodes": [value, *row["nodes"][1:]]}]
    return [*rest, row | {what: value}]


def without(row: Document, name: str) -> Document:
    if name == "nodes.0":  # MongoDB leaves a null in its place, if there was anything
        return row | {"nodes": [None, *row["nodes"][1:]] if row["nodes"] else []}
    return {field: value for field, value in row.items() if field != name}


def found(rows: list[Document]) -> list[Finding]:
    """What the verifier says of the rows that an audit reads, up to the end that the sequence document gives."""
    findings: list[Finding] = []
    verifier = ChainVerifier(VerifierState(0, [GENESIS]), findings.append)
    read = sorted((row for row in rows if is_in_chain(row)), key=lambda row: float(row["seq"]))
    verifier.documents("main", iter([codec.encode(row) for row in read]))
    if verifier.state.position < SIZE:
        verifier.gap(SIZE, "truncated")
    return findings


def is_in_chain(row: Document) -> bool:
    seq = row.get("seq")
    if not isinstance(seq, int | float) or isinstance(seq, bool):
        return False
    return row.get("chain") == "main" and 0 <= seq < SIZE


def test_the_honest_rows_are_intact() -> None:
    assert found(HONEST) == []


@settings(max_examples=500, deadline=None)
@given(st.integers(0, SIZE - 1), CHANGES)
def test_any_single_change_to_any_event_is_found(seq: int, change: tuple[str, Any]) -> None:
    rows = changed(HONEST, seq, *change)
    if sorted(map(codec.encode, rows)) != sorted(map(codec.encode, HONEST)):
        assert found(rows)


@settings(max_examples=100, deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=9))
def test_any_content_comes_back_byte_for_byte_and_is_intact(events: list[dict[str, Any]]) -> None:
    documents = encoded_chain(*events)
    assert verify(documents)[0] == []
    state = ChainState(0, GENESIS)
    for document, given_fields in zip(documents, events, strict=True):
        event = codec.decode_event(codec.encode(document))
        assert codec.decode(codec.encode_event(event)) == document
        assert [event] == list(state.extend([event.entry]))
        assert (event.entry.event_type, event.entry.salt) == (given_fields["event_type"], given_fields["salt"])
