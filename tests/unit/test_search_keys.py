"""Search fields: declarations that can be used and those that can't, and the keys that follow from payloads."""

from typing import Any

import pytest

from eventlog.formats.canonical import canonicalize
from eventlog.formats.search_keys import (
    MAX_KEYS,
    MAX_TEXT,
    DeclarationError,
    SearchFields,
    UnindexableError,
    parse_fields,
)
from tests.support.each import each

FIELDS = parse_fields("user=/user,/actor/id; ip=/ip; target=/targets/*/id; tag=/tags/*; first=/tags/0; odd=/a~1b/~0/*")
LIMITS = parse_fields("n=/n/*")

KEYS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "nothing": ({}, ()),
    "a string": ({"user": "u-17"}, ("user:u-17",)),
    "two places of one field": ({"user": "b", "actor": {"id": "a"}}, ("user:a", "user:b")),
    "the same value twice": ({"user": "a", "actor": {"id": "a"}}, ("user:a",)),
    "every element": ({"targets": [{"id": 2}, {"id": 10}, {"no": 1}, "x"]}, ("target:10", "target:2")),
    "an element by its number": ({"tags": ["x", "y"]}, ("first:x", "tag:x", "tag:y")),
    "an empty text": ({"user": ""}, ("user:",)),
    "text that is kept as it is": ({"user": "A:b \n\u0000 \U0001f600"}, ("user:A:b \n\u0000 \U0001f600",)),
    "booleans": ({"ip": True, "user": False}, ("ip:true", "user:false")),
    "null, arrays and objects have none": ({"user": None, "ip": ["1"], "actor": {"id": {}}}, ()),
    "a small number": ({"user": 1e-7}, ("user:1e-7",)),
    "numbers as their canonical text": (
        {"tags": [1.0, 0.5, -0.0, 1e21, 1e16]},
        ("first:1", "tag:0", "tag:0.5", "tag:1", "tag:10000000000000000", "tag:1e+21"),
    ),
    "escaped pointers, and a star in an object": ({"a/b": {"~": {"*": "s", "x": "no"}}}, ("odd:s",)),
    "a place that leads through a text": ({"actor": "id"}, ()),
    "exactly the longest": ({"user": "x" * MAX_TEXT}, (f"user:{'x' * MAX_TEXT}",)),
}


@each("name", KEYS)
def test_keys_follow_from_the_payload(name: str) -> None:
    payload, expected = KEYS[name]
    text = canonicalize(payload)
    assert FIELDS.keys_of(text).values == expected
    assert FIELDS.has(text, expected)
    assert not FIELDS.has(text, [*expected, "user:no"])


def test_what_does_not_fit_is_refused_at_its_place_and_never_cut() -> None:
    with pytest.raises(
        UnindexableError, match="'user' takes a text of 256 characters at most; this one has 257"
    ) as long:
        FIELDS.keys_of(canonicalize({"actor": {"id": "x" * 257}}))
    assert long.value.pointer == "/actor/id"
    most = list(range(MAX_KEYS))
    assert len(LIMITS.keys_of(canonicalize({"n": [*most, 0, 1]})).values) == MAX_KEYS
    with pytest.raises(UnindexableError, match="32 values of its search fields at most; 'n' has one more") as many:
        LIMITS.keys_of(canonicalize({"n": [*most, 99, 100]}))
    assert many.value.pointer == "/n/32"
    assert LIMITS.has(canonicalize({"n": [*most, 99, 100]}), ["n:100"])  # whoever looks at a payload sees all of it


BAD = {
    "user": "write name=/pointer",
    "user=": "is no JSON pointer",
    "user=user": "is no JSON pointer",
    "user=/a~2": "is no JSON pointer",
    f"user=/{'a' * 256}": "is no JSON pointer",
    "User=/user": "is no name of a search field",
    "1st=/user": "is no name of a search field",
    f"{'u' * 33}=/user": "is no name of a search field",
    "=/user": "is no name of a search field",
    "type=/type": "'type' can't be a search field: it is taken",
    "key=/key": "it is taken",
    "a=/a; a=/b": "is declared twice",
    "; ".join(f"f{n}=/f" for n in range(13)): "13 search fields; 12 at most",
    "a=" + ",".join(f"/{n}" for n in range(9)): "'a' has 9 pointers",
}


@each("text", BAD)
def test_a_declaration_that_cannot_be_used_says_why(text: str) -> None:
    with pytest.raises(DeclarationError, match=BAD[text]):
        parse_fields(text)


def test_equal_declarations_are_equal_however_they_are_written() -> None:
    assert parse_fields(" b = /x , /y ;a=/z;; ") == parse_fields("a=/z; b=/y,/x,/x")
    assert not parse_fields("")
    numbered = SearchFields(FIELDS.fields, 3)
    assert SearchFields.of(numbered.document()) == numbered
    fields: dict[str, Any] = {"version": 1, "fields": {"a": ["/a"]}}
    bad: list[Any] = [{}, [], fields | {"version": 0}, fields | {"version": True}, fields | {"more": 1}]
    for document in (*bad, fields | {"fields": {"a": "/a"}}, fields | {"fields": {"A": ["/a"]}}):
        with pytest.raises(DeclarationError):
            SearchFields.of(document)
