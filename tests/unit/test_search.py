"""The search syntax against its vectors, which tests/browser/test_same_as_python.py holds the page's reading to."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.event import ChainState
from eventlog.formats.search_keys import SearchFields
from eventlog.formats.times import MAX_END, format_end, format_time, parse_time
from eventlog_client.errors import LogMisbehavedError
from eventlog_client.looking import has_words
from eventlog_client.search import Search, format_search, parse_search
from eventlog_client.search_fields import ChainFields
from eventlog_client.search_values import SearchError
from tests.support.factories import draft

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "search.json").read_text(encoding="utf-8"))
NOW = parse_time(VECTORS["now"])
NOTHING = asdict(Search())


def shown(text: str, fields: Sequence[str] = ()) -> Any:
    """What a text is read as, with what is not in it left out; or where and why it is refused."""
    try:
        found = asdict(parse_search(text, NOW, fields))
    except SearchError as error:
        return [error.at, str(error)]
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    return {name: value for name, value in lists.items() if found[name] != NOTHING[name]}


def test_every_search_of_the_vectors_is_read_as_they_say() -> None:
    assert len(VECTORS["read"]) > 30
    assert [shown(one["text"]) for one in VECTORS["read"]] == [one["search"] for one in VECTORS["read"]]


def test_what_can_not_be_understood_is_refused_at_its_place() -> None:
    expected = [[one["at"], one["error"]] for one in VECTORS["refused"]]
    assert [shown(one["text"]) for one in VECTORS["refused"]] == expected


def test_search_fields_that_are_declared_are_qualifiers() -> None:
    known = VECTORS["with_fields"]
    fields = known["fields"]
    for one in known["read"]:
        assert shown(one["text"], fields) == one["search"]
        found = parse_search(one["text"], NOW, fields)
        assert parse_search(format_search(found), 0, fields) == found
    for one in known["refused"]:
        assert shown(one["text"], fields) == [one["at"], one["error"]]


def test_what_the_log_shows_for_a_key_is_held_against_the_payload() -> None:
    known = VECTORS["keys"]
    fields = ChainFields("main", tuple(map(SearchFields.of, known["versions"])), 2)
    placed = next(ChainState(0, bytes(32)).extend([draft(payload=known["payload"]).entry]))
    for one in known["cases"]:
        with nullcontext() if one["found"] else pytest.raises(LogMisbehavedError, match="and has not"):
            fields.check(placed, one["keys"])


def test_a_search_is_complete_if_no_event_is_indexed_by_another_rule_for_its_fields() -> None:
    versions = [SearchFields({"user": ("/user",)}, 1), SearchFields({"user": ("/user",), "ip": ("/ip",)}, 2)]
    complete = {
        lowest: [ChainFields("main", tuple(versions), lowest).is_complete([key]) for key in ("user:u", "ip:i")]
        for lowest in range(3)
    }
    assert complete == {0: [False, False], 1: [True, False], 2: [True, True]}


def test_words_are_found_in_names_and_in_every_value_of_a_payload() -> None:
    event = draft(**VECTORS["event"]).entry
    found = [(one["words"], has_words(event, one["words"])) for one in VECTORS["words"]]
    assert found == [(one["words"], one["found"]) for one in VECTORS["words"]]


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9).filter(lambda name: name != "*")
words = st.text(st.sampled_from('ab:"- \t\n\\*ÄOR') | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
times = st.integers(0, MAX_END - 1)


@given(
    types=st.lists(names, max_size=3),
    sources=st.lists(names, max_size=3),
    chain=st.none() | st.from_regex(r"[a-z0-9][a-z0-9._-]{0,5}", fullmatch=True),
    start=st.none() | times,
    end=st.none() | times,
    order=st.sampled_from([None, "asc", "desc"]),
    texts=st.lists(words, max_size=4),
)
def test_a_search_is_written_as_it_is_read(
    *,
    types: list[str],
    sources: list[str],
    chain: str | None,
    start: int | None,
    end: int | None,
    order: str | None,
    texts: list[str],
) -> None:
    if start is not None and end is not None:
        start, end = sorted((start, end))
    search = Search(
        types=tuple(types),
        sources=tuple(sources),
        chain=chain,
        start_time=None if start is None else format_time(start),
        end_time=None if end is None else format_end(end),
        order=order,
        words=tuple(texts),
    )
    assert parse_search(format_search(search), now=0) == search


@given(st.text('type:source after"-*\\ \n', max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    found = shown(text)
    assert isinstance(found, dict) or 1 <= found[0] <= len(text) + 1
