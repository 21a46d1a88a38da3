"""How types and sources are asked for: exactly, or by a prefix; what a star and a backslash mean where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.name_filter import ANY, NameFilter, after_prefix, exactly, parse_name

FILTERS = {
    "user.login": ("user.login", False),
    "user.*": ("user.", True),
    "user.\\*": ("user.*", False),
    "user.**": ("user.*", True),
    "user.*.login": ("user.*.login", False),
    "*.login": ("*.login", False),
    "CORP\\user": ("CORP\\user", False),
    "CORP\\": ("CORP\\", False),
    "CORP\\\\": ("CORP\\\\", False),
    "CORP\\*": ("CORP*", False),
    "CORP\\\\*": ("CORP\\", True),
    "CORP\\\\\\*": ("CORP\\*", False),
    "CORP\\\\\\\\*": ("CORP\\\\", True),
    "\\*": ("*", False),
    "\\\\*": ("\\", True),
    "**": ("*", True),
    " *": (" ", True),
}


def test_a_star_at_the_end_is_a_prefix_and_nothing_else_has_a_meaning() -> None:
    assert {text: parse_name(text) for text in FILTERS} == FILTERS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1 character"),
        ("*", "before the '\\*'"),
        ("x" * 257, "256 characters or fewer"),
        ("x" * 257 + "*", "256 characters or fewer"),
    ],
)
def test_what_is_no_filter_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_name(text)


names = st.text("ab*\\\ud7ff\ue000\U0010ffff ", min_size=1, max_size=6) | st.text(min_size=1, max_size=6)


@given(names)
def test_every_name_can_be_asked_for_exactly(name: str) -> None:
    assert parse_name(exactly(name)) == (name, False)
    assert NameFilter.of([exactly(name)]).texts() == [exactly(name)]


@given(st.lists(st.tuples(names, st.booleans()), max_size=4), names)
def test_filters_are_written_as_they_are_read_and_let_through_what_they_say(
    wanted: list[tuple[str, bool]], name: str
) -> None:
    exact, prefixes = [one for one, prefix in wanted if not prefix], [one for one, prefix in wanted if prefix]
    found = NameFilter(frozenset(exact), tuple(sorted(set(prefixes))))
    assert NameFilter.of(found.texts()) == found
    assert found.fits(name) is (not wanted or name in exact or any(name[: len(one)] == one for one in prefixes))


def test_no_filter_lets_every_name_through() -> None:
    assert (bool(ANY), ANY.fits("x"), ANY.texts(), NameFilter.of([])) == (False, True, [], ANY)


scalars = st.text("ab\ud7ff\ue000\uffff\U00010000\U0010ffff", min_size=1, max_size=4)


@given(scalars, scalars)
def test_what_begins_so_is_what_lies_between_in_the_order_of_the_bytes(prefix: str, name: str) -> None:
    end = after_prefix(prefix)
    lies = prefix.encode() <= name.encode() and (end is None or name.encode() < end.encode())
    assert lies is name.startswith(prefix)
