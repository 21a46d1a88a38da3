"""Every rule of strict input, with the exact pointer."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats.strict_json import MalformedJSONError, escape, parse

DEPTH = 32
BIG = 2**53 - 1


def deep(levels: int, inner: str = "") -> bytes:
    return ("[" * levels + inner + "]" * levels).encode()


REFUSED: list[tuple[str, bytes, str, str]] = [
    ("a byte that starts nothing", b'{"a":"\xff"}', "", "not UTF-8: invalid byte at offset 6"),
    ("an overlong encoding", b'"\xc0\x80"', "", "not UTF-8"),
    ("an encoded surrogate", b'"\xed\xa0\x80"', "", "not UTF-8"),
    ("a cut sequence", b'"\xf0\x9f\x98', "", "not UTF-8"),
    ("beyond Unicode", b'"\xf4\x90\x80\x80"', "", "not UTF-8"),
    ("UTF-16", '{"a":1}'.encode("utf-16"), "", "not UTF-8"),
    ("UTF-16 without a mark", '{"a":1}'.encode("utf-16-le"), "", "not JSON"),
    ("a byte order mark", b'\xef\xbb\xbf{"a":1}', "", "byte order mark"),
    ("an inner byte order mark", b'{\xef\xbb\xbf"a":1}', "", "not JSON"),
    ("a duplicate key", b'{"a":1,"a":1}', "/a", "duplicate key"),
    ("a duplicate key in other writing", b'{"a":1,"\\u0061":2}', "/a", "duplicate key"),
    ("an empty duplicate key", b'{"":1,"":2}', "/", "duplicate key"),
    ("an inner duplicate key", b'{"p":[0,{"x/y":1,"x/y":2}]}', "/p/1/x~1y", "duplicate key"),
    ("a duplicate key that hides NaN", b'{"a":NaN,"a":1}', "/a", "duplicate key"),
    ("a duplicate key that hides another", b'{"a":{"b":1,"b":2},"a":1}', "/a", "duplicate key"),
    ("a thrice key", b'{"~":1,"~":2,"~":3}', "/~0", "duplicate key"),
    ("NaN", b'{"a":NaN}', "/a", "NaN is not JSON"),
    ("Infinity", b'{"a":[Infinity]}', "/a/0", "Infinity is not JSON"),
    ("-Infinity", b'{"a":[1,-Infinity]}', "/a/1", "-Infinity is not JSON"),
    ("an overflow", b'{"a":1e309}', "/a", "too large for a double"),
    ("a negative overflow", b"[-1E+400]", "/0", "too large for a double"),
    ("an overflow without an exponent", b"[" + b"9" * 400 + b".0]", "/0", "too large for a double"),
    ("2^53 + 1", b'{"a":9007199254740993}', "/a", "integer outside"),
    ("-2^53 - 1", b'{"a":-9007199254740993}', "/a", "integer outside"),
    ("digits that a double loses", b"[12345678901234567890]", "/0", "integer outside"),
    ("a double with all its digits", b"[123456789012345683968]", "/0", "integer outside"),
    ("1e21 without an exponent", b"[1000000000000000000000]", "/0", "integer outside"),
    ("an integer of 5000 digits", b"[" + b"1" * 5000 + b"]", "/0", "integer outside"),
    ("a big integer at the root", b"9007199254740993", "", "integer outside"),
    ("a lone high surrogate", b'{"a":"\\ud800"}', "/a", "lone surrogate"),
    ("a lone low surrogate", b'["x\\uDFFFy"]', "/0", "lone surrogate"),
    ("surrogates the wrong way round", b'["\\ude00\\ud83d"]', "/0", "lone surrogate"),
    ("a surrogate in a key", b'{"a":{"\\ud83d":1}}', "/a", "a key contains a lone surrogate"),
    ("33 arrays", deep(33), "/0" * 32, "nested deeper than 32 levels"),
    ("33 objects", b'{"a":' * 32 + b"{}" + b"}" * 32, "/a" * 32, "nested deeper than 32 levels"),
    ("100000 arrays", deep(100_000), "", "nested far too deep"),
    ("100000 open brackets", b"[" * 100_000, "", "nested far too deep"),
    ("nothing", b"", "", "not JSON"),
    ("white space", b" \n", "", "not JSON"),
    ("white space JSON does not have", b"\x0b1", "", "not JSON"),
    ("two values", b"{} {}", "", "not JSON: Extra data at line 1 column 4"),
    ("a comma too many", b"[1,]", "", "not JSON"),
    ("single quotes", b"{'a':1}", "", "not JSON"),
    ("a comment", b"{} // no", "", "not JSON"),
    ("a leading zero", b"[01]", "", "not JSON"),
    ("a plus sign", b"[+1]", "", "not JSON"),
    ("a bare point", b"[1.]", "", "not JSON"),
    ("a control character", b'["\x01"]', "", "not JSON"),
    ("a line break in a string", b'["\n"]', "", "not JSON"),
    ("an escape JSON does not have", b'["\\x41"]', "", "not JSON"),
    ("an underscore in a number", b"[1_000]", "", "not JSON"),
    ("other digits", "[١]".encode(), "", "not JSON"),
    ("an escape that is no hex", b'["\\u 123"]', "", "not JSON"),
]


@pytest.mark.parametrize(("body", "pointer", "detail"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_not_accepted_is_refused_with_its_place(body: bytes, pointer: str, detail: str) -> None:
    with pytest.raises(MalformedJSONError) as caught:
        parse(body, max_depth=DEPTH)
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_every_bad_value_is_named_in_document_order() -> None:
    with pytest.raises(MalformedJSONError) as caught:
        parse(b'{"a":[NaN,1,{"b":1e999}],"c":"\\udc00","d":9007199254740993,"d":0}', max_depth=DEPTH)
    assert [p.pointer for p in caught.value.problems] == ["/d", "/a/0", "/a/2/b", "/c"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' {"a" : 1}\r\n\t', {"a": 1}),
        (b"9007199254740991", BIG),
        (b"-9007199254740991", -BIG),
        (b"9007199254740992", 2.0**53),
        (b"-9007199254740992", -(2.0**53)),
        (b"10000000000000000", 1e16),
        (b"-123456789012345680000", -123456789012345683968.0),
        (b"999999999999999900000", 999999999999999900000.0),
        (b"1e21", 1e21),
        (b"[-0,0]", [0, 0]),
        (b"1e16", 1e16),
        (b"1e-400", 0.0),
        (b"1.7976931348623157e308", 1.7976931348623157e308),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\\u0000"', "\0"),
        (b'{"":{"":""}}', {"": {"": ""}}),
        ('"e\u0301"'.encode(), "e\u0301"),
        (b'"' + b"[{" * 40 + b'"', "[{" * 40),
        (b'"\xef\xbb\xbf"', "\ufeff"),
        (b'{"$ref":1,"a.b":2}', {"$ref": 1, "a.b": 2}),
    ],
)
def test_what_is_accepted_is_taken_as_it_is(body: bytes, value: Any) -> None:
    parsed = parse(body, max_depth=DEPTH)
    assert parsed == value
    assert type(parsed) is type(value)


def test_32_levels_are_accepted() -> None:
    assert json.dumps(parse(deep(32, "1"), max_depth=DEPTH)) == deep(32, "1").decode()


@pytest.mark.parametrize(("token", "escaped"), [("a/b", "a~1b"), ("~1", "~01"), ("", ""), ("\ud800", "?")])
def test_pointer_tokens_are_escaped(token: str, escaped: str) -> None:
    assert escape(token) == escaped


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text('[]{}:,"\\ud8eE+-.019aNnIinfty tru', max_size=30).map(str.encode))
def test_any_bytes_are_parsed_as_json_does_or_refused(body: bytes) -> None:
    try:
        value = parse(body, max_depth=4)
    except MalformedJSONError:
        return
    assert value == json.loads(body)
