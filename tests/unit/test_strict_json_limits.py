"""A hostile body costs memory in proportion to its size, not to what its problems would take to describe."""

import tracemalloc

import pytest

from eventlog.formats.strict_json import MAX_POINTER, MAX_PROBLEMS, MalformedJSONError, parse


def test_a_long_key_over_a_long_array_does_not_multiply() -> None:
    body = b'{"' + b"k" * 14_000 + b'":[NaN' + b",1" * 7_000 + b"]}"
    tracemalloc.start()
    with pytest.raises(MalformedJSONError):
        parse(body, max_depth=32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_problems_are_at_most_a_hundred_and_pointers_short() -> None:
    body = b'{"' + b"k" * 2_000 + b'":[' + b",".join([b"NaN"] * 1_000) + b"]}"
    with pytest.raises(MalformedJSONError) as caught:
        parse(body, max_depth=32)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert all(len(problem.pointer) <= MAX_POINTER for problem in caught.value.problems)
