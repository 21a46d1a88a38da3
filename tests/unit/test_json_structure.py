"""Structure that is counted in the bytes is that which the parser finds; counting goes through a text once."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.formats.json_structure import SplitError, Structure, measure, split_array, split_lines
from tests.support.each import each

MIB = 1 << 20
texts = st.text('[]{},:"\\ \n\u00e4', max_size=6)
values = st.recursive(
    st.none() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
written = st.sampled_from([(",", ":"), (" , ", "\t:\n"), (",\r\n", ": ")])
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def size(value: Any) -> tuple[int, int]:
    """Values and levels, by the definition."""
    if not isinstance(value, list | dict):
        return 1, 0
    inner = [size(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(count for count, _ in inner), 1 + max((depth for _, depth in inner), default=0)


@FAST
@given(values, written)
def test_values_and_levels_are_those_of_the_parsed_value(value: Any, separators: tuple[str, str]) -> None:
    count, depth = size(value)
    text = json.dumps(value, separators=separators).replace("[]", "[ \n]").encode()
    assert measure(text, depth, count) == Structure(deep=False, crowded=False)
    assert measure(text, depth, None) == Structure(deep=False, crowded=False)
    if depth:
        assert measure(text, depth - 1, count) == Structure(deep=True, crowded=False)
    if count > 1:
        assert measure(text, depth, count - 1) == Structure(deep=False, crowded=True)


@FAST
@given(st.lists(values, max_size=5), written)
def test_an_array_is_cut_into_its_items(items: list[Any], separators: tuple[str, str]) -> None:
    text = f" {json.dumps(items, separators=separators)}\n".encode()
    assert [json.loads(item) for item in split_array(text, 1000)] == items


@FAST
@given(st.binary(max_size=30) | st.text('[]{},:"\\ 1', max_size=20).map(str.encode))
def test_any_bytes_are_cut_or_refused_with_the_one_error(body: bytes) -> None:
    try:
        items = list(split_array(body, 1000))
    except SplitError:
        return
    assert body.strip().startswith(b"[")
    assert b",".join(items).strip() == body.strip(b" \t\r\n")[1:-1].strip()


@each(
    "text",
    [b"", b"1", b"{}", b'"[]"', b"[", b"[1", b"[1}", b"[}", b"[[]", b"[1] 2", b"[] []", b'["]', b"[1,]]", b'[1,"]'],
)
def test_what_is_no_array_that_ends_is_refused(text: bytes) -> None:
    with pytest.raises(SplitError):
        list(split_array(text, 1000))


@each("text", [b"[1,2,3]", b"[ 1 ,[2,[]] , {}]", b"[]", b"[ \n]", b'["a,b","]"]', b"[1,,2]", b"[,]", b"[1,]"])
def test_what_stands_between_commas_is_an_item_whatever_it_is(text: bytes) -> None:
    assert b",".join(split_array(text, 1000)) == text[1:-1].strip(b"\n ") or text == b"[ 1 ,[2,[]] , {}]"


def test_an_item_that_is_too_long_is_cut_off_and_the_last() -> None:
    long = b'"' + b"x" * 20 + b'"'
    assert list(split_array(b"[1," + long + b",3", 10)) == [b"1", long[:11]]
    assert list(split_array(b"[" + long + b"]", 22)) == [long]
    assert list(split_lines(b"1\n\n \n" + long + b"\n3", 10)) == [b"1", long[:11]]
    assert list(split_lines(b" 1 \r\n2", 10)) == [b"1", b"2"]


@each(
    "tail",
    [
        b" " * MIB,
        b"1" * MIB,
        b'"' * MIB,
        b'"' + b"x" * MIB,
        b'"' + b"\\n" * (MIB // 2),
        b'"a"' * (MIB // 3),
        b"1:" * (MIB // 2),
    ],
)
def test_what_follows_the_last_bracket_is_gone_through_once(tail: bytes) -> None:
    """Gone through from each of its bytes, a mebibyte would take days."""
    body = b"[" * 40 + b"]" * 30 + tail
    assert measure(body, 32, 1000) == Structure(deep=True, crowded=False)
    with pytest.raises(SplitError):
        list(split_array(body, 2 * MIB))


def test_nothing_is_looked_at_after_the_limit() -> None:
    """Depth that comes after too many values is not noticed; depth that comes before them is."""
    many, deep = b"0," * 50, b"[" * 40
    assert measure(b"[" + many + deep, 32, 40) == Structure(deep=False, crowded=True)
    assert measure(b"[" + deep + many, 32, 60) == Structure(deep=True, crowded=True)
