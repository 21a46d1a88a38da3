"""Canonical JSON is byte-identical to the reference, and refuses what it refuses."""

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats.canonical import LongerError, canonicalize, is_canonical_object
from eventlog.formats.strict_json import parse

BIG = 2**53
KEYS = st.text(max_size=4) | st.sampled_from(
    ["", "$ref", "a.b", "é", "e\u0301", "\ue000", "\uffff", "\U00010000", "😀"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.integers(-BIG + 1, BIG - 1)
    | st.sampled_from([BIG - 1, -BIG + 1, 0, -0.0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 1e16])
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
REFUSED = st.sampled_from([BIG, -BIG, 10**30, math.nan, math.inf, -math.inf, "\ud800", "a\udfffb", b"x", {1: 2}])


def outcome(value: Any) -> bytes | None:
    """The reference's bytes, None if it refuses."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, TypeError):
        return None


@settings(max_examples=250, deadline=None)
@given(VALUES)
def test_any_json_value_gives_the_bytes_of_the_reference(value: Any) -> None:
    assert canonicalize(value) == rfc8785.dumps(value)


def test_floats_near_the_borders_of_plain_decimals_are_written_as_by_the_reference() -> None:
    borders = [1e-4, 1e-3, 0.1, 1.0, 1e14, 1e15, 1e16, 1e21]
    for value in [math.nextafter(border, to) for border in borders for to in (0.0, math.inf)] + borders:
        for signed in (value, -value):
            assert canonicalize([signed]) == rfc8785.dumps([signed]), signed


@settings(max_examples=500, deadline=None)
@given(st.floats(1e-5, 1e16) | st.decimals(-(10**15), 10**15, places=4).map(float))
def test_plain_decimals_are_written_as_by_the_reference(value: float) -> None:
    assert canonicalize({"n": value}) == rfc8785.dumps({"n": value})


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, st.integers(0, 9), max_size=12))
def test_keys_are_sorted_by_utf_16_code_units_like_the_reference(value: dict[str, int]) -> None:
    assert canonicalize(value) == rfc8785.dumps(value)
    keys = list(json.loads(canonicalize(value)))
    assert keys == sorted(keys, key=lambda key: key.encode("utf-16-be"))


@settings(max_examples=80, deadline=None)
@given(bad=REFUSED, beside=VALUES, key=KEYS, in_list=st.booleans())
def test_what_the_reference_refuses_is_refused_wherever_it_stands(
    bad: Any, beside: Any, key: str, in_list: bool
) -> None:
    value = [beside, {key: bad}] if in_list else {"beside": beside, "bad": [bad]}
    assert outcome(value) is None
    with pytest.raises(ValueError):  # noqa: PT011  the reference's texts are its own
        canonicalize(value)


@pytest.mark.parametrize("key", ["\ud800", "a\udc00"])
def test_a_key_with_a_lone_surrogate_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not canonical JSON"):
        canonicalize({key: 1})
    with pytest.raises(ValueError, match="not canonical JSON"):
        canonicalize({key: 1.5, "😀": 1})


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_canonical_text_is_canonical_when_every_number_is_read_as_a_double(value: Any) -> None:
    text = canonicalize(value)
    assert canonicalize(json.loads(text, parse_int=float)) == text


def test_unicode_is_not_normalised() -> None:
    assert canonicalize(["é", "e\u0301"]) == '["é","e\u0301"]'.encode()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_the_canonical_text_of_any_object_is_known_as_such(value: dict[str, Any]) -> None:
    assert is_canonical_object(canonicalize(value))


@settings(max_examples=200, deadline=None)
@given(
    value=st.dictionaries(KEYS, VALUES, max_size=3), place=st.integers(0, 200), by=st.sampled_from(b' \t"0{}[],:e.\\')
)
def test_text_with_a_byte_put_in_is_known_only_if_it_is_the_canonical_text_of_what_it_says(
    value: dict[str, Any], place: int, by: int
) -> None:
    text = canonicalize(value)
    place = min(place, len(text))
    text = text[:place] + bytes([by]) + text[place:]
    try:
        read = json.loads(text, parse_int=float, object_pairs_hook=_distinct)
        expected = type(read) is dict and outcome(read) == text
    except ValueError:
        expected = False
    assert is_canonical_object(text) == expected


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b'"{}"', b"1", b"{", b"{}{}", b"\xff", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":1.0}',
     b'{"a":1e400}', b'{"a":NaN}', b'\xef\xbb\xbf{}', b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_not_the_canonical_text_of_an_object_is_not_taken_for_it(text: bytes) -> None:
    assert not is_canonical_object(text)


def test_text_nested_as_deep_as_payloads_may_be_is_known() -> None:
    assert is_canonical_object(b'{"a":' * 32 + b"1.5" + b"}" * 32)


@pytest.mark.parametrize("value", [{"a": "b" * 20}, {"a": [1e20] * 3}, {"\U0001f600": 1, "a": 1e20}])
def test_a_text_is_as_long_as_it_may_be_or_refused(value: Any) -> None:
    text = canonicalize(value)
    assert canonicalize(value, len(text)) == text
    with pytest.raises(LongerError):
        canonicalize(value, len(text) - 1)


def test_the_slow_writer_stops_at_the_limit() -> None:
    """It never comes to what it could not write."""
    value = {"a": [1e20] * 100 + [math.nan]}
    with pytest.raises(LongerError):
        canonicalize(value, 1000)
    with pytest.raises(rfc8785.CanonicalizationError):
        canonicalize(value)


LARGE = st.integers(-(10**22), 10**22).map(float)
"""Doubles that canonical JSON writes as integers outside +-(2^53-1), and some beyond."""


@settings(max_examples=300, deadline=None)
@given(VALUES | st.lists(LARGE))
def test_canonical_text_can_be_sent_again_and_is_the_same(value: Any) -> None:
    text = canonicalize(value)
    assert canonicalize(parse(text, max_depth=64)) == text
    assert canonicalize(parse(text, max_depth=64, doubles=True)) == text
