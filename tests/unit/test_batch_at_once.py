"""A batch is read at once where that gives what reading it event by event gives, and event by event everywhere else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.errors import InputError
from eventlog.fields import MAX_BATCH, MAX_DEPTH, MAX_EVENT
from eventlog.formats.strict_json import MalformedJSONError, parse_items
from eventlog.http import decoding
from eventlog.http.decoding import CLOUDEVENTS, JSON, decode_batch

NATIVE = '{"event_type":"t","timestamp":"2026-11-23T12:00:00Z","source_id":"s","payload":%s}'
CLOUDEVENT = '{"specversion":"1.0","id":"1","source":"s","type":"t","data":%s}'
ODD = [
    *('{"a":1,"a":2}', '{"a":NaN}', '{"a":1e999}', '{"a":9007199254740993}', '{"a":10000000000000000}', '{"a":-0.0}'),
    *('{"a":"\\ud800"}', '{"\\ud83d":1}', '{"a":"\\ud83d\\ude00"}', '{"a":"[[{,]"}', '{"a":[[],[{}],[[1]]]}', "{}"),
    *(
        '{"a":1},{"b":2}',
        '{"a":1}]',
        '[{"a":1}',
        '{"a"',
        "{,}",
        "",
        " ",
        "1",
        "null",
        '{"a":"\x01"}',
        '{"é":"\U0001f600"}',
    ),
    *('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)),
    *("[" * 2000 + "]" * 2000, '{"a":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"),
    *('{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", '{"a":' + "9" * 5000 + "}"),
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
payloads = st.sampled_from(ODD) | st.dictionaries(st.text(max_size=3), values, max_size=4).map(json.dumps)
items = st.one_of(
    payloads,
    st.tuples(st.sampled_from([NATIVE, CLOUDEVENT, NATIVE[:-1] + ',"x":1}', NATIVE[:-1]]), payloads).map(
        lambda parts: parts[0] % parts[1]
    ),
)


def outcome(kind: str, body: bytes) -> Any:
    try:
        return decode_batch({"content-type": kind}, body, "main")
    except (InputError, MalformedJSONError) as error:
        return type(error), error.problems


def one_by_one(kind: str, body: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_read_at_once", lambda *_: None)
        return outcome(kind, body)


@given(
    kind=st.sampled_from([JSON, CLOUDEVENTS]),
    texts=st.lists(items, max_size=4),
    between=st.sampled_from([",", " ,\n", ",,"]),
    around=st.sampled_from(["[%s]", " [ %s ]\n", "[%s],", "[%s", "[%s]]", "[[%s]]", "%s"]),
    broken=st.sampled_from([b"", b"\xff", b"\xed\xa0\x80"]),
)
def test_the_outcome_is_that_of_reading_one_by_one(
    kind: str, texts: list[str], between: str, around: str, broken: bytes
) -> None:
    body = (around % between.join(texts)).encode("utf-8", "surrogatepass").replace(b"\x01", broken or b"\x01")
    assert outcome(kind, body) == one_by_one(kind, body)


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize(("kind", "around"), [(JSON, NATIVE), (CLOUDEVENTS, CLOUDEVENT)])
def test_each_odd_text_among_others_has_the_outcome_of_reading_one_by_one(kind: str, around: str, text: str) -> None:
    body = f"[{around % '{}'},{around % text},{around % '{}'}]".encode()
    assert outcome(kind, body) == one_by_one(kind, body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f"[{','.join([NATIVE % '{}'] * (MAX_BATCH + 1))}]", id="one event too many"),
        pytest.param(f"[{NATIVE % '{}'}{' ' * MAX_EVENT}]", id="longer than one event may be"),
        pytest.param("[]", id="none"),
    ],
)
def test_what_is_more_than_a_batch_or_less_is_refused_as_ever(body: str) -> None:
    assert outcome(JSON, body.encode()) == one_by_one(JSON, body.encode())


def test_a_batch_without_fault_is_parsed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_items", None)
    body = f"[{','.join([NATIVE % '{}'] * MAX_BATCH)}]".encode()
    assert len(outcome(JSON, body)) == MAX_BATCH


def test_nothing_is_parsed_at_once_that_may_have_more_values_than_it_says() -> None:
    assert parse_items(b"[" + b",".join([b"1"] * 10) + b"]", max_depth=1, max_values=10) is None
    assert parse_items(b"[" + b",".join([b"1"] * 9) + b"]", max_depth=1, max_values=10) == [1] * 9
